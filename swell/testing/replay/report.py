"""What a replay came to: how much was compared, and what differed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Scenario = dict[str, Any]

EPOCH_S: Final = 1_700_000_000.0
"""Where a recording's t = 0 is put: an even second, so that slots get realistic numbers."""
EXAMPLES_MAX: Final = 10


@dataclass(slots=True)
class Report:
    """Counts of one file. `steps` are ticks, operations and statistics replayed."""

    scenarios: int = 0
    steps: int = 0
    mismatches: int = 0
    examples: list[str] = field(default_factory=list)

    def compare(self, where: str, expected: object, found: object, *, relative: float = 0.0) -> None:
        """Note a mismatch unless both are equal, or numbers that differ by no more than `relative`."""
        if not _same(expected, found, relative):
            self.mismatches += 1
            if len(self.examples) < EXAMPLES_MAX:
                self.examples.append(f"{where}: expected {expected!r}, found {found!r}")

    def compare_all(self, where: str, expected: Mapping[str, object], found: Mapping[str, object]) -> None:
        """Compare by name everything that was expected."""
        for name, value in expected.items():
            self.compare(f"{where} {name}", value, found[name])


def _same(expected: object, found: object, relative: float) -> bool:
    if expected is None or found is None or isinstance(expected, bool | str) or isinstance(found, bool | str):
        return type(expected) is type(found) and expected == found
    assert isinstance(expected, int | float) and isinstance(found, int | float), (expected, found)
    return expected == found or math.isclose(expected, found, rel_tol=relative, abs_tol=0.0)
