"""What was decided and scaled lately, within bounds."""

from __future__ import annotations

from autoscaler.ledger import Ledger
from swell.api.meta import Key


def test_the_last_entries_of_the_revisions_that_changed_last_are_kept() -> None:
    ledger = Ledger(entries_max=2, revisions_max=2)
    one, two, three = (Key("default", name) for name in ("one", "two", "three"))
    for number in range(5):
        ledger.scaled(one, number, number + 1, now_s=float(number))
    ledger.scaled(two, 0, 1, now_s=5.0)
    ledger.scaled(one, 5, 0, now_s=6.0)
    ledger.scaled(three, 0, 1, now_s=7.0)
    assert [entry["after"] for entry in ledger.of(one)] == [5, 0]
    assert ledger.of(two) == []
    assert ledger.of(three) == [{"event": "scaled", "at_s": 7.0, "before": 0, "after": 1}]
    ledger.forget(one)
    assert ledger.of(one) == []
