"""`swell why` as far as it is decisions: which time is meant, which revisions are told of, and how it is laid out."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from swell.cli.objects import BadUse
from swell.cli.why import moment, news, nothing_kept, render, shown

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 11, 28, 14, 5, 30, tzinfo=ZONE)
TEXT = {part: f"({part})" for part in ("sees", "wants", "decided", "not_more", "not_fewer", "to_zero")}


def document(at: datetime = NOW, *, row_at: datetime | None = None, **row: Any) -> dict[str, Any]:
    found = {"at_s": (row_at or at).timestamp(), "want": 1, "rule": "stable", "clamp": "none", **row}
    return {"revision": "default/a-1", "at_s": at.timestamp(), "row": found, "text": TEXT, "changes": []}


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("14:05", NOW.replace(second=0)),
        ("9:00:07", NOW.replace(hour=9, minute=0, second=7)),
        ("14:06", NOW.replace(day=27, minute=6, second=0)),
        ("-5m", NOW - timedelta(minutes=5)),
        ("-1h30m", NOW - timedelta(minutes=90)),
        ("2026-11-28T12:00:00Z", NOW.replace(hour=14, minute=0, second=0)),
        ("2026-11-28T12:00:00.5+02:00", NOW.replace(hour=12, minute=0, second=0, microsecond=500_000)),
    ],
)
def test_the_time_that_is_meant(text: str, means: datetime) -> None:
    assert moment(text, NOW) == means


@pytest.mark.parametrize("text", ["noon", "25:00", "5m", "-5", "", "2026-11-28", "-999999999h"])
def test_a_time_that_is_none_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(BadUse, match="write it as 14:05, 14:05:30, -5m or 2026-11-28T14:05:30Z"):
        moment(text, NOW)


def autoscaler(name: str, **status: int) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": status}


def test_revisions_with_requests_or_pods_are_told_of_the_most_asked_first() -> None:
    all_of_them = [
        autoscaler("a-1", desiredScale=0, actualScale=0),
        autoscaler("a-2", desiredScale=0, actualScale=1),
        autoscaler("a-3", desiredScale=0),
        autoscaler("a-4", desiredScale=2),
    ]
    traffic = [{"revisionName": "a-3", "percent": 90}, {"revisionName": "a-4", "percent": 10}]
    assert shown({"status": {"traffic": traffic}}, all_of_them) == ["a-3", "a-4", "a-2"]
    assert shown({}, all_of_them[:1]) == ["a-1"]
    assert shown({}, []) == []


def test_a_document_is_a_title_sentences_and_changes() -> None:
    found = document(row_at=NOW - timedelta(minutes=2))
    found["changes"] = [
        {"at_s": (NOW - timedelta(days=1)).timestamp(), "text": "0 -> 1 pod: a request came"},
        {"at_s": (NOW - timedelta(minutes=2)).timestamp(), "text": "1 -> 2 pods: panic window"},
    ]
    assert render(found, ZONE).splitlines() == [
        "default/a-1 at 14:05:30, as it is since 14:03:30",
        "  sees        (sees)",
        "  wants       (wants)",
        "  decided by  (decided)",
        "  not more    (not_more)",
        "  not fewer   (not_fewer)",
        "  to zero     (to_zero)",
        "  changes     2026-11-27 14:05:30  0 -> 1 pod: a request came",
        "              14:03:30  1 -> 2 pods: panic window",
    ]


def test_following_tells_new_changes_and_other_decisions_once() -> None:
    before, after = document(), document(want=2, rule="panic")
    after["changes"] = [{"at_s": NOW.timestamp(), "text": "1 -> 2 pods: panic window"}]
    assert news([before], [after], ZONE) == [
        "14:05:30  default/a-1  1 -> 2 pods: panic window",
        "14:05:30  default/a-1  wants (wants); (decided)",
    ]
    assert news([after], [after], ZONE) == []


def test_where_nothing_is_kept_the_range_that_is_kept_is_told() -> None:
    found = {"revision": "default/a-1", "at_s": NOW.timestamp(), "kept": None}
    assert nothing_kept(found, ZONE) == "nothing is kept of default/a-1"
    found["kept"] = {"from_s": (NOW + timedelta(minutes=1)).timestamp()}
    assert nothing_kept(found, ZONE) == "nothing is kept of default/a-1 at 14:05:30: what is kept begins at 14:06:30"
