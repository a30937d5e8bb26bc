"""What a request names: files, or rows in their place."""

from __future__ import annotations

from typing import Any

from graphkit.conf.predict import Prediction
from graphkit.paths import expanded


def table_of(request: Prediction, key: str) -> Any:
    """The table of a setting or question: a file, or the rows of a served request; None where none was given.

    Args:
        request: What is asked.
        key: Its question, or one of `graphkit.conf.predict.TABLES`.
    """
    if key in request.tables:
        return request.tables[key]
    value = request.asked if key == request.question else getattr(request, key)
    return None if value is None else expanded(value, key)
