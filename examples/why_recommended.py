"""Why was this film recommended? The films that a user has seen, each with what it adds to the score.

    python examples/why_recommended.py

It makes ratings of forty people, of whom half love space films, fits EASE and explains the first film on Ada's list.
"""

from __future__ import annotations

import csv
from pathlib import Path

from graphkit.explain import explain
from graphkit.explain.explanation import Explanation
from graphkit.predict import load
from graphkit.run import run

FILMS = {
    "space": ("Alien", "Contact", "Dune", "Gravity", "Moon", "Solaris"),
    "music": ("Amadeus", "Fame", "Once", "Ray", "Tar"),
}


def write_example(path: Path) -> None:
    """Forty people: every second one has seen all films of space but one, the others those of music, each with a stray."""
    rows = []
    for person in range(40):
        kind, other = ("space", "music") if person % 2 == 0 else ("music", "space")
        name = "Ada" if person == 0 else f"person {person}"
        seen = [film for place, film in enumerate(FILMS[kind]) if place != person // 2 % len(FILMS[kind])]
        rows += [(name, film) for film in [*seen, FILMS[other][person % len(FILMS[other])]]]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("person", "film"), *rows])


def main(ratings: Path, user: str = "Ada", page: Path = Path("why-recommended.html")) -> Explanation:
    """Fit EASE, and explain the first film that it recommends to somebody.

    Args:
        ratings: CSV with a header: person, film.
        user: Whose list is explained.
        page: Where the page goes.

    Returns:
        The explanation, as plain values.
    """
    data = {"interactions": str(ratings), "user_column": "person", "item_column": "film"}
    model = {"name": "ease", "regularization": 5.0}
    folder = run("recommend", "custom", model, data=data, device="cpu").folder
    film = load(folder, device="cpu").top(user, k=1)[0].item
    explanation = explain(folder, user=user, item=film, device="cpu")
    page.write_text(explanation.to_html(), encoding="utf-8")
    return explanation


if __name__ == "__main__":
    write_example(Path("ratings.csv"))
    explained = main(Path("ratings.csv"))
    print(explained.sentence)
    for term in explained.predicted.terms:
        print(f"{term.contribution:+.3f}  {term.name}")
