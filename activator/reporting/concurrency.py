"""Time-weighted request counts of one source (spec dataplane 1.4). Pure: knows numbers and the time it is told."""

from __future__ import annotations

from typing import NamedTuple


class Figures(NamedTuple):
    """One window. Averages are requests in flight over the time covered; counts are requests that arrived."""

    average_concurrency: float
    average_proxied_concurrency: float
    request_count: int
    proxied_count: int


class RequestStats:
    """Counts what arrives and leaves, and integrates the concurrency over time.

    `now_s` is monotonic; time that runs backwards is ignored. A proxied request counts in both families.
    `concurrency` and `proxied` are the requests in flight now; they live on from window to window.
    """

    __slots__ = (
        "_area",
        "_began_s",
        "_count",
        "_latest_s",
        "_proxied_area",
        "_proxied_count",
        "concurrency",
        "proxied",
    )

    def __init__(self, now_s: float) -> None:
        self.concurrency = 0
        self.proxied = 0
        self._latest_s = now_s
        self._reset()

    def arrive(self, now_s: float, proxied: bool = False) -> None:
        """A request came in; `proxied` if an activator sent it, which has counted it already."""
        if now_s > self._latest_s:
            self._latest_s = now_s
        since_s = self._latest_s - self._began_s
        self.concurrency += 1
        self._count += 1
        self._area -= since_s
        if proxied:
            self.proxied += 1
            self._proxied_count += 1
            self._proxied_area -= since_s

    def leave(self, now_s: float, proxied: bool = False) -> None:
        """It has ended. `proxied` as it was when it arrived."""
        if now_s > self._latest_s:
            self._latest_s = now_s
        since_s = self._latest_s - self._began_s
        self.concurrency -= 1
        self._area += since_s
        if proxied:
            self.proxied -= 1
            self._proxied_area += since_s

    def report(self, now_s: float) -> Figures:
        """The figures of the window that ends now, and the beginning of the next. Averages are 0 over no time."""
        self._latest_s = max(now_s, self._latest_s)
        covered_s = self._latest_s - self._began_s
        # Sums of floats: not less than nothing, whatever was rounded.
        area = max(0.0, self._area + self.concurrency * covered_s)
        proxied_area = max(0.0, self._proxied_area + self.proxied * covered_s)
        figures = Figures(
            area / covered_s if covered_s > 0 else 0.0,
            proxied_area / covered_s if covered_s > 0 else 0.0,
            self._count,
            self._proxied_count,
        )
        self._reset()
        return figures

    def _reset(self) -> None:
        """A window begins. An area is the time that requests were in flight in it: so far, for those that have left.

        Those that are still here are to be counted as if they had been here from its beginning, so one that
        arrives takes off the time before. That makes a request two additions, whatever else is in flight.
        """
        self._began_s = self._latest_s
        self._count = self._proxied_count = 0
        self._area = self._proxied_area = 0.0
