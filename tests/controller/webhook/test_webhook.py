"""The webhook over real TLS: who trusts it, how it renews itself, and what its callers are told."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson
import pytest

from controller.program import Settings, run
from controller.webhook.certificates import DAY_S, renewed
from controller.webhook.secret import bundle, identity_of, serving_pem
from controller.webhook.server import BODY_BYTES_MAX, CannotListen, Server
from controller.webhook.trust import CONFIGURATIONS
from swell.api.admission import default
from swell.api.kinds import CONFIG_MAP, SECRET
from swell.api.meta import Obj
from swell.testing.clock import settle
from swell.testing.objects import revision_template, service
from swell.testing.peers import free_port

Cluster = Any
Caller = Any
Review = Callable[..., Obj]
SYSTEM = "swell-system"


async def known(cluster: Cluster) -> bytes:
    """The one bundle that all configurations trust."""
    (found,) = await cluster.trusted()
    assert isinstance(found, bytes)
    return found


async def test_it_makes_its_certificate_and_the_api_server_trusts_it(
    cluster: Cluster, caller: Caller, review: Review
) -> None:
    webhook = await cluster.start()
    authorities = await known(cluster)
    for path in ("/defaulting", "/validation", "/config-validation"):
        status, answer = await caller.post(webhook.server.port, path, review(default(service())), authorities)
        assert status == 200
        assert answer["response"]["uid"] == "u-1" and answer["response"]["allowed"], path
    assert (await cluster.secret())["type"] == "kubernetes.io/tls"


async def test_several_that_start_at_once_agree_on_one_certificate(
    cluster: Cluster, caller: Caller, review: Review
) -> None:
    webhooks = await asyncio.gather(*(cluster.start() for _ in range(3)))
    authorities = await known(cluster)
    for webhook in webhooks:
        status, _ = await caller.post(webhook.server.port, "/defaulting", review(service()), authorities)
        assert status == 200


async def test_a_bundle_that_somebody_changes_is_put_right(cluster: Cluster) -> None:
    await cluster.start()
    right = await known(cluster)
    for name, kind in CONFIGURATIONS.items():
        for damage in ("", "Zm9yZWlnbg=="):
            webhook = {"name": name, "clientConfig": {"caBundle": damage, "service": {"name": "webhook"}}}
            await cluster.kube.patch(kind, None, name, {"webhooks": [webhook]})
            await settle()
            assert await known(cluster) == right


async def test_configurations_that_are_installed_later_are_trusted_then(cluster: Cluster) -> None:
    for name, kind in CONFIGURATIONS.items():
        await cluster.kube.delete(kind, None, name)
    await cluster.start()
    await cluster.install()
    await settle()
    assert b"BEGIN CERTIFICATE" in await known(cluster)


async def test_a_renewed_certificate_is_served_by_all_while_requests_go_on(
    cluster: Cluster, caller: Caller, review: Review
) -> None:
    webhooks = [await cluster.start(), await cluster.start()]
    first = identity_of(await cluster.secret())
    authorities = await known(cluster)
    async with aiohttp.ClientSession() as session:  # keeps its connection
        lasting = type(caller)(session)
        for _ in range(62):
            await cluster.clock.pass_time(DAY_S, step_s=DAY_S / 24)
            for webhook in webhooks:
                assert (await caller.post(webhook.server.port, "/validation", review(service()), authorities))[0] == 200
            assert (await lasting.post(webhooks[0].server.port, "/validation", review(service()), authorities))[
                0
            ] == 200
    second = identity_of(await cluster.secret())
    assert first is not None and second is not None
    assert second.serving.certificate != first.serving.certificate
    for webhook in webhooks:
        served = await _served_by(webhook, authorities)
        assert served == second.serving.certificate.serial_number


async def _served_by(webhook: Any, authorities: bytes) -> int:
    """The serial number of what a new connection is shown."""
    context = ssl.create_default_context(cadata=authorities.decode())
    name = f"webhook.{SYSTEM}.svc"
    _, writer = await asyncio.open_connection("127.0.0.1", webhook.server.port, ssl=context, server_hostname=name)
    shown = writer.get_extra_info("peercert")
    writer.close()
    return int(shown["serialNumber"], 16)


async def test_a_secret_that_is_lost_or_damaged_is_made_anew_and_trusted(
    cluster: Cluster, caller: Caller, review: Review
) -> None:
    webhook = await cluster.start()
    first = await known(cluster)
    await cluster.kube.delete(SECRET, SYSTEM, "swell-webhook-certs")
    await cluster.clock.pass_time(0.1)
    second = await known(cluster)
    assert second != first
    assert (await caller.post(webhook.server.port, "/validation", review(service()), second))[0] == 200
    await cluster.kube.patch(SECRET, SYSTEM, "swell-webhook-certs", {"data": {"tls.key": "Zm9v"}})
    await cluster.clock.pass_time(0.1)
    found = identity_of(await cluster.secret())
    assert found is not None
    assert (await caller.post(webhook.server.port, "/validation", review(service()), bundle(found)))[0] == 200


async def test_settings_are_those_of_the_config_maps_as_they_are_now(
    cluster: Cluster, caller: Caller, review: Review
) -> None:
    webhook = await cluster.start()
    bad = default(service(template=revision_template(containerConcurrency=20)))
    authorities = await known(cluster)
    assert (await caller.post(webhook.server.port, "/validation", review(bad), authorities))[1]["response"]["allowed"]
    cluster.live.update("config-defaults", {"container-concurrency-max-limit": "10"})
    answer = (await caller.post(webhook.server.port, "/validation", review(bad), authorities))[1]
    assert "expected 0 <= 20 <= 10" in answer["response"]["status"]["message"]


async def test_what_is_no_review_is_refused_in_a_sentence(cluster: Cluster, caller: Caller) -> None:
    webhook = await cluster.start()
    authorities = await known(cluster)
    status, text = await caller.post(webhook.server.port, "/validation", b'{"kind": "Pod"}', authorities)
    assert (status, text) == (400, "apiVersion: found None, want 'admission.k8s.io/v1'\n")
    status, _ = await caller.post(webhook.server.port, "/validation", b" " * (BODY_BYTES_MAX + 1), authorities)
    assert status == 413
    status, _ = await caller.post(webhook.server.port, "/elsewhere", b"{}", authorities)
    assert status == 404


async def test_a_controller_is_ready_once_its_webhook_serves_by_the_config_maps(
    cluster: Cluster, caller: Caller, review: Review
) -> None:
    config = {"metadata": {"name": "config-defaults", "namespace": SYSTEM}, "data": {"revision-timeout-seconds": "7"}}
    await cluster.kube.create(CONFIG_MAP, config)
    stop, port = asyncio.Event(), free_port()
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.ensure_future(
        run(Settings(webhook_port=port), cluster.kube, cluster.clock, stop, ready=ready.set_result)
    )
    await cluster.advance(ready)
    _, answer = await caller.post(port, "/defaulting", review(service()), await known(cluster))
    patch = orjson.loads(base64.b64decode(answer["response"]["patch"]))
    assert {"op": "add", "path": "/spec/template/spec/timeoutSeconds", "value": 7} in patch
    stop.set()
    await cluster.advance(running)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_one_that_will_close_answers_and_has_its_callers_connect_anew(review: Review) -> None:
    server = Server({"/validation": lambda _: {"here": True}})
    identity = renewed(None, ("localhost",), time.time())
    server.serve_with(serving_pem(identity))
    await server.start("127.0.0.1", free_port())
    context = ssl.create_default_context(cadata=bundle(identity).decode())
    url = f"https://127.0.0.1:{server.port}/validation"
    async with aiohttp.ClientSession() as session:
        for draining in (False, True):
            if draining:
                server.drain()
            asked = session.post(url, json=review(service()), ssl=context, server_hostname="localhost")
            async with asked as response:
                assert await response.json() == {"here": True}
                assert (response.headers.get("Connection") == "close") is draining
    await server.close()


async def test_a_port_that_is_taken_is_named() -> None:
    taken = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    server = Server({})
    with pytest.raises(CannotListen, match=f"SWELL_WEBHOOK_PORT={port}"):
        await server.start("127.0.0.1", port)
    await server.close()
    taken.close()
