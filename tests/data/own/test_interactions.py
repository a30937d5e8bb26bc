import pytest
import torch

from graphkit.data import load
from graphkit.data.own.interactions import Columns, read_interactions
from graphkit.errors import DataError, RequestError
from tests.data.test_interactions import check_interactions

SHARES = (0.6, 0.2, 0.2)


def read_all(tmp_path, text, columns=None, seed=0, shares=SHARES):
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    return read_interactions(path, columns or Columns(), shares, torch.Generator().manual_seed(seed))


def read(tmp_path, text, columns=None, seed=0, shares=SHARES):
    return read_all(tmp_path, text, columns, seed, shares)[:2]


def named(read, split):
    """(user, item) by the user's own names."""
    return {(read.user_names[user], read.item_names[item]) for user, item in read.splits[split].T.tolist()}


def everything(read):
    return set.union(*(named(read, split) for split in read.splits))


def test_names_are_mapped_and_kept(tmp_path):
    found, notes = read(tmp_path, 'item,when,user\nb c,x,10\na,x,9\n"d,e",x,10\na,x,10\n')
    assert found.user_names == ("9", "10") and found.item_names == ("a", "b c", "d,e")
    assert everything(found) == {("10", "b c"), ("9", "a"), ("10", "d,e"), ("10", "a")}
    assert notes == ("Each user's items were split at random.",)
    assert (found.num_users, found.num_items) == (2, 3)


def test_ratings_and_repeats(tmp_path):
    text = "who,what,stars\nann,a,5\nann,b,3.5\nann,c,1\nbob,a,4\nbob,a,5\nbob,d,2\n"
    found, notes = read(tmp_path, text, Columns("who", "what", "stars", 3.5))
    assert everything(found) == {("ann", "a"), ("ann", "b"), ("bob", "a")}
    assert found.item_names == ("a", "b")  # c and d are rated too low by all
    assert notes[0] == "Left out: 2 interactions rated below 3.5, 1 repeated interactions."
    whole, _ = read(tmp_path, text, Columns("who", "what"))
    assert len(everything(whole)) == 5


STARS = "user,item,rating\nann,a,5\nann,b,3.5\nann,c,1\nbob,a,4\nbob,b,3\nbob,d,2\n"


def test_ratings_that_are_not_used_are_told(tmp_path):
    note = (
        "every interaction counts as a like, also the 2 of 6 rated below 3, the middle of the scale from 1 to 5; "
        "data.min_rating=3.5 leaves out those not rated above it"
    )
    assert read_all(tmp_path, STARS)[2] == (note,)
    assert read_all(tmp_path, STARS.replace("rating", "stars"), Columns(rating="stars"))[2] == (note,)
    path, thirds = tmp_path / "ratings.csv", (0.34, 0.33, 0.33)
    assert load("custom", task="recommend", interactions=path, rating_column="stars", split=thirds).notes == (note,)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (STARS, Columns(min_rating=2)),
        (STARS.replace("rating", "grade"), Columns()),
        ("user,item,rating\nann,a,1\nann,b,1\nbob,a,1\n", Columns()),
        ("user,item,rating\nann,a,1\nann,b,good\nbob,a,5\n", Columns()),
        ("user,item\nann,a\nbob,a\n", Columns()),
    ],
)
def test_nothing_is_told_of_ratings_that_are_used_or_are_none(tmp_path, text, columns):
    assert read_all(tmp_path, text, columns)[2] == ()


@pytest.mark.parametrize("dates", [False, True])
def test_the_latest_are_held_out(tmp_path, dates):
    """By hand: five items each; the last is test, the one before it validation; a repeat counts when it first was."""
    order = {"ann": "cadbe", "bob": "edcba"}
    rows = [(user, item, step) for user, items in order.items() for step, item in enumerate(items)]
    rows += [("ann", "c", 99)]
    rows = rows[::2] + rows[1::2]
    told = [f"{u},{i},{f'2024-01-{s + 1:02d}T10:00:00' if dates else s}" for u, i, s in rows if not (dates and s == 99)]
    for seed in range(3):
        found, notes = read(tmp_path, "\n".join(["user,item,t", *told]), Columns(time="t", time_split="user"), seed)
        assert named(found, "test") == {("ann", "e"), ("bob", "a")}
        assert named(found, "valid") == {("ann", "b"), ("bob", "b")}
        assert named(found, "train") == {("ann", i) for i in "cad"} | {("bob", i) for i in "edc"}
        assert "by time" in notes[-1]


def test_items_of_one_time_are_drawn(tmp_path):
    text = "user,item,t\n" + "".join(f"u,{item},7\n" for item in range(10))
    by_user = Columns(time="t", time_split="user")
    tests = {frozenset(named(read(tmp_path, text, by_user, seed)[0], "test")) for seed in range(8)}
    assert len(tests) > 3
    with pytest.raises(
        DataError, match=r"time_split=global: 3 parts need as many distinct times, got 1: take data.time_split=user"
    ):
        read(tmp_path, text, Columns(time="t"))


