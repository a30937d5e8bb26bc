"""What a server counts, in the text format of Prometheus."""

from __future__ import annotations

import threading
import time
from collections import Counter

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of response times, in seconds."""


class Counters:
    """Requests by path and status, response times of predictions, and requests in flight."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: Counter[tuple[str, int]] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds, self._count, self.in_flight = 0.0, 0, 0
        self._start = time.time()

    def answered(self, path: str, status: int) -> None:
        """Count a response.

        Args:
            path: The route, one of a fixed few.
            status: Its status.
        """
        with self._lock:
            self._statuses[path, status] += 1

    def took(self, seconds: float) -> None:
        """Count a prediction and how long it took."""
        with self._lock:
            self._seconds += seconds
            self._count += 1
            for bound in _BOUNDS:
                self._buckets[bound] += seconds <= bound

    def text(self, batches: int, joined: int, waiting: int) -> str:
        """The exposition.

        Args:
            batches: How many times the model was asked.
            joined: How many requests were answered so.
            waiting: Requests that wait.
        """
        with self._lock:
            lines = [
                "# HELP graphkit_requests_total Responses by path and status.",
                "# TYPE graphkit_requests_total counter",
                *(
                    f'graphkit_requests_total{{path="{path}",status="{status}"}} {count}'
                    for (path, status), count in sorted(self._statuses.items())
                ),
                "# HELP graphkit_prediction_seconds Response times of predictions.",
                "# TYPE graphkit_prediction_seconds histogram",
                *(f'graphkit_prediction_seconds_bucket{{le="{bound:g}"}} {self._buckets[bound]}' for bound in _BOUNDS),
                f'graphkit_prediction_seconds_bucket{{le="+Inf"}} {self._count}',
                f"graphkit_prediction_seconds_sum {self._seconds:.6f}",
                f"graphkit_prediction_seconds_count {self._count}",
            ]
        single = (
            ("graphkit_batches_total", "counter", "How many times the model was asked.", batches),
            ("graphkit_batched_requests_total", "counter", "Requests that were answered so.", joined),
            ("graphkit_requests_waiting", "gauge", "Requests that wait for the model.", waiting),
            ("graphkit_requests_in_flight", "gauge", "Predictions that are not answered yet.", self.in_flight),
            (
                "graphkit_start_time_seconds",
                "gauge",
                "When the server was started, in seconds since 1970.",
                f"{self._start:.3f}",
            ),
        )
        for name, kind, meaning, value in single:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}", f"{name} {value}"]
        return "\n".join(lines) + "\n"
