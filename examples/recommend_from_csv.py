"""Recommend films from a CSV file of ratings: train LightGCN, then ask by name.

python examples/recommend_from_csv.py                  # writes a small file first
python examples/recommend_from_csv.py ratings.csv Ada  # columns person, film and rating, and a person in it
"""

import csv
import random
import sys
from pathlib import Path

from graphkit.predict import load
from graphkit.run import run
from graphkit.serving.served import Ranked

FILMS = {
    "space": "Alien, Arrival, Contact, Dune, Gravity, Interstellar, Metropolis, Moon, Primer, Solaris, Stalker, Sunshine",
    "crime": "Chinatown, Fargo, Heat, Laura, M, Memento, Notorious, Psycho, Rififi, Se7en, Vertigo, Zodiac",
    "comedy": "Airplane!, Amélie, Big, Brazil, Clue, Duck Soup, Election, Hairspray, Juno, Paddington, Playtime, Rushmore",
    "animation": "Akira, Bambi, Coco, Fantasia, Moana, Paprika, Persepolis, Pinocchio, Ponyo, Shrek, Up, Yellow Submarine",
}
PEOPLE = (
    "Ada, Anton, Bela, Berta, Carl, Cleo, Dirk, Dora, Elsa, Emil, Fay, Fritz, Gil, Greta, Hanna, Hugo, Ines, Ivo, Jana, Jonas, "
    "Kai, Kira, Lea, Levin, Milo, Mona, Nils, Nora, Otto, Paula, Quinn, Rosa, Sven, Tara, Udo, Vera, Wanda, Xenia, Yves, Zoe"
)


def write_example(path: Path) -> None:
    """40 people, 48 films: everybody likes the films of one kind, has seen a few of the others, and likes one of those."""
    source = random.Random(0)
    kinds = {kind: titles.split(", ") for kind, titles in FILMS.items()}
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["person", "film", "kind", "rating"])  # columns that nobody asks for do not matter
        for number, person in enumerate(PEOPLE.split(", ")):
            own = list(kinds)[number % len(kinds)]
            others = [(kind, film) for kind in kinds if kind != own for film in kinds[kind]]
            rows.writerows((person, film, own, source.choice((4, 5))) for film in source.sample(kinds[own], 8))
            seen = source.sample(others, 6)
            rows.writerows((person, film, kind, 4 if film == seen[0][1] else source.choice((1, 2, 3))) for kind, film in seen)


def main(ratings: Path, person: str, k: int = 5, epochs: int = 30) -> list[Ranked]:
    """Train on what was rated 4 or better, and return the films for a person, best first."""
    result = run(
        task="recommend",
        dataset="custom",
        model={"name": "lightgcn", "hidden_channels": 16},
        data={"interactions": str(ratings), "user_column": "person", "item_column": "film", "min_rating": 4},
        train={"epochs": epochs, "batch_size": 64, "lr": 0.02},
    )
    # Films of the training part are left out; those held out for validation and test may well come back.
    return load(result.folder).top(person, k)


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("ratings.csv")
    if len(sys.argv) == 1:
        write_example(given)
    asked = sys.argv[2] if len(sys.argv) > 2 else "Ada"
    print(f"for {asked}:")
    for rank, (film, score) in enumerate(main(given, asked), start=1):
        print(f"{rank:>2}  {film:<20} {score:6.3f}")
