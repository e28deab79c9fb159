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
        "_changed_s",
        "_count",
        "_covered_s",
        "_integral",
        "_proxied_count",
        "_proxied_integral",
        "concurrency",
        "proxied",
    )

    def __init__(self, now_s: float) -> None:
        self.concurrency = 0
        self.proxied = 0
        self._changed_s = now_s
        self._reset()

    def arrive(self, now_s: float, *, proxied: bool = False) -> None:
        """A request came in; `proxied` if an activator sent it, which has counted it already."""
        self._integrate(now_s)
        self.concurrency += 1
        self._count += 1
        if proxied:
            self.proxied += 1
            self._proxied_count += 1

    def leave(self, now_s: float, *, proxied: bool = False) -> None:
        """It has ended. `proxied` as it was when it arrived."""
        self._integrate(now_s)
        self.concurrency -= 1
        if proxied:
            self.proxied -= 1

    def report(self, now_s: float) -> Figures:
        """The figures of the window that ends now, and the beginning of the next. Averages are 0 over no time."""
        self._integrate(now_s)
        covered_s = self._covered_s
        figures = Figures(
            self._integral / covered_s if covered_s > 0 else 0.0,
            self._proxied_integral / covered_s if covered_s > 0 else 0.0,
            self._count,
            self._proxied_count,
        )
        self._reset()
        return figures

    def _integrate(self, now_s: float) -> None:
        passed_s = now_s - self._changed_s
        if passed_s > 0:
            self._integral += self.concurrency * passed_s
            self._proxied_integral += self.proxied * passed_s
            self._covered_s += passed_s
            self._changed_s = now_s

    def _reset(self) -> None:
        self._count = self._proxied_count = 0
        self._integral = self._proxied_integral = self._covered_s = 0.0
