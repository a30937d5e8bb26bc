"""BREC: pairs of graphs that color refinement cannot tell apart, for `graphkit.expressiveness`. No task trains on it."""

from __future__ import annotations

from graphkit.data.catalog.entries import DataFile, DatasetEntry

_COMMIT = "966b5ed5c27bf6372ea081f90ef8c8b2a3342ebc"
_FOLDER = f"https://raw.githubusercontent.com/GraphPKU/BREC/{_COMMIT}/customize/Data/raw"
_CATEGORIES = {
    "basic": ("basic", "1e619b36ea377283948af37fd4929e68d5efc548"),
    "regular": ("regular", "4e30451c3d84fb89d1ef96e566aa3d394af4783f"),
    "strongly_regular": ("str", "1667c6bc48dc59b87e47f3001e721466fc39ddcc"),
    "extension": ("extension", "cd39d87c7270ec344c33734123720c1e1a4d2201"),
    "cfi": ("cfi", "96443c00a96523a65a8b7ec366b93318f664e7a3"),
    "four_vertex_condition": ("4vtx", "9897cf415a8ef9166e56bdca4628c50b071c5624"),
    "distance_regular": ("dr", "1fa3c1a392809829b3d5ce4c17a0326dbc6837ed"),
}

TABLE = DataFile("BREC/pairs.tsv", "e4896619440a3af99abab8fb6ac1c69ce0b0839ef53c12ba2921bb75d7ac3b2b", "")
"""All pairs in one file, where the data root has it: pair, category, first and second graph, as graph6."""

ARRAYS: dict[str, DataFile] = {
    category: DataFile(f"BREC/raw/{name}.npy", checksum, f"{_FOLDER}/{name}.npy")
    for category, (name, checksum) in _CATEGORIES.items()
}
"""The publisher's arrays by category: two graphs in graph6 per pair."""

BREC = DatasetEntry(
    name="brec",
    summary="400 pairs of graphs that 1-WL cannot tell apart, of 8 to 198 nodes",
    protocols={},
    source="Wang and Zhang, 'An Empirical Study of Realized GNN Expressiveness', ICML 2024",
    url="https://github.com/GraphPKU/BREC",
    license="MIT",
    files=tuple(ARRAYS.values()),
    reader="graphkit.data.readers.brec:read_brec",
)
