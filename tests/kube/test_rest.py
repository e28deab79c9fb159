"""`RestClient` against servers that answer as real ones do when they are old, ill, or a proxy."""

from __future__ import annotations

import asyncio
import datetime
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from swell.api.kinds import POD, SERVICE
from swell.kube.client import WatchEvent
from swell.kube.connect import NoAccess, in_cluster, is_loopback
from swell.kube.discovery import NoSuchKind
from swell.kube.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    KubeError,
    NotFound,
    Unavailable,
)
from swell.kube.rest import RestClient
from swell.kube.transport import SILENT_S, notice_loss
from swell.local.apiserver.pki import make_pki
from swell.testing.clock import ManualClock

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def kubeconfig(folder: Path, server: str, user: dict[str, str] | None = None) -> str:
    path = folder / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user or {"token": "secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps(config))
    return str(path)


@asynccontextmanager
async def serving(folder: Path, answer: Answer) -> AsyncIterator[RestClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    client = await RestClient.from_kubeconfig(kubeconfig(folder, f"http://127.0.0.1:{runner.addresses[0][1]}"))
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


def status(code: int, reason: str) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": f"told: {reason}"}
    return web.json_response(body, status=code)


REFUSALS: list[tuple[int, str, type[KubeError]]] = [
    (400, "BadRequest", Invalid),
    (401, "Unauthorized", Forbidden),
    (403, "Forbidden", Forbidden),
    (404, "NotFound", NotFound),
    (409, "Conflict", Conflict),
    (409, "AlreadyExists", AlreadyExists),
    (410, "Expired", Expired),
    (422, "Invalid", Invalid),
    (429, "TooManyRequests", Unavailable),
    (500, "InternalError", Unavailable),
    (504, "Timeout", Unavailable),
]


@pytest.mark.parametrize(("code", "reason", "error"), REFUSALS)
async def test_refusals_are_named_for_what_the_caller_can_do(
    code: int, reason: str, error: type[KubeError], tmp_path: Path
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return status(code, reason)

    async with serving(tmp_path, answer) as client:
        with pytest.raises(error, match=f"told: {reason}") as caught:
            await client.create(POD, {"metadata": {"name": "a", "namespace": "default"}})
    assert type(caught.value) is error


async def test_a_proxy_in_between_is_quoted_and_may_be_better_later(tmp_path: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=502, text="<h1>no upstream</h1>")

    async with serving(tmp_path, answer) as client:
        with pytest.raises(Unavailable, match="no upstream"):
            await client.get(POD, "default", "a")


async def test_nobody_there_is_unavailable_and_named(tmp_path: Path) -> None:
    client = await RestClient.from_kubeconfig(kubeconfig(tmp_path, "https://127.0.0.1:1"))
    with pytest.raises(Unavailable, match=r"https://127\.0\.0\.1:1 cannot be reached"):
        await client.list(POD)
    await client.close()


async def test_lists_fill_in_what_a_real_server_leaves_out_of_items(tmp_path: Path) -> None:
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        items = [{"metadata": {"name": "a"}}]
        return web.json_response({"kind": "PodList", "metadata": {"resourceVersion": "7"}, "items": items})

    async with serving(tmp_path, answer) as client:
        found = await client.list(POD, "n", label_selector="a in (b,c)", field_selector="status.phase!=Failed")
    assert found.items == [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}]
    assert found.resource_version == "7"
    assert asked[0].path == "/api/v1/namespaces/n/pods"
    assert dict(asked[0].query) == {"labelSelector": "a in (b,c)", "fieldSelector": "status.phase!=Failed"}
    assert asked[0].headers["Authorization"] == "Bearer secret"


def event(name: str) -> bytes:
    return json.dumps({"type": "ADDED", "object": {"metadata": {"name": name}}}).encode() + b"\n"


@asynccontextmanager
async def watching(folder: Path, *pieces: bytes, cut: bool = False) -> AsyncIterator[AsyncIterator[WatchEvent]]:
    """A watch whose body arrives in these pieces."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if cut:
            assert request.transport is not None
            request.transport.abort()
        return response

    async with serving(folder, answer) as client:
        yield client.watch(POD, resource_version="7")


async def collect(events: AsyncIterator[WatchEvent], into: list[str]) -> None:
    async for each in events:
        into.append(each.object["metadata"]["name"])


async def test_a_watch_is_read_by_lines_wherever_the_pieces_end(tmp_path: Path) -> None:
    body = b"".join(map(event, "abc"))
    for at in (1, len(event("a")) - 1, len(event("a")), len(event("a")) + 1, len(body) - 1):
        seen: list[str] = []
        async with watching(tmp_path, body[:at], body[at:]) as events:
            await collect(events, seen)
        assert seen == ["a", "b", "c"]


async def test_half_a_line_at_the_end_and_empty_lines_are_no_events(tmp_path: Path) -> None:
    seen: list[str] = []
    async with watching(tmp_path, event("a") + b"\n" + event("b")[:-5]) as events:
        await collect(events, seen)
    assert seen == ["a"]


async def test_a_watch_that_is_cut_says_so_after_what_came(tmp_path: Path) -> None:
    seen: list[str] = []
    async with watching(tmp_path, event("a"), cut=True) as events:
        with pytest.raises(Unavailable):
            await collect(events, seen)


async def test_the_kernel_looks_after_a_stream_whose_server_says_nothing() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.Event().wait()
        return response

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.connection is not None and response.connection.transport is not None
        sock = response.connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
        notice_loss(response)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == SILENT_S
    await runner.cleanup()


async def test_an_error_inside_a_watch_is_raised(tmp_path: Path) -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}
    seen: list[str] = []
    async with watching(tmp_path, event("a") + json.dumps(gone).encode() + b"\n") as events:
        with pytest.raises(Expired, match="too old"):
            await collect(events, seen)
    assert seen == ["a"]


async def test_deletes_carry_their_options(tmp_path: Path) -> None:
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response({"kind": "Status", "status": "Success"})

    async with serving(tmp_path, answer) as client:
        await client.delete(POD, "n", "a", propagation="Foreground", uid="u", grace_period_s=0)
    assert asked == [
        {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground",
            "preconditions": {"uid": "u"},
            "gracePeriodSeconds": 0,
        }
    ]


async def test_logs_come_as_they_are_written(tmp_path: Path) -> None:
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        response = web.StreamResponse()
        await response.prepare(request)
        for line in (b"one\n", b"two\n"):
            await response.write(line)
        return response

    async with serving(tmp_path, answer) as client:
        pieces = [piece async for piece in client.logs("n", "a", container="app", follow=True, tail=5)]
    assert b"".join(pieces) == b"one\ntwo\n"
    assert asked[0].path == "/api/v1/namespaces/n/pods/a/log"
    assert dict(asked[0].query) == {"container": "app", "follow": "true", "tailLines": "5"}


PLAIN: dict[str, Any] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {
        "resources": [
            {"name": "pods", "singularName": "pod", "kind": "Pod", "namespaced": True, "shortNames": ["po"]},
            {"name": "pods/log", "singularName": "", "kind": "Pod", "namespaced": True},
            {"name": "services", "singularName": "service", "kind": "Service", "namespaced": True},
        ]
    },
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "serving.knative.dev",
                "preferredVersion": {"groupVersion": "serving.knative.dev/v1"},
                "versions": [
                    {"groupVersion": "serving.knative.dev/v1beta1"},
                    {"groupVersion": "serving.knative.dev/v1"},
                ],
            }
        ],
    },
}
KSVC = {"name": "services", "singularName": "service", "kind": "Service", "namespaced": True, "shortNames": ["ksvc"]}
for each in ("v1", "v1beta1"):
    PLAIN[f"/apis/serving.knative.dev/{each}"] = {"resources": [{**KSVC, "categories": ["knative"]}]}


async def test_servers_without_aggregated_discovery_are_asked_group_by_group_and_once(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response(PLAIN[request.path])

    async with serving(tmp_path, answer) as client:
        assert await client.resolve("ksvc") == SERVICE
        assert await client.resolve("services.serving.knative.dev") == SERVICE
        assert (await client.resolve("service")).group == ""
        assert await client.resolve("PO") == POD
        assert (await client.discover()).in_category("knative")[0] == SERVICE
        with pytest.raises(NoSuchKind, match="no kind 'ksv': did you mean ksvc"):
            await client.resolve("ksv")
        with pytest.raises(NoSuchKind, match=r"no kind 'Service' in 'v2'; it has Service in serving.*, v1"):
            await client.kind_of({"apiVersion": "v2", "kind": "Service"})
    assert sorted(asked) == sorted(PLAIN)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "clusters: []", '{"current-context": "x", "contexts": []}'])
async def test_a_kubeconfig_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(NoAccess, match=str(path)):
        await RestClient.from_kubeconfig(str(path))


async def test_an_absent_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoAccess, match="does not exist"):
        await RestClient.from_kubeconfig(str(tmp_path / "none"))


def test_loopback_is_told_from_other_hosts() -> None:
    assert is_loopback("https://127.0.0.1:6443")
    assert is_loopback("https://[::1]:6443")
    assert is_loopback("http://localhost")
    assert not is_loopback("https://10.0.0.1:6443")
    assert not is_loopback("https://localhost.example.com")


async def test_a_pod_asks_with_its_own_token_and_reads_it_again_when_it_was_renewed(tmp_path: Path) -> None:
    make_pki(tmp_path, datetime.datetime.now(datetime.UTC))
    (tmp_path / "token").write_text("first\n")
    clock = ManualClock()
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    access = await in_cluster(clock, environ, tmp_path)
    assert access.host == "https://[fd00::1]:443"
    assert await access.headers() == {"Authorization": "Bearer first"}
    (tmp_path / "token").write_text("second\n")
    assert await access.headers() == {"Authorization": "Bearer first"}
    clock.advance(60)
    assert await access.headers() == {"Authorization": "Bearer second"}
    (tmp_path / "token").unlink()
    clock.advance(60)
    assert await access.headers() == {"Authorization": "Bearer second"}
    await access.session.close()


async def test_a_pod_without_service_account_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NoAccess, match="KUBERNETES_SERVICE_HOST is not set"):
        await in_cluster(ManualClock(), {}, tmp_path)
    with pytest.raises(NoAccess, match=str(tmp_path)):
        environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
        await in_cluster(ManualClock(), environ, tmp_path)
