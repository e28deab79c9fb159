"""Admission on a real API server: through the webhook, while its certificate changes, and while it is down."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from controller.webhook.secret import AUTHORITIES, NAME
from controller.webhook.trust import CONFIGURATIONS
from swell.api.kinds import CONFIG_MAP, DEPLOYMENT, POD, SECRET, SERVICE
from swell.kube.errors import Invalid, KubeError, NotFound
from swell.testing.home import Home, Objects, unique
from swell.testing.waiting import until

if TYPE_CHECKING:
    from swell.testing.kubernetes import Installed

Obj = dict[str, Any]
SYSTEM = "swell-system"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def home(kubernetes_cluster: Installed) -> Home:
    return kubernetes_cluster.home


@pytest.fixture
async def objects(home: Home) -> AsyncIterator[Objects]:
    async with home.client() as objects:
        yield objects
        await objects.clean()


async def trusted(objects: Objects) -> set[bytes]:
    """What the webhook configurations have for caBundle."""
    found = [await objects.kube.get(kind, None, name) for name, kind in CONFIGURATIONS.items()]
    return {base64.b64decode(each["webhooks"][0]["clientConfig"].get("caBundle", "")) for each in found}


async def authorities(objects: Objects) -> bytes:
    """What the Secret says is to be trusted; nothing while there is none."""
    try:
        secret = await objects.kube.get(SECRET, SYSTEM, NAME)
    except NotFound:
        return b""
    return base64.b64decode(secret["data"][AUTHORITIES])


async def is_trusted(objects: Objects) -> bool:
    return await trusted(objects) == {await authorities(objects)}


async def test_defaults_and_the_writer_are_in_what_is_stored(objects: Objects) -> None:
    made = await objects.apply(objects.service(unique("stored")))
    assert made["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]
    assert made["spec"]["template"]["spec"]["containers"][0]["name"] == "user-container"
    assert made["metadata"]["annotations"]["serving.knative.dev/creator"]


async def test_what_is_not_valid_is_refused_in_the_same_words_as_in_the_embedded_cluster(objects: Objects) -> None:
    with pytest.raises(Invalid) as caught:
        await objects.kube.create(SERVICE, objects.service(unique("bad"), containerConcurrency=-1))
    assert (caught.value.status, caught.value.reason) == (400, "BadRequest")
    assert str(caught.value) == (
        'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
        "validation failed: expected 0 <= -1 <= 1000: spec.template.spec.containerConcurrency"
    )


async def test_a_config_map_that_cannot_be_used_is_refused(objects: Objects) -> None:
    with pytest.raises(Invalid) as caught:
        await objects.kube.patch(CONFIG_MAP, SYSTEM, "config-autoscaler", {"data": {"stable-window": "1s"}})
    assert str(caught.value) == (
        'admission webhook "config.webhook.serving.knative.dev" denied the request: '
        "validation failed: config-autoscaler: stable-window='1s' is not usable: 6s to 1h, in whole seconds"
    )


async def test_a_ca_bundle_that_an_install_or_a_person_resets_is_put_right(objects: Objects) -> None:
    reset = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    for name, kind in CONFIGURATIONS.items():
        await objects.kube.patch(kind, None, name, reset, patch_type="json")
    await until(lambda: is_trusted(objects))
    await objects.apply(objects.service(unique("reset")))


async def test_a_secret_that_is_lost_is_made_anew_and_writes_go_on(objects: Objects) -> None:
    before = await authorities(objects)
    await objects.kube.delete(SECRET, SYSTEM, NAME)

    async def renewed() -> bool:
        return await authorities(objects) not in (b"", before) and await is_trusted(objects)

    await until(renewed)
    # Each controller takes the new certificate when it hears of the new Secret.
    await until(lambda: accepted(objects))


async def accepted(objects: Objects) -> bool:
    try:
        await objects.apply(objects.service(unique("after")))
    except KubeError as error:
        assert "failed calling webhook" in str(error)
        return False
    return True


@asynccontextmanager
async def no_controller(objects: Objects) -> AsyncIterator[None]:
    """Nobody serves the webhook."""

    async def ready() -> int:
        status = (await objects.kube.get(DEPLOYMENT, SYSTEM, "controller")).get("status") or {}
        return int(status.get("readyReplicas") or 0)

    async def gone() -> bool:
        return not (await objects.kube.list(POD, SYSTEM, label_selector="app=controller")).items

    replicas = (await objects.kube.get(DEPLOYMENT, SYSTEM, "controller"))["spec"]["replicas"]
    await objects.kube.patch(DEPLOYMENT, SYSTEM, "controller", {"spec": {"replicas": 0}})
    try:
        await until(gone)
        yield
    finally:
        await objects.kube.patch(DEPLOYMENT, SYSTEM, "controller", {"spec": {"replicas": replicas}})
        await until(ready)


async def test_while_the_webhook_is_down_serving_writes_are_refused_and_all_else_goes_on(objects: Objects) -> None:
    running, cold = unique("running"), unique("cold")
    await objects.deploy(objects.service(running, annotations={"min-scale": "1"}))
    await objects.deploy(objects.service(cold, annotations={"window": "6s"}))
    await objects.gone(cold)
    async with no_controller(objects):
        with pytest.raises(KubeError, match='failed calling webhook "webhook.serving.knative.dev"'):
            await objects.kube.create(SERVICE, objects.service(unique("refused")))
        with pytest.raises(KubeError, match='failed calling webhook "config.webhook.serving.knative.dev"'):
            await objects.kube.patch(CONFIG_MAP, SYSTEM, "config-gc", {"data": {"min-non-active-revisions": "7"}})
        for namespace in ("default", "kube-system", SYSTEM):
            other = {"metadata": {"name": unique("other"), "namespace": namespace}}
            made = await objects.kube.create(CONFIG_MAP, other)
            await objects.kube.delete(CONFIG_MAP, namespace, made["metadata"]["name"])
        assert (await objects.get(running)).status == 200
        assert (await objects.get(cold)).status == 200, "it starts from zero: nothing on that way asks the webhook"
        await objects.kube.delete(SERVICE, objects.home.namespace, running)
    # Ready is told before kube-proxy has heard of it.
    await until(lambda: accepted(objects))
