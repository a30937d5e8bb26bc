"""A column of times: numbers, or dates."""

from __future__ import annotations

import numpy as np

from graphkit.data.own.table import Table
from graphkit.data.own.table.values import moment_of, number_of, numbers_of, seconds_in
from graphkit.errors import shown


def times_of(table: Table, column: int) -> np.ndarray:
    """The time of each row [R], float64: the number as it is, of a date the seconds since 1970.

    Args:
        table: The table.
        column: The column, from 0.

    Raises:
        DataError: If a cell is neither a number nor a date, or the column has both.
    """
    cells = table.columns[column]
    values = seconds_in(cells.values)
    table.refuse(
        column, np.isnan(values), lambda text: f"expected a number or a date as 2024-05-31T12:00:00, found '{shown(text)}'"
    )
    dates = np.isnan(numbers_of(cells.values))
    if dates.any() and not dates.all():
        fewer = dates if dates.mean() <= 0.5 else ~dates
        kinds = "two kinds of time in one column, numbers and dates: write all alike"
        table.refuse(
            column,
            fewer,
            lambda text: (
                f"'{shown(text)}' is {'a date' if moment_of(text) and number_of(text) is None else 'a number'}, {kinds}"
            ),
        )
    times: np.ndarray = values[cells.codes]
    return times
