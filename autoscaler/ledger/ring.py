"""The last rows, in one array: a row more overwrites the oldest. Knows places, not what rows mean."""

from __future__ import annotations

import numpy as np

from autoscaler.ledger.row import RAW, ROW, Records


class Ring:
    """At most `rows_max` rows. `end` counts all rows ever appended; a row's place is its number in that count."""

    def __init__(self, rows_max: int) -> None:
        self._rows: Records = np.zeros(rows_max, ROW)  # memory is taken as it fills
        self._raw = self._rows.view(RAW)
        self.end = 0

    def __len__(self) -> int:
        return min(self.end, len(self._rows))

    def append(self, rows: Records) -> None:
        """Add rows, the newest last."""
        size = len(self._rows)
        self.end += len(rows)
        kept = rows[-size:]
        self._raw[np.arange(self.end - len(kept), self.end) % size] = kept.view(RAW)

    def replace(self, place: int, rows: Records) -> None:
        """Write the row at `place` anew, unless it is gone by now."""
        if place >= self.end - len(self):
            self._raw[place % len(self._raw)] = rows.view(RAW)[0]

    def last(self, rows: int) -> Records:
        """The newest rows, at most that many, the oldest of them first; a copy."""
        count = min(rows, len(self))
        return self._raw[np.arange(self.end - count, self.end) % len(self._raw)].view(ROW)

    def of(self, life: int) -> Records:
        """All rows of one life, the oldest first; a copy."""
        places = np.flatnonzero(self._rows["life"][: len(self)] == life)
        found = self._raw[places].view(ROW)
        return found[np.argsort(found["number"], kind="stable")]
