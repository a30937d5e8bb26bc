"""The graphs that speed is measured on: real ones where they lie on this machine, else synthetic ones of the same size."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from benchmarks.speed.harness import Options
from graphkit.data import load
from graphkit.data.dataset import LinkData, Pairs
from graphkit.data.graph import Graph
from graphkit.data.splits.edges import both_directions
from graphkit.data.splits.negatives import pair_keys, sample_non_edges, unpack_keys
from graphkit.errors import DataError

GOWALLA = Path("LightGCN/gowalla/train.txt")
_GOWALLA_USERS, _GOWALLA_ITEMS, _GOWALLA_PAIRS = 29_858, 40_981, 810_128
_DDI_NODES, _DDI_EDGES, _DDI_HELD_OUT, _DDI_NEGATIVES = 4_267, 1_067_911, 133_489, (101_882, 95_599)


def gowalla(options: Options) -> tuple[str, Tensor, int]:
    """Users and items as one graph: its name, `edge_index` [2, 2P] with both directions, and the number of nodes."""
    if options.quick:
        return "tiny", _bipartite(300, 400, 3_000), 700
    num_nodes = _GOWALLA_USERS + _GOWALLA_ITEMS
    path = None if options.data is None else options.data / GOWALLA
    if path is not None and path.is_file():
        return "gowalla", both_directions(read_interactions(path, _GOWALLA_USERS, _GOWALLA_ITEMS), num_nodes), num_nodes
    options.note(f"no {GOWALLA} in the data folder: a synthetic graph of Gowalla's size is used")
    return "gowalla-sized", _bipartite(_GOWALLA_USERS, _GOWALLA_ITEMS, _GOWALLA_PAIRS), num_nodes


def ddi(options: Options) -> LinkData:
    """ogbl-ddi with its splits, or a synthetic data set of its sizes."""
    if options.quick:
        return _link_dataset("tiny", 300, 4_000, 500, (400, 400))
    if options.data is not None and (options.data / "ogbl_ddi").is_dir():
        return load("ogbl-ddi", task="link", root=options.data)
    options.note("no ogbl_ddi in the data folder: a synthetic graph of ogbl-ddi's size is used")
    return _link_dataset("ddi-sized", _DDI_NODES, _DDI_EDGES, _DDI_HELD_OUT, _DDI_NEGATIVES)


def read_interactions(path: Path, num_users: int, num_items: int) -> Tensor:
    """Pairs [2, P] of a file with a user and its items a line; items are numbered after the users.

    Raises:
        DataError: If a line holds anything but ids in range.
    """
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            user, *items = (int(word) for word in line.split())
        except ValueError as error:
            raise DataError(f"{path}, line {number}: a user id and item ids expected; download the file anew") from error
        if not 0 <= user < num_users or any(not 0 <= item < num_items for item in items):
            raise DataError(f"{path}, line {number}: an id is out of range; download the file anew")
        pairs.append(torch.tensor([[user] * len(items), [num_users + item for item in items]]))
    return torch.cat(pairs, dim=1)


def skewed_pairs(num_nodes: int, num_pairs: int, generator: torch.Generator) -> Tensor:
    """Distinct unordered pairs [2, P] of different nodes, drawn in proportion to skewed weights of their ends."""
    chance = _skewed(num_nodes, generator)
    keys = torch.empty(0, dtype=torch.int64)
    while keys.numel() < num_pairs:
        drawn = torch.multinomial(chance, 2 * num_pairs, replacement=True, generator=generator).view(2, -1)
        drawn = drawn[:, drawn[0] != drawn[1]]
        keys = torch.unique(torch.cat([keys, pair_keys(drawn, num_nodes)]))
    return unpack_keys(keys[torch.randperm(keys.numel(), generator=generator)[:num_pairs]], num_nodes)


def _skewed(num_nodes: int, generator: torch.Generator) -> Tensor:
    """Weights that fall with a power of the rank, in random order; flattened at the top, as hubs of finite graphs are."""
    ranks = torch.arange(num_nodes, dtype=torch.float64)
    return (ranks + 0.02 * num_nodes).pow(-0.8)[torch.randperm(num_nodes, generator=generator)]


def _bipartite(num_users: int, num_items: int, num_pairs: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    users, items = _skewed(num_users, generator), _skewed(num_items, generator)
    keys = torch.empty(0, dtype=torch.int64)
    while keys.numel() < num_pairs:
        user = torch.multinomial(users, num_pairs, replacement=True, generator=generator)
        item = torch.multinomial(items, num_pairs, replacement=True, generator=generator)
        keys = torch.unique(torch.cat([keys, user * num_items + item]))
    keys = keys[torch.randperm(keys.numel(), generator=generator)[:num_pairs]]
    pairs = torch.stack([keys // num_items, num_users + keys % num_items])
    return both_directions(pairs, num_users + num_items)


def _link_dataset(name: str, num_nodes: int, train: int, held_out: int, negatives: tuple[int, int]) -> LinkData:
    generator = torch.Generator().manual_seed(0)
    pairs = skewed_pairs(num_nodes, train + 2 * held_out, generator)
    keys = pair_keys(pairs, num_nodes).sort().values
    none = sample_non_edges(sum(negatives), num_nodes, keys, generator, distinct=True)
    parts = pairs.split([train, held_out, held_out], dim=1)
    splits = {"train": Pairs(parts[0])}
    for split, positive, negative in zip(("valid", "test"), parts[1:], none.split(negatives, dim=1), strict=True):
        splits[split] = Pairs(positive, negative)
    return LinkData(
        name=name,
        protocol="synthetic, random split",
        metric="hits@20",
        metrics=("hits@20", "hits@50", "hits@100"),
        graph=Graph(edge_index=both_directions(parts[0], num_nodes), num_nodes=num_nodes),
        splits=splits,
    )
