"""The live view of one Service: what is seen and how it is drawn. Pure; knows no cluster and no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

HISTORY: Final = 60
BARS: Final = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a Service. Numbers are over all its revisions; None means not known yet."""

    at_s: float
    revision: str
    wanted: int | None
    ready: int
    starting: int
    concurrency: float
    target: float | None
    requests_per_s: float
    panic: bool
    condition: str

    def line(self) -> str:
        """One line of plain text, for output that is not a terminal."""
        wanted = "-" if self.wanted is None else str(self.wanted)
        target = "-" if self.target is None else f"{self.target:g}"
        panic = "  PANIC" if self.panic else ""
        return (
            f"{self.at_s:6.1f}s  wanted {wanted:>2}  ready {self.ready:>2}  starting {self.starting:>2}  "
            f"concurrency {self.concurrency:6.1f} (target {target} each)  "
            f"{self.requests_per_s:7.1f} requests/s{panic}"
        )

    def replaces(self, other: Sample | None) -> bool:
        """True if this sample shows something that `other` did not, times and rates aside."""
        return other is None or (self.wanted, self.ready, self.starting, self.panic, self.condition) != (
            other.wanted,
            other.ready,
            other.starting,
            other.panic,
            other.condition,
        )


@dataclass(slots=True)
class View:
    """The last samples of a Service, and their picture."""

    title: str
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=HISTORY))

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)

    def render(self) -> RenderableType:
        """The picture of now: a table of numbers over bars of the last minute."""
        if not self.samples:
            return Panel(Text("waiting for the first numbers ..."), title=self.title)
        now = self.samples[-1]
        return Panel(Group(_numbers(now), self._history()), title=f"{self.title}  {now.condition}")

    def _history(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_row("replicas", Text(bars([s.ready for s in self.samples]), style="green"))
        table.add_row("concurrency", Text(bars([s.concurrency for s in self.samples]), style="cyan"))
        table.add_row("requests/s", Text(bars([s.requests_per_s for s in self.samples]), style="magenta"))
        return table


def _numbers(now: Sample) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in (
        "REVISION",
        "WANTED",
        "READY",
        "STARTING",
        "CONCURRENCY",
        "TARGET/POD",
        "REQUESTS/S",
        "PANIC",
    ):
        table.add_column(heading, justify="left" if heading == "REVISION" else "right")
    table.add_row(
        now.revision or "-",
        "-" if now.wanted is None else str(now.wanted),
        str(now.ready),
        str(now.starting),
        f"{now.concurrency:.1f}",
        "-" if now.target is None else f"{now.target:g}",
        f"{now.requests_per_s:.1f}",
        Text("yes", style="bold red") if now.panic else Text("no", style="dim"),
    )
    return table


def bars(values: list[float] | list[int]) -> str:
    """One character per value, scaled to the largest; zero is a space."""
    most = max(values, default=0)
    if most <= 0:
        return " " * len(values)
    steps = len(BARS) - 1
    return "".join(BARS[0 if v <= 0 else max(1, round(v / most * steps))] for v in values)
