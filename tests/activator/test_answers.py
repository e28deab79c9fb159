"""The front door's own answers: probes of spec dataplane 2.12, and truthful errors."""

from __future__ import annotations

import json

import pytest

from activator import answers
from activator.gateway import Target

READY, CUT_OFF, LEAVING = "", "connection has not yet been established", "received SIGTERM from kubelet"

PROBES: list[tuple[str, dict[bytes, bytes], str, int | None, bytes]] = [
    ("case 25: a kubelet's probe while ready", {b"user-agent": b"kube-probe/1.31"}, READY, 200, b""),
    (
        "case 23: a kubelet's probe without the autoscaler",
        {b"user-agent": b"kube-probe/1.31"},
        CUT_OFF,
        500,
        b"connection has not yet been established\n",
    ),
    (
        "case 24: a kubelet's probe after SIGTERM",
        {b"k-kubelet-probe": b"1"},
        LEAVING,
        500,
        b"received SIGTERM from kubelet\n",
    ),
    ("an ingress's probe", {b"k-network-probe": b"probe", b"k-network-hash": b"x"}, CUT_OFF, 200, b""),
    (
        "an ingress's probe without a hash",
        {b"k-network-probe": b"probe"},
        READY,
        400,
        b'a probe request must contain a non-empty "K-Network-Hash" header\n',
    ),
    ("a probe for an activator", {b"k-network-probe": b"activator"}, READY, 200, b"activator"),
    (
        "case 26: a probe for somebody else",
        {b"k-network-probe": b"queue"},
        READY,
        400,
        b'unexpected probe header value: "queue"\n',
    ),
    (
        "a probe value that wants quoting",
        {b"k-network-probe": b"<a\\b>"},
        READY,
        400,
        b'unexpected probe header value: "&lt;a\\\\b&gt;"\n',
    ),
    ("no probe at all", {b"user-agent": b"curl/8"}, READY, None, b""),
]


@pytest.mark.parametrize(("name", "headers", "unready", "status", "body"), PROBES, ids=[case[0] for case in PROBES])
def test_probes(name: str, headers: dict[bytes, bytes], unready: str, status: int | None, body: bytes) -> None:
    answer = answers.probe(headers, unready)
    assert (answer.status if answer else None) == status
    assert (answer.body if answer else b"") == body


def test_an_ingress_gets_its_hash_back() -> None:
    answer = answers.probe({b"k-network-probe": b"probe", b"k-network-hash": b"abc"}, READY)
    assert answer is not None
    assert answer.headers == ((b"k-network-hash", b"abc"),)


def test_an_unknown_host_is_named_and_nothing_else() -> None:
    answer = answers.unknown_host("nobody.example.com")
    assert (answer.status, answer.body) == (404, b'no route for host "nobody.example.com"\n')


def test_case_4_an_unknown_revision_is_told_in_the_references_words() -> None:
    answer = answers.unknown_revision("x")
    assert answer.status == 404
    assert answer.body == b'Error getting active endpoint: revision.serving.knative.dev "x" not found\n'


def test_a_failed_revision_is_named_with_cause_and_what_to_look_at() -> None:
    answer = answers.failed_revision(Target("default", "hello-00001"), "ExitCode3: no database", True)
    told = json.loads(answer.body)
    assert answer.status == 503
    assert dict(answer.headers)[b"retry-after"] == b"5"
    assert told["revision"] == "default/hello-00001"
    assert told["cause"] == "ExitCode3: no database"
    assert "describe revision hello-00001" in told["look_at"]
    answer = answers.failed_revision(Target("default", "hello-00001"), "ExitCode3: no database", False)
    assert dict(answer.headers)[b"Content-Type"] == b"text/plain; charset=utf-8"
    assert answer.body.decode().splitlines()[:3] == [
        "the revision cannot start",
        "revision: default/hello-00001",
        "cause: ExitCode3: no database",
    ]


@pytest.mark.parametrize(
    ("accept", "as_json"),
    [
        (None, False),
        (b"*/*", False),
        (b"application/json", True),
        (b"Application/JSON; q=0.9, */*", True),
        (b"image/png, application/json, text/plain", True),
        (b"text/html,application/xhtml+xml,application/json;q=0.9", False),
    ],
)
def test_json_is_for_those_who_name_it_before_any_text(accept: bytes | None, as_json: bool) -> None:
    assert answers.prefers_json({} if accept is None else {b"accept": accept}) is as_json
