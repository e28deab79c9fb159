"""A spike, in virtual time, through the real windows, decisions and bounds: plot and table of docs/autoscaling.md.

`python -m swell.testing.spike` writes docs/spike.svg and prints the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from autoscaler.decision.bounds import Activity, ScaleState, scale_step
from autoscaler.parameters import parameters
from autoscaler.revisions import Revisions
from swell.api.autoscaling import PodAutoscaler
from swell.api.meta import Key, Obj
from swell.config.autoscaler import AutoscalerConfig
from swell.wire.stats import Stat

SVG: Final = Path("docs", "spike.svg")
KEY: Final = Key("default", "hello-00001")
START_S: Final = 1_700_000_000.0
TICK_S: Final = 2
START_UP_S: Final = 4
"""What a new pod takes until it is ready."""
END_S: Final = 320
SHOWN: Final = (58, 60, 62, 64, 66, 90, 120, 126, 144, 166, 180, 246, 300, 302)
"""The ticks in the table."""
_POD_AUTOSCALER: Final[Obj] = {
    "metadata": {
        "name": KEY.name,
        "namespace": KEY.namespace,
        "annotations": {"autoscaling.knative.dev/target": "10"},
    },
    "spec": {
        "protocolType": "http1",
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "hello-00001-deployment"},
    },
}


class Point(NamedTuple):
    """One tick: `load` is what is asked, `wanted` what the tick came to, `ready` the pods that it was made with."""

    t: int
    load: float
    stable: float
    panic: float
    in_panic: bool
    wanted: int
    ready: int


def load_at(t: int) -> float:
    """Requests in flight: a little, a spike from 60 to 120 s, a little, and from 240 s none."""
    return 80.0 if 60 <= t < 120 else 7.0 if t < 240 else 0.0


def simulate() -> list[Point]:
    """Every tick of the story, with the stock settings and a target of 10."""
    found = parameters(PodAutoscaler.parse(_POD_AUTOSCALER), AutoscalerConfig(scale_to_zero_grace_period_s=1.0), 600.0)
    revisions, points = Revisions(), list[Point]()
    replicas, starting, inactive_since = 1, list[int](), math.nan
    revisions.collect(KEY, found.collection, START_S)
    revisions.open(KEY, found.target, now_s=START_S, ready_pods=1)
    for t in range(END_S + 1):
        now_s, load = START_S + t, load_at(t)
        if load:
            revisions.receive([(KEY, Stat(average_concurrent_requests=load))], now_s)
        ready = replicas - sum(began + START_UP_S > t for began in starting)
        revisions.pods_ready(KEY, ready)
        if t % TICK_S:
            continue
        tick = revisions.tick(now_s).tick
        if not len(tick.rows):
            break  # at zero, and nothing can change that but a request
        desired = int(tick.decision.pods[0])
        inactive_since = math.nan if desired else t if math.isnan(inactive_since) else inactive_since
        state = ScaleState(
            desired=desired,
            activity=Activity.ACTIVE if desired else Activity.INACTIVE,
            activity_s=t - inactive_since if not desired else t,
            initialized=True,
            proxying_s=math.inf,
            buffer_answers=True,
        )
        step = scale_step(state, found.rules)
        if step.apply:
            starting = [*starting, *[t] * max(0, step.want - replicas)]
            replicas = step.want
        values = float(tick.seen.stable[0]), float(tick.seen.panic[0])
        points.append(Point(t, load, *values, bool(tick.decision.panic.on[0]), step.want, ready))
    return points


def table(points: Iterable[Point]) -> str:
    """Some of the ticks, as Markdown."""
    lines = [
        "| second | requests in flight | stable | panic | mode | pods ready | pods wanted |",
        "|---|---|---|---|---|---|---|",
    ]
    for p in points:
        if p.t in SHOWN:
            mode = "panic" if p.in_panic else "calm"
            lines.append(f"| {p.t} | {p.load:g} | {p.stable:.2f} | {p.panic:.2f} | {mode} | {p.ready} | {p.wanted} |")
    return "\n".join(lines) + "\n"


WIDTH, HEIGHT, LEFT, RIGHT = 860, 520, 50, 14
_TOP, _BOTTOM = (34, 250), (290, 480)  # the two panels, in pixels from above
_STYLE = (
    "text{font:12px sans-serif;fill:#444}.axis{stroke:#999}.grid{stroke:#e5e5e5}.panic{fill:#fbe3dd}"
    "polyline{fill:none;stroke-width:2}"
)


def svg(points: Sequence[Point]) -> str:
    """Above what was seen, below what came of it; the time of panic is shaded."""

    def x(t: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * t / END_S

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f'<style>{_STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    panic = [p.t for p in points if p.in_panic]
    for above, below in (_TOP, _BOTTOM):
        size = f'width="{x(panic[-1]) - x(panic[0]):.1f}" height="{below - above}"'
        parts.append(f'<rect class="panic" x="{x(panic[0]):.1f}" y="{above}" {size}/>')
    for panel, most, step in ((_TOP, 90, 20), (_BOTTOM, 14, 4)):
        for value in range(0, most, step):
            y = _y(panel, most)(value)
            parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    for t in range(0, END_S + 1, 60):
        parts.append(f'<text x="{x(t):.1f}" y="{HEIGHT - 20}" text-anchor="middle">{t} s</text>')
    seen, pods = _y(_TOP, 90), _y(_BOTTOM, 14)
    lines = [
        ("requests in flight", "#999", [(x(p.t), seen(p.load)) for p in points]),
        ("panic value (6 s)", "#d1495b", [(x(p.t), seen(p.panic)) for p in points]),
        ("stable value (60 s)", "#00798c", [(x(p.t), seen(p.stable)) for p in points]),
        ("pods wanted", "#edae49", _steps([(x(p.t), pods(p.wanted)) for p in points])),
        ("pods ready", "#30638e", _steps([(x(p.t), pods(p.ready)) for p in points])),
    ]
    for number, (name, color, line) in enumerate(lines):
        parts.append(f'<polyline stroke="{color}" points="{" ".join(f"{px:.1f},{py:.1f}" for px, py in line)}"/>')
        row, column = (_TOP[0] - 12, number) if number < 3 else (_BOTTOM[0] - 12, number - 3)
        parts.append(f'<text x="{LEFT + 170 * column}" y="{row}" style="fill:{color}">&#9632; {name}</text>')
    parts.append(f'<text x="{x(panic[0]) + 6:.1f}" y="{_TOP[0] + 14}">panic</text></svg>')
    return "\n".join(parts) + "\n"


def _y(panel: tuple[int, int], most: float) -> Callable[[float], float]:
    above, below = panel
    return lambda value: below - (below - above) * value / most


def _steps(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A count stays what it is until the next tick."""
    corners = [(after[0], before[1]) for before, after in pairwise(line)]
    return [line[0], *(point for pair in zip(corners, line[1:], strict=True) for point in pair)]


def main() -> None:
    """Write the plot, print the table."""
    points = simulate()
    SVG.write_text(svg(points), encoding="utf-8")
    print(table(points), end="")


if __name__ == "__main__":
    main()