@pytest.mark.parametrize("dates", [False, True])
def test_one_date_for_all_is_the_default(tmp_path, dates):
    """By hand: ten moments of two users; a repeat counts when it first was, and what comes late is nobody's training."""
    rows = [(f"u{step % 2}", f"i{step}", step + 1) for step in range(10)] + [("u0", "i0", 31)]
    told = "".join(f"{user},{item},{f'2024-01-{day:02d}' if dates else day}\n" for user, item, day in rows)
    found, notes = read(tmp_path, "user,item,t\n" + told, Columns(time="t"), shares=(0.7, 0.1, 0.2))
    assert {item for _, item in named(found, "test")} == {"i8", "i9"} and named(found, "valid") == {("u1", "i7")}
    assert found.split == "time_split=global" and not found.earlier["valid"].any()
    first, second = ("2024-01-08", "2024-01-09") if dates else ("8", "9")
    assert f"validation begins with {first}, test with {second}, and training ends before" in notes[-1]


def test_times_that_nobody_asked_for_are_told(tmp_path):
    text = "user,item,rating,timestamp\n" + "".join(f"u{row % 3},i{row},4,{row}\n" for row in range(12))
    note = "the split is random, though column 'timestamp' seems to hold times; data.time_column=timestamp splits at one date"
    assert note in read_all(tmp_path, text)[2][-1]
    assert not any("seems to hold times" in told for told in read_all(tmp_path, text, Columns(time="timestamp"))[2])


def test_zones_count(tmp_path):
    text = "user,item,t\nu,a,2024-01-01T12:00:00+00:00\nu,b,2024-01-01T12:30:00+02:00\nu,c,2024-01-01T11:00:00\n"
    found, _ = read(tmp_path, text, Columns(time="t", time_split="user"), shares=(0.5, 0.1, 0.4))
    assert named(found, "test") == {("u", "a")}  # 12:00 UTC is after 10:30 and 11:00


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("a,b\n1,2\n", Columns(), "needs one column 'user', its header is a, b: name the right one by data.user_column="),
        ("user,user,item\n1,2,3\n", Columns(), "needs one column 'user'"),
        ("", Columns(), "needs one column 'user', it is empty"),
        ("user,item\n1,2\n", Columns(min_rating=3), "needs one column 'rating'.*data.rating_column="),
        ("user,item\n1,2\n", Columns(time="when"), "has no column 'when': its header is user, item: .*data.time_column="),
        ("user,item\n", Columns(), "holds no interaction$"),
        ("user,item,rating\n1,2,1\n", Columns(min_rating=3), "holds no interaction that is rated high enough"),
        ("user,item\n1,2\n3\n", Columns(), "line 3, column 2: expected 2 columns separated by commas, found 1"),
        ("user,item\n1,\n", Columns(), "line 2, column 2: expected an item id, found an empty field"),
        ("user,item,rating\n1,2,good\n", Columns(min_rating=3), "line 2, column 3: expected a rating, .* found 'good'"),
        ("user,item,rating\n1,2,nan\n", Columns(min_rating=3), "line 2, column 3: expected a rating, .* found 'nan'"),
        ("user,item\n1,2\nuser,item\n3,4\n", Columns(), "ratings.csv, line 3: the header comes again, .*: remove this line"),
        ("x,user,item\nA,1,2\n\ufeffx,user,item\nB,3,4\n", Columns(), "line 3, column 1: a byte order mark"),
        ("user,item\n1,a\0b\n", Columns(), r"line 2, column 2: .*, found U\+0000 in 'a\\x00b': remove it"),
        ("user,item\n1\x85,a\n", Columns(), r"line 2, column 1: .* U\+0085 in '1\\x85'"),
        ("user,\x1b[2J\n1,2\n", Columns(), r"its header is user, \\x1b\[2J: name"),
        ("user,item,t\n1,2,noon\n", Columns(time="t"), "line 2, column 3: expected a number or a date .* found 'noon'"),
    ],
)
def test_malformed_files(tmp_path, text, columns, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, columns)


def test_load(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("member,film,stars\n" + "".join(f"m{u},f{(u * k) % 23},{k % 5}\n" for u in range(1, 12) for k in range(20)))
    asked = {"user_column": "member", "item_column": "film", "rating_column": "stars", "min_rating": 1.0}
    dataset = load("custom", task="recommend", interactions=path, seed=1, **asked)
    check_interactions(dataset)
    assert dataset.user_names[0] == "m1" and set(dataset.item_names) <= {f"f{k}" for k in range(23)}
    assert "rated below 1" in dataset.protocol and "data.split: 70/10/20" in dataset.protocol
    again = load("custom", task="recommend", interactions=path, seed=2, **asked)
    assert not again.data.edge_index.equal(dataset.data.edge_index)


def test_requests_that_do_not_fit(tmp_path):
    with pytest.raises(RequestError, match="needs data.interactions=FILE"):
        load("custom", task="recommend")
    with pytest.raises(RequestError, match="go with dataset=custom"):
        load("lastfm", task="recommend", interactions="x.csv")
    with pytest.raises(RequestError, match="go with dataset=custom"):
        load("lastfm", task="recommend", min_rating=3)
    with pytest.raises(DataError, match="cannot be read"):
        load("custom", task="recommend", interactions=tmp_path / "none.csv")
