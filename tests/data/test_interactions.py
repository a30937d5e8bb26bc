import pytest
import torch

from graphkit.data import load
from graphkit.data.catalog import DATASETS
from graphkit.data.generated.interactions import COMMUNITIES, ITEMS_EACH, LIKE_PROBABILITY, planted_interactions
from graphkit.data.interactions import unseen
from graphkit.data.readers.interactions import read_published
from graphkit.data.splits.interactions import hold_out
from graphkit.errors import DataError, RequestError

LISTS = {
    "train.txt": "0 3 1 0\n1 2\n2 4 0 1 2 3\n",
    "test.txt": "0 4\n1 0\n2\n",
    "user_list.txt": "org_id remap_id\nann 0\nbob 1\ncid 2\n",
    "item_list.txt": "org_id remap_id\na 0\nb 1\nc 2\nd 3\ne 4\n",
}
WEIGHTED = {"data1.txt": "1\t2\t9\n1\t1\t3.6e+05\n3\t2\t1\n", "test1.txt": "1\t3\t5\n2\t1\t5\n"}


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def pairs(tensor):
    return [tuple(pair) for pair in tensor.T.tolist()]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def check_interactions(dataset):
    """Splits are disjoint, in range and sorted; the graph is that of training alone, users before items."""
    users, items = dataset.data.num_users, dataset.data.num_items
    assert dataset.data.num_nodes == users + items
    parts = {name: pairs(part) for name, part in dataset.splits.items()}
    assert list(parts) == ["train", "valid", "test"]
    together = [pair for part in parts.values() for pair in part]
    assert len(set(together)) == len(together)
    assert all(part == sorted(part) for part in parts.values())
    assert all(0 <= user < users and 0 <= item < items for user, item in together)
    both = {(u, users + i) for u, i in parts["train"]} | {(users + i, u) for u, i in parts["train"]}
    assert pairs(dataset.data.edge_index) == sorted(both)


def test_a_line_a_user(tmp_path):
    read = read_published(write(tmp_path, LISTS), seeded())
    train = sorted(pairs(read.splits["train"]) + pairs(read.splits["valid"]))
    assert train == [(0, 0), (0, 1), (0, 3), (1, 2), (2, 0), (2, 1), (2, 2), (2, 3), (2, 4)]
    assert pairs(read.splits["test"]) == [(0, 4), (1, 0)]
    assert [user for user, _ in pairs(read.splits["valid"])] == [2]  # a tenth of 5, rounded: one; of 1 and 3: none
    assert (read.num_users, read.num_items) == (3, 5)
    assert (read.user_names, read.item_names) == (("ann", "bob", "cid"), ("a", "b", "c", "d", "e"))


def test_a_line_an_interaction(tmp_path):
    read = read_published(write(tmp_path, WEIGHTED), seeded())
    assert pairs(read.splits["train"]) == [(0, 0), (0, 1), (2, 1)] and pairs(read.splits["test"]) == [(0, 2), (1, 0)]
    assert (read.num_users, read.num_items) == (3, 3)
    assert read.user_names == read.item_names == ("1", "2", "3")
    assert unseen(read) == ["Without any training interaction: 1 of 3 users and 1 of 3 items."]


@pytest.mark.parametrize(
    ("files", "name", "text", "message"),
    [
        (LISTS, "train.txt", "0 3 1\n1 x\n", r"train.txt, line 2, column 2: expected an id, an integer from 0 on, found 'x'"),
        (LISTS, "train.txt", "0 3 1\n1 -2\n", r"line 2, column 2: .* found '-2'"),
        (LISTS, "train.txt", "0 3 1\n\n1 2\n", r"line 2, column 1: expected ids, found an empty line"),
        (LISTS, "train.txt", "0\n1\n", r"train.txt holds no interaction"),
        (LISTS, "test.txt", "0 3\n", r"test.txt shares 1 interactions with train.txt"),
        (LISTS, "user_list.txt", "org_id remap_id\nann 0\n", r"user_list.txt must hold a header and then 3 rows"),
        (LISTS, "item_list.txt", "h h\na 0\nb 1\nc 2\nd 4\ne 3\n", r"item_list.txt must hold .* its index from 0 on"),
        (WEIGHTED, "data1.txt", "1\t2\t9\n0\t1\t3\n", r"data1.txt, line 2, column 1: .* an integer from 1 on, found '0'"),
        (WEIGHTED, "data1.txt", "1\t2\n", r"line 1, column 3: expected user, item and weight, found 2 fields"),
    ],
)
def test_malformed_files(tmp_path, files, name, text, message):
    write(tmp_path, {**files, name: text})
    with pytest.raises(DataError, match=message):
        read_published(tmp_path, seeded())


def test_a_missing_file(tmp_path):
    write(tmp_path, LISTS)
    (tmp_path / "item_list.txt").unlink()
    with pytest.raises(DataError, match="item_list.txt cannot be read"):
        read_published(tmp_path, seeded())


