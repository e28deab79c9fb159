"""Replays recordings of the reference autoscaler against ours: `python -m swell.testing.golden FILE...`.

Each file is gzip-compressed JSON lines, one scenario a line. Prints what was replayed and what differed;
exits 1 if anything did.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from swell.testing.replay.decisions import replay_decisions
from swell.testing.replay.endtoend import replay_endtoend
from swell.testing.replay.report import Report, Scenario
from swell.testing.replay.windows import replay_windows

_REPLAYS: Final[dict[str, Callable[[Sequence[Scenario], Report], None]]] = {
    "decision": replay_decisions,
    "endtoend": replay_endtoend,
}


def read_scenarios(path: Path) -> list[Scenario]:
    """The scenarios of one file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def replay(scenarios: Iterable[Scenario]) -> Report:
    """Replay scenarios of any kinds."""
    report = Report()
    kinds: defaultdict[Callable[[Sequence[Scenario], Report], None], list[Scenario]] = defaultdict(list)
    for scenario in scenarios:
        kinds[_REPLAYS.get(scenario["kind"], replay_windows)].append(scenario)
    for replay_kind, chosen in kinds.items():
        replay_kind(chosen, report)
    return report


def main(arguments: Sequence[str]) -> int:
    """Replay the files named; the exit code."""
    if not arguments:
        print("usage: python -m swell.testing.golden FILE...", file=sys.stderr)
        return 2
    mismatches = 0
    for name in arguments:
        started_s = time.perf_counter()
        report = replay(read_scenarios(Path(name)))
        mismatches += report.mismatches
        took_s = time.perf_counter() - started_s
        counts = f"{report.scenarios} scenarios, {report.steps} ticks, {report.mismatches} mismatches"
        print(f"{name}: {counts} ({took_s:.1f} s)")
        for example in report.examples:
            print(f"  {example}")
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
