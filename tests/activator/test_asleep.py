"""What is answered while a revision has no pod: pages for browsers, and paths that wake nobody."""

from __future__ import annotations

import pytest

from swell.api import labels
from swell.testing.frontdoor import HELLO as REVISION
from swell.testing.frontdoor import HOST, Exchange, World, ip

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def world(pods: int = 0, *, failed: str = "", **annotations: str) -> World:
    found = World()
    found.route()
    found.revision(failed=failed, annotations={f"swell.dev/{k.replace('_', '-')}": v for k, v in annotations.items()})
    for number in range(1, pods + 1):
        found.pod(number)
    return found


def test_a_browser_gets_a_page_that_loads_itself_again_and_the_revision_is_woken() -> None:
    cold = world(cold_start_page="true")
    page = cold.request(**BROWSER)
    assert page.status == 503
    assert page.answer_headers[b"Refresh"] == page.answer_headers[b"Retry-After"] == b"1"
    assert page.answer_headers[b"Cache-Control"] == b"no-store"
    assert f"{HOST} is starting".encode() in page.body
    assert cold.sent == [(REVISION.name, 1, 1)]
    assert (cold.in_flight(), cold.activator.room.count) == (0, 0)
    cold.pod()
    assert cold.request(**BROWSER).went == [ip(1)]


def test_a_page_that_is_loaded_again_keeps_the_revision_awake() -> None:
    cold = world(cold_start_page="true")
    for _ in range(5):
        cold.request(**BROWSER)
        cold.clock.advance(3)
    pokes = [sent for sent in cold.sent if sent == (REVISION.name, 1, 1)]
    assert len(pokes) == 5


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        (b"GET", {}),
        (b"GET", {"Accept": "*/*"}),
        (b"GET", {"Accept": "application/json"}),
        (b"POST", BROWSER),
        (b"HEAD", BROWSER),
    ],
)
def test_others_than_browsers_wait(method: bytes, headers: dict[str, str]) -> None:
    cold = world(cold_start_page="true")
    waits = cold.ask(Exchange(cold, HOST, headers, method=method))
    assert waits.status == 0
    cold.pod()
    assert waits.went == [ip(1)]


@pytest.mark.parametrize("annotations", [{}, {"cold_start_page": "false"}])
def test_without_the_annotation_browsers_wait_too(annotations: dict[str, str]) -> None:
    cold = world(**annotations)
    assert cold.request(**BROWSER).status == 0


def test_the_page_says_why_a_revision_cannot_start_and_escapes_it() -> None:
    cold = world(cold_start_page="true", failed="<ExitCode3>")
    page = cold.request(**BROWSER)
    assert page.status == 503
    assert b"<code>&lt;ExitCode3&gt;</code>" in page.body
    assert page.answer_headers[b"Retry-After"] == b"5"
    assert cold.sent == [(REVISION.name, 1, 1)], "the next try may succeed"


PATHS = "/favicon.ico, /probes/*"


@pytest.mark.parametrize("target", [b"/favicon.ico", b"/favicon.ico?v=2", b"/probes/", b"/probes/a/b?c=d"])
def test_listed_paths_wake_nobody_and_are_no_load(target: bytes) -> None:
    cold = world(no_wake_paths=PATHS, cold_start_page="true")
    answer = cold.ask(Exchange(cold, HOST, BROWSER, target=target))
    assert (answer.status, answer.body) == (204, b"")
    assert answer.answer_headers[b"cache-control"] == b"no-store"
    cold.clock.advance(5)
    assert cold.sent == []
    assert cold.activator.lanes[REVISION].counts.by_status() == {204: 1}


@pytest.mark.parametrize("target", [b"/", b"/favicon.ico/", b"/favicon.icon", b"/probes", b"/x?/favicon.ico"])
def test_other_paths_wake_as_usual(target: bytes) -> None:
    cold = world(no_wake_paths=PATHS)
    assert cold.ask(Exchange(cold, HOST, target=target)).status == 0
    assert cold.sent == [(REVISION.name, 1, 1)]


def test_with_a_pod_listed_paths_are_passed_on_as_usual() -> None:
    warm = world(pods=1, no_wake_paths=PATHS)
    exchange = warm.ask(Exchange(warm, HOST, target=b"/favicon.ico"))
    assert exchange.went == [ip(1)]
    assert warm.sent == [(REVISION.name, 1, 1)]


def test_of_a_revision_that_has_failed_a_listed_path_tells_the_cause() -> None:
    cold = world(no_wake_paths=PATHS, failed="ExitCode3")
    answer = cold.ask(Exchange(cold, HOST, target=b"/probes/health"))
    assert answer.status == 503
    assert b"cause: ExitCode3" in answer.body
    assert cold.sent == []


def test_annotations_that_change_count_from_then_on() -> None:
    cold = world(no_wake_paths=PATHS)
    cold.revision(annotations={labels.NO_WAKE_PATHS: "/other"})
    assert cold.ask(Exchange(cold, HOST, target=b"/favicon.ico")).status == 0


def test_a_body_larger_than_the_revision_takes_gets_413_and_wakes_nobody() -> None:
    cold = world(body_bytes_max="1Ki")
    large = cold.ask(Exchange(cold, HOST, method=b"POST", body_bytes=1025))
    assert (large.status, large.body) == (413, b"request body larger than 1024 bytes\n")
    assert cold.sent == []
    assert cold.ask(Exchange(cold, HOST, method=b"POST", body_bytes=1024)).status == 0


def test_the_revisions_limit_for_bodies_comes_before_the_front_doors() -> None:
    found = World(body_bytes_max=10)
    found.route()
    found.revision()
    found.pod()
    assert found.ask(Exchange(found, HOST, body_bytes=11)).status == 413
    found.revision(annotations={labels.BODY_BYTES_MAX: "20"})
    assert found.ask(Exchange(found, HOST, body_bytes=11)).went == [ip(1)]
    assert found.ask(Exchange(found, HOST, body_bytes=21)).status == 413
