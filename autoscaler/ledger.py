"""What was decided and scaled lately, revision by revision, for people who ask why.

Bounded: the last changes of each revision, for the revisions that changed last. Knows no clock.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import Any, Final, NamedTuple

from autoscaler.revisions import Ticked
from swell.api.meta import Key

ENTRIES_MAX: Final = 16
REVISIONS_MAX: Final = 512


class Decided(NamedTuple):
    """One decision that changed something, and what it went by. `pods` is before bounds."""

    at_s: float
    pods: int
    excess_burst_capacity: int
    stable_value: float
    panic_value: float
    ready_pods: int
    in_panic: bool

    def to_obj(self) -> dict[str, Any]:
        return {"event": "decided", **self._asdict()}


class Scaled(NamedTuple):
    """One change of a Deployment's replicas."""

    at_s: float
    before: int
    after: int

    def to_obj(self) -> dict[str, Any]:
        return {"event": "scaled", **self._asdict()}


class Ledger:
    """The last entries of each revision, the newest last. Times are unix seconds."""

    def __init__(self, entries_max: int = ENTRIES_MAX, revisions_max: int = REVISIONS_MAX) -> None:
        self._entries_max = entries_max
        self._revisions_max = revisions_max
        self._entries: OrderedDict[Key, deque[Decided | Scaled]] = OrderedDict()

    def decided(self, ticked: Ticked, now_s: float) -> None:
        """Note the decisions of a tick that changed something."""
        tick = ticked.tick
        decision, seen = tick.decision, tick.seen
        for index in tick.notify.nonzero()[0]:
            self._note(
                ticked.keys[index],
                Decided(
                    at_s=now_s,
                    pods=int(decision.pods[index]),
                    excess_burst_capacity=int(decision.excess_burst[index]),
                    stable_value=float(seen.stable[index]),
                    panic_value=float(seen.panic[index]),
                    ready_pods=int(seen.ready_pods[index]),
                    in_panic=not math.isnan(decision.panic.since_s[index]),
                ),
            )

    def scaled(self, key: Key, before: int, after: int, now_s: float) -> None:
        """Note that a revision's replicas were changed."""
        self._note(key, Scaled(now_s, before, after))

    def of(self, key: Key) -> list[dict[str, Any]]:
        """What is noted of a revision, as JSON; nothing if nothing is."""
        return [entry.to_obj() for entry in self._entries.get(key, ())]

    def forget(self, key: Key) -> None:
        """Drop a revision's entries."""
        self._entries.pop(key, None)

    def _note(self, key: Key, entry: Decided | Scaled) -> None:
        entries = self._entries.get(key)
        if entries is None:
            entries = self._entries[key] = deque(maxlen=self._entries_max)
            if len(self._entries) > self._revisions_max:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        entries.append(entry)
