"""Configuration -> Revision: names, which one is the latest, and what becomes of one that fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from controller.configuration import Seen, plan
from swell.api import labels
from swell.api.conditions import READY
from swell.api.kinds import CONFIGURATION
from swell.api.meta import Obj, rfc3339
from swell.api.serving import Revision
from swell.api.statuses import ConfigurationStatus
from swell.testing.serving import NOW_S, condition, configuration, owned_by, revision, status, template

TRUE, UNKNOWN = condition("Ready", "True"), condition("Ready", "Unknown", "Deploying")
FAILED = condition("Ready", "False", "ExitCode3", "Container failed with: boom")


def numbered(number: int, ready: Obj) -> Revision:
    return revision(f"svc-{number:05d}", number=number, status=status(1, [ready]))


def latest(created: int, ready: int, *conditions: Obj, generation: int = 0) -> Obj:
    names = {"latestCreatedRevisionName": f"svc-{created:05d}"}
    if ready:
        names["latestReadyRevisionName"] = f"svc-{ready:05d}"
    return status(generation or created, conditions, **names)


def told(found: ConfigurationStatus) -> tuple[str, ...]:
    ready = found.condition(READY)
    assert ready is not None
    return tuple(filter(None, (ready.status, ready.reason, ready.message)))


def test_case_19_the_first_revision_is_made_in_the_name_of_the_service() -> None:
    seen = Seen(
        configuration(
            revision_template={**template(), "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}},
            labels={labels.SERVICE: "svc", labels.SERVICE_UID: "uid-s", "team": "x"},
            annotations={labels.ROUTES: "svc", labels.LAST_MODIFIER: "alice"},
        )
    )
    child = plan(seen, NOW_S).ensure[0]
    assert child.news == 'Created Revision "svc-00001"'
    assert child.wanted["metadata"] == {
        "name": "svc-00001",
        "namespace": "ns",
        "labels": {
            "a": "b",
            labels.CONFIGURATION: "svc",
            labels.CONFIGURATION_GENERATION: "1",
            labels.CONFIGURATION_UID: "uid-svc",
            labels.SERVICE: "svc",
            labels.SERVICE_UID: "uid-s",
            labels.ROUTING_STATE: "active",
        },
        "annotations": {
            "c": "d",
            labels.CREATOR: "alice",
            labels.ROUTES: "svc",
            labels.ROUTING_STATE_MODIFIED: rfc3339(NOW_S),
        },
        "ownerReferences": [owned_by(CONFIGURATION, "svc")],
    }
    assert child.wanted["spec"] == template()["spec"]


def test_a_configuration_without_a_route_makes_a_pending_revision() -> None:
    own = plan(Seen(configuration(owner=None)), NOW_S).ensure[0].wanted["metadata"]["labels"]
    assert own[labels.ROUTING_STATE] == "pending"
    assert labels.SERVICE not in own


def test_case_20a_a_long_name_is_shortened_by_its_hash() -> None:
    wanted = plan(Seen(configuration("a" * 60)), NOW_S).ensure[0].wanted
    assert wanted["metadata"]["name"] == "a" * 25 + "cc7ed669cf88f201c3297c6a91e1d18d-00001"


@dataclass(frozen=True)
class Case:
    name: str
    seen: Seen
    created: str
    ready: str
    told: tuple[str, ...]
    news: tuple[str, ...] = ()


def of(generation: int, status: Obj | None, *revisions: Revision, **rest: Any) -> Seen:
    found = configuration(generation=generation, status=status)
    return Seen(found, revisions, **rest)


CASES = [
    Case("a revision is asked for: wait", of(1, None), "svc-00001", "", ("Unknown",)),
    Case(
        "the first revision becomes ready",
        of(1, latest(1, 0, UNKNOWN), numbered(1, TRUE)),
        "svc-00001",
        "svc-00001",
        ("True",),
        ("ConfigurationReady", "LatestReadyUpdate"),
    ),
    Case(
        "the first revision's image cannot be had: say so",
        of(1, latest(1, 0), numbered(1, condition("Ready", "Unknown", "ErrImagePull", "no such image"))),
        "svc-00001",
        "",
        ("Unknown", "ErrImagePull", "no such image"),
    ),
    Case(
        "case 27a: 2 is ready, 3 failed",
        of(3, latest(3, 1), numbered(1, TRUE), numbered(2, TRUE), numbered(3, FAILED)),
        "svc-00003",
        "svc-00002",
        ("False", "RevisionFailed", 'Revision "svc-00003" failed with message: Container failed with: boom.'),
        ("LatestCreatedFailed", "LatestReadyUpdate"),
    ),
    Case(
        "case 27b: 2 is ready, 3 pending",
        of(3, latest(3, 1), numbered(1, TRUE), numbered(2, TRUE), numbered(3, UNKNOWN)),
        "svc-00003",
        "svc-00002",
        ("Unknown",),
        ("LatestReadyUpdate",),
    ),
    Case(
        "case 28a: the latest one, once ready, fails",
        of(2, latest(2, 2, TRUE), numbered(1, TRUE), numbered(2, FAILED)),
        "svc-00002",
        "svc-00002",
        ("False", "RevisionFailed", 'Revision "svc-00002" failed with message: Container failed with: boom.'),
        ("LatestReadyFailed",),
    ),
    Case(
        "case 28b: the latest ready one was deleted",
        of(4, latest(4, 3, UNKNOWN), numbered(1, TRUE), numbered(2, TRUE), numbered(4, UNKNOWN)),
        "svc-00004",
        "svc-00002",
        ("Unknown",),
        ("LatestReadyUpdate",),
    ),
    Case(
        "ready is not withdrawn because the revision is Unknown again",
        of(1, latest(1, 1, TRUE), numbered(1, UNKNOWN)),
        "svc-00001",
        "svc-00001",
        ("True",),
    ),
    Case(
        "a failure that was told is not told again",
        of(
            1,
            latest(
                1,
                0,
                condition(
                    "Ready",
                    "False",
                    "RevisionFailed",
                    'Revision "svc-00001" failed with message: Container failed with: boom.',
                ),
            ),
            numbered(1, FAILED),
        ),
        "svc-00001",
        "",
        ("False", "RevisionFailed", 'Revision "svc-00001" failed with message: Container failed with: boom.'),
    ),
    Case(
        "the API refuses the revision",
        of(1, None, refused="quota exceeded"),
        "",
        "",
        ("False", "RevisionFailed", "Revision creation failed with message: quota exceeded."),
        ("CreationFailed",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case: Case) -> None:
    planned = plan(case.seen, NOW_S)
    assert isinstance(planned.status, ConfigurationStatus)
    assert planned.status.latest_created_revision_name == case.created
    assert planned.status.latest_ready_revision_name == case.ready
    assert told(planned.status) == case.told
    assert tuple(news.reason for news in planned.news) == case.news


TAKEN = (
    "False",
    "RevisionFailed",
    'Revision creation failed with message: revisions.serving.knative.dev "svc-v1" already exists.',
)
NAMED = template(name="svc-v1")


@pytest.mark.parametrize(
    ("named", "want"),
    [
        pytest.param(revision("svc-v1", of="other", spec=NAMED["spec"]), TAKEN, id="a: not owned"),
        pytest.param(
            revision("svc-v1", number=1, spec=NAMED["spec"], status=status(1, [TRUE])),
            ("True",),
            id="b: owned, older, the same spec: adopted",
        ),
        pytest.param(
            revision("svc-v1", number=1, spec=template(image="other")["spec"]), TAKEN, id="c: owned, another spec"
        ),
    ],
)
def test_case_29_a_revision_of_the_wanted_name_exists(named: Revision, want: tuple[str, ...]) -> None:
    newer = revision("svc-v2", number=2, status=status(1, [TRUE]))
    before = status(2, [TRUE], latestCreatedRevisionName="svc-v2", latestReadyRevisionName="svc-v2")
    found = configuration(generation=3, revision_template=NAMED, status=before)
    planned = plan(Seen(found, (named, newer), named), NOW_S)
    assert isinstance(planned.status, ConfigurationStatus)
    assert planned.ensure == ()
    assert told(planned.status) == want
    assert planned.status.latest_ready_revision_name == ("svc-v1" if want == ("True",) else "svc-v2")
    assert planned.error == "", "only a change of somebody's can help: no retry"
