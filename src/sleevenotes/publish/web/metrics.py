"""What the server counts, as Prometheus reads it: text exposition format 0.0.4.

Counters and histograms are changed on the event loop and in the model's thread; each under the lock that all share.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0)

Labels = tuple[str, ...]


class Histogram:
    """How often a value was at most so large.

    Parameters
    ----------
    edges
        Upper edges of the bins, rising; one for all that is larger is added.

    Examples
    --------
    >>> found = Histogram((1.0, 2.0))
    >>> for value in (0.5, 2.0, 9.0):
    ...     found.add(value)
    >>> found.lines("size")
    ['size_bucket{le="1"} 1', 'size_bucket{le="2"} 2', 'size_bucket{le="+Inf"} 3', 'size_sum 11.5', 'size_count 3']
    """

    def __init__(self, edges: tuple[float, ...]) -> None:
        self.edges, self.counts, self.sum = edges, [0] * (len(edges) + 1), 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.edges, value)] += 1
        self.sum += value

    def lines(self, name: str, labels: str = "") -> list[str]:
        """Return the lines that tell it; `labels` is what they have in common."""
        told, total = [], 0
        for edge, count in zip((*(f"{edge:g}" for edge in self.edges), "+Inf"), self.counts, strict=True):
            total += count
            told.append(f'{name}_bucket{{{labels}{"," if labels else ""}le="{edge}"}} {total}')
        within = f"{{{labels}}}" if labels else ""
        return [*told, f"{name}_sum{within} {self.sum:g}", f"{name}_count{within} {total}"]


class Metrics:
    """All that a server counts."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: Counter[Labels] = Counter()  # by route, method and status
        self._seconds: dict[str, Histogram] = {}  # by route
        self._batches = Histogram(BATCHES)
        self._covers: Counter[str] = Counter()  # by what came of them
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self._began = time.time()
        self.in_flight = 0

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._requests[route, method, str(status)] += 1
            self._seconds.setdefault(route, Histogram(SECONDS)).add(seconds)

    def batch(self, covers: int) -> None:
        """Count a batch that the model was asked about."""
        with self._lock:
            self._batches.add(covers)

    def covers(self, came_of: str, count: int = 1) -> None:
        """Count covers that were `answered` or `unreadable`."""
        with self._lock:
            self._covers[came_of] += count

    def watch(self, name: str, told: str, value: Callable[[], float]) -> None:
        """Have a value asked for whenever the metrics are: its name without prefix, and a sentence about it."""
        self._gauges[name] = (told, value)

    def text(self) -> str:
        """Return all of it as Prometheus reads it."""
        with self._lock:
            lines = [
                *_head("requests_total", "counter", "Requests that were answered."),
                *(
                    f'sleevenotes_requests_total{{route="{route}",method="{method}",status="{status}"}} {count}'
                    for (route, method, status), count in sorted(self._requests.items())
                ),
                *_head("request_seconds", "histogram", "How long an answer took, from the request's headers on."),
                *(
                    line
                    for route, found in sorted(self._seconds.items())
                    for line in found.lines("sleevenotes_request_seconds", f'route="{route}"')
                ),
                *_head("batch_covers", "histogram", "Covers that the model was asked about at once."),
                *self._batches.lines("sleevenotes_batch_covers"),
                *_counted("covers_total", "Covers by what came of them.", "outcome", self._covers),
            ]
        for name, (told, value) in self._gauges.items():
            lines += [*_head(name, "gauge", told), f"sleevenotes_{name} {value():g}"]
        lines += [*_head("requests_in_flight", "gauge", "Requests that are not answered yet.")]
        lines += [f"sleevenotes_requests_in_flight {self.in_flight}", *_of_process(self._began)]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, told: str) -> list[str]:
    return [f"# HELP sleevenotes_{name} {told}", f"# TYPE sleevenotes_{name} {kind}"]


def _counted(name: str, told: str, label: str, counts: Mapping[str, int]) -> list[str]:
    rows = (f'sleevenotes_{name}{{{label}="{key}"}} {count}' for key, count in sorted(counts.items()))
    return [*_head(name, "counter", told), *rows]


def _of_process(began: float) -> list[str]:
    lines = [
        "# HELP process_start_time_seconds When the server started, in seconds since 1970.",
        "# TYPE process_start_time_seconds gauge",
        f"process_start_time_seconds {began:.3f}",
    ]
    memory = resident_bytes()
    if memory is not None:
        lines += [
            "# HELP process_resident_memory_bytes Memory that the process has.",
            "# TYPE process_resident_memory_bytes gauge",
            f"process_resident_memory_bytes {memory}",
        ]
    return lines


def resident_bytes() -> int | None:
    """Return how much memory this process has, in bytes; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # no Linux
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
