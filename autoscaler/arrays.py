"""Arrays with one element per row, and which row belongs to whom. Knows numpy, not scaling."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import repeat
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=NDArray[Any])

NO_ROW: Final = -1
_ROWS_MIN = 16


def grown(array: T, rows: int, fill: float | None) -> T:
    """`array` with room for at least `rows` in its last axis; new elements hold `fill`.

    Room doubles, so that a row costs a constant amount of copying over its life; with room enough the
    array itself is returned.
    """
    have = array.shape[-1]
    if have >= rows:
        return array
    shape = (*array.shape[:-1], max(rows, 2 * have, _ROWS_MIN))
    # Zeros come from the system as they are: room that is not used yet costs no memory.
    wide: T = np.zeros(shape, array.dtype) if fill == 0 else np.full(shape, fill, array.dtype)  # type: ignore[assignment]
    wide[..., :have] = array
    return wide


def rounded_away(values: Floats) -> Floats:
    """To the nearest integer, halves away from zero: exact, unlike adding a half before cutting."""
    whole = np.trunc(values)
    rest = values - whole
    rounded: Floats = np.where(np.abs(rest) >= 0.5, whole + np.sign(rest), whole)
    return rounded


def occurrences(rows: Ints) -> Ints:
    """For each element, how often its value has come before it."""
    counts = np.zeros(len(rows), np.int64)
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=NO_ROW))
    lengths = np.diff(begins, append=len(rows))
    counts[order] = np.arange(len(rows)) - np.repeat(begins, lengths)
    return counts


class RowNumbers(Generic[K]):
    """Gives each key a row number; numbers that come free are given out again before new ones."""

    def __init__(self) -> None:
        self._rows: dict[K, int] = {}
        self._keys: NDArray[np.object_] = np.empty(0, np.object_)
        self._taken = 0
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: K) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def get(self, key: K) -> int | None:
        """The row of `key`, or None if it has none."""
        return self._rows.get(key)

    def rows(self, keys: Iterable[K], count: int) -> Ints:
        """The rows of `count` keys; `NO_ROW` for one that has none."""
        return np.fromiter(map(self._rows.get, keys, repeat(NO_ROW)), np.int64, count)

    def keys(self, rows: Ints) -> list[K]:
        """Whose rows these are; none of them may be free."""
        found: list[K] = self._keys[rows].tolist()
        return found

    def take(self, key: K) -> int:
        """The row of `key`, given out now if it had none."""
        row = self._rows.get(key)
        if row is not None:
            return row
        if self._free:
            row = self._free.pop()
        else:
            row, self._taken = self._taken, self._taken + 1
            self._keys = grown(self._keys, self._taken, None)
        self._keys[row] = key
        self._rows[key] = row
        return row

    def release(self, key: K) -> int | None:
        """Give up the row of `key`; returns it, or None if there was none."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._keys[row] = None
            self._free.append(row)
        return row