def test_hold_out_takes_its_share_of_every_user():
    counts = [1, 2, 4, 5, 10, 14, 15, 100]
    everything = torch.cat([torch.stack([torch.full((n,), u), torch.arange(n) * 3]) for u, n in enumerate(counts)], dim=1)
    everything = everything[:, torch.randperm(everything.size(1), generator=seeded(9))]
    train, valid, test = hold_out(everything, (0.7, 0.1, 0.2), seeded())
    assert sorted(pairs(train) + pairs(valid) + pairs(test)) == sorted(pairs(everything))
    assert torch.bincount(valid[0], minlength=8).tolist() == [0, 0, 0, 1, 1, 1, 2, 10]
    assert torch.bincount(test[0], minlength=8).tolist() == [0, 0, 1, 1, 2, 3, 3, 20]


def test_hold_out_is_uniform_and_drawn_from_the_generator():
    everything = torch.stack([torch.zeros(10, dtype=torch.long), torch.arange(10)])
    source = seeded(1)
    counts = torch.bincount(torch.cat([hold_out(everything, (0.8, 0.2), source)[1][1] for _ in range(2000)]), minlength=10)
    assert int((counts - 400).abs().max()) < 4 * 18  # 400 expected, standard deviation 18
    assert hold_out(everything, (0.8, 0.2), seeded(2))[1].equal(hold_out(everything, (0.8, 0.2), seeded(2))[1])


def test_planted_interactions_follow_the_communities():
    read = planted_interactions((0.7, 0.1, 0.2), seeded(3))
    everything = torch.cat(list(read.splits.values()), dim=1)
    inside = everything[0] % COMMUNITIES == everything[1] % COMMUNITIES
    assert int((~inside).sum()) == round(0.05 * int(inside.sum()))
    expected = 500 * ITEMS_EACH * LIKE_PROBABILITY
    assert abs(int(inside.sum()) - expected) < 5 * (expected / 2) ** 0.5


def test_planted_interactions_load():
    dataset = load("planted-interactions", task="recommend", seed=1)
    check_interactions(dataset)
    sizes = {name: part.size(1) for name, part in dataset.splits.items()}
    total = sum(sizes.values())
    assert abs(sizes["valid"] / total - 0.1) < 0.02 and abs(sizes["test"] / total - 0.2) < 0.02
    again = load("planted-interactions", task="recommend", seed=1)
    assert all(part.equal(again.splits[name]) for name, part in dataset.splits.items())
    assert not load("planted-interactions", task="recommend", seed=2).data.edge_index.equal(dataset.data.edge_index)
    other = load("planted-interactions", task="recommend", seed=1, split=(0.5, 0.25, 0.25))
    assert other.splits["test"].size(1) > sizes["test"] and "50/25/25" in other.protocol
    assert dataset.metric == "recall@20" and "ndcg@20" in dataset.metrics


def test_interactions_serve_no_other_task():
    for name in ("planted-interactions", "gowalla"):
        with pytest.raises(RequestError, match="has no task 'link'"):
            load(name, task="link")
    with pytest.raises(RequestError, match="has its own split"):
        load("gowalla", task="recommend", split=(0.5, 0.25, 0.25))


def test_every_published_set_has_the_files_that_its_reader_needs():
    published = [entry for entry in DATASETS.values() if "recommend" in entry.tasks and entry.files]
    assert {entry.name for entry in published} == {"gowalla", "lastfm", "yelp2018", "amazon-book"}
    for entry in published:
        assert {file.path.rpartition("/")[2] for file in entry.files} in (set(LISTS), set(WEIGHTED))


@pytest.mark.data("LightGCN")
def test_lastfm(data_root):
    dataset = load("lastfm", task="recommend", root=data_root, seed=4)
    check_interactions(dataset)
    assert (dataset.data.num_users, dataset.data.num_items) == (1892, 4489)
    assert dataset.splits["train"].size(1) + dataset.splits["valid"].size(1) == 42135
    assert dataset.splits["test"].size(1) == 10533
    assert dataset.user_names[0] == "1" and dataset.item_names[-1] == "4489"
    assert "Without any training interaction: 14 of 1,892 users and " in dataset.protocol
    other = load("lastfm", task="recommend", root=data_root, seed=5)
    assert other.splits["test"].equal(dataset.splits["test"]) and not other.splits["valid"].equal(dataset.splits["valid"])


@pytest.mark.slow
@pytest.mark.data("LightGCN")
def test_gowalla(data_root):
    dataset = load("gowalla", task="recommend", root=data_root)
    assert (dataset.data.num_users, dataset.data.num_items) == (29858, 40981)
    train, valid, test = dataset.splits.values()
    assert train.size(1) + valid.size(1) == 810128 and test.size(1) == 217242
    assert dataset.data.edge_index.size(1) == 2 * train.size(1)
    assert dataset.user_names[:2] == ("343", "5258") and dataset.item_names[:2] == ("8975", "9190")
    assert abs(valid.size(1) / 810128 - 0.1) < 0.01
