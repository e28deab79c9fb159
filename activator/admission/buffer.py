"""The waiting room of cold starts: one line per revision, bounded in number and bytes.

Pure: knows items and their sizes, not requests, clocks or pods. The room never grows past its bounds;
who must go for that is told to the caller, who answers them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

W = TypeVar("W", bound=Hashable)

LINE_MAX: Final = 10_000
LINE_BYTES_MAX: Final = 128 * 1024 * 1024
ROOM_MAX: Final = 20_000
ROOM_BYTES_MAX: Final = 256 * 1024 * 1024


class Room(Generic[W]):
    """What all lines hold together.

    Fair between revisions: when the room is full, one of the longest line (or, when it is full by bytes, of the
    largest) goes. The longest of n lines has an n-th of the room at least, so whoever waits in a line of less stays,
    whatever comes for other revisions. In its line the newest goes, but first those of low priority.
    """

    def __init__(
        self,
        *,
        line_max: int = LINE_MAX,
        line_bytes_max: int = LINE_BYTES_MAX,
        room_max: int = ROOM_MAX,
        bytes_max: int = ROOM_BYTES_MAX,
    ) -> None:
        self.line_max = line_max
        self.line_bytes_max = line_bytes_max
        self.room_max = room_max
        self.bytes_max = bytes_max
        self.count = 0
        self.bytes = 0
        self._lines: dict[Line[W], None] = {}

    def line(self) -> Line[W]:
        """A new, empty line of this room."""
        return Line(self)

    def _overfull(self, joined: Line[W]) -> Line[W] | None:
        """The line that has to give somebody up; in a tie the one that was joined last."""
        if len(joined) > self.line_max or joined.bytes > self.line_bytes_max:
            return joined
        # A line with half of the room is the longest: a flood for one revision costs no look at all the others.
        if self.count > self.room_max:
            return joined if 2 * len(joined) > self.count else max((joined, *self._lines), key=len)
        if self.bytes > self.bytes_max:
            return joined if 2 * joined.bytes > self.bytes else max((joined, *self._lines), key=_bytes_of)
        return None

    def _make_room(self, joined: Line[W]) -> list[W]:
        turned_away: list[W] = []
        while (line := self._overfull(joined)) is not None:
            turned_away.append(line.pop_last())
        return turned_away


class Line(Generic[W]):
    """Those who wait for one revision, first come first served: `items`, with their sizes. False when empty."""

    __slots__ = ("_low", "_room", "bytes", "items")

    def __init__(self, room: Room[W]) -> None:
        self._room = room
        self.items: OrderedDict[W, int] = OrderedDict()
        self._low: dict[W, None] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, item: W) -> bool:
        return item in self.items

    def join(self, item: W, size: int, *, front: bool = False, low: bool = False) -> list[W]:
        """Wait here, holding `size` bytes; at the front if it has waited before.

        `low`: it has its turn like all others, but goes first if somebody has to leave the room.
        Returns who has to leave the room for it, perhaps `item` itself, perhaps one of another line.
        """
        self.items[item] = size
        if front:
            self.items.move_to_end(item, last=False)
        if low:
            self._low[item] = None
        self.bytes += size
        self._room.count += 1
        self._room.bytes += size
        self._room._lines[self] = None
        return self._room._make_room(self)

    def leave(self, item: W) -> bool:
        """The item waits no more; False if it did not wait here."""
        size = self.items.pop(item, None)
        if size is None:
            return False
        self._gone(item, size)
        return True

    def first(self) -> W | None:
        """Who has waited longest."""
        return next(iter(self.items), None)

    def pop(self) -> W:
        """Take out who has waited longest. The line must not be empty."""
        item, size = self.items.popitem(last=False)
        self._gone(item, size)
        return item

    def pop_last(self) -> W:
        """Take out who is needed least: the newest of low priority, or of all. The line must not be empty."""
        item = next(reversed(self._low or self.items))
        self._gone(item, self.items.pop(item))
        return item

    def _gone(self, item: W, size: int) -> None:
        self._low.pop(item, None)
        self.bytes -= size
        self._room.count -= 1
        self._room.bytes -= size
        if not self.items:
            self._room._lines.pop(self, None)


def _bytes_of(line: Line[W]) -> int:
    return line.bytes
