"""Counts of separated pairs that were known before: of BREC by exact color refinement, by category.

They were computed on BREC's graphs by other code, before graphkit had any.
"""

from __future__ import annotations

CATEGORIES = ("basic", "regular", "strongly_regular", "four_vertex_condition", "distance_regular", "extension", "cfi")

BREC: dict[str, tuple[int, ...]] = {
    "1-wl": (0, 0, 0, 0, 0, 0, 0),
    "swl-vs": (60, 50, 0, 0, 0, 100, 41),
    "pswl-vs": (60, 50, 0, 0, 0, 100, 49),
    "swl-sv": (60, 50, 0, 0, 0, 100, 50),
    "pswl-sv": (60, 50, 0, 0, 0, 100, 50),
    "gswl": (60, 50, 0, 0, 0, 100, 50),
    "lfwl": (60, 50, 0, 0, 0, 100, 49),
    "sswl": (60, 50, 0, 0, 0, 100, 57),
    "slfwl": (60, 50, 0, 0, 0, 100, 57),
    "fwl": (60, 50, 0, 0, 0, 100, 60),
    "edge-deleted": (60, 50, 50, 20, 0, 100, 41),
    "node-deleted": (60, 50, 0, 0, 0, 100, 41),
    "ego1": (59, 48, 0, 0, 0, 59, 0),
    "ego+2": (60, 50, 0, 0, 0, 100, 0),
}
"""By class, in the order of `CATEGORIES`."""
