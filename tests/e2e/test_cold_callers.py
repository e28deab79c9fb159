"""What callers of a cold revision get: its answer and where the time went, a page, nothing, or the cause."""

from __future__ import annotations

import re
from typing import Any

import pytest

from swell.api import labels
from swell.api.kinds import DEPLOYMENT
from swell.testing.home import Objects, pod_is_ready, unique

QUICK = {"window": "6s"}
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


async def at_zero(objects: Objects, prefix: str, **annotations: str) -> str:
    """A Service with these annotations of ours that has been Ready, and has no pod."""
    name = unique(prefix)
    service = objects.service(name, annotations=QUICK, timeoutSeconds=60)
    service["spec"]["template"]["metadata"]["annotations"].update(annotations)
    await objects.deploy(service)
    await objects.gone(name)
    return name


async def test_a_cold_request_tells_where_its_time_went_and_a_warm_one_nothing(objects: Objects) -> None:
    name = await at_zero(objects, "phases")
    cold = await objects.get(name)
    assert cold.status == 200
    found = re.fullmatch(
        r"ready;dur=([\d.]+), queued;dur=([\d.]+), first-byte;dur=([\d.]+)", cold.headers["server-timing"]
    )
    assert found is not None and float(found[1]) > 0
    warm = await objects.get(name)
    assert warm.status == 200 and "server-timing" not in warm.headers


async def test_a_trace_goes_on_or_begins_and_the_scheme_is_told(objects: Objects) -> None:
    name = unique("trace")
    await objects.deploy(objects.service(name, annotations={"min-scale": "1"}))
    seen = [(await objects.get(name)).json()["headers"] for _ in range(2)]
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", headers["traceparent"]) for headers in seen)
    assert seen[0]["traceparent"] != seen[1]["traceparent"]
    assert seen[0]["x-forwarded-proto"] == "http"
    assert seen[0]["forwarded"].endswith(";proto=http")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    kept = (await objects.get(name, headers={"traceparent": trace, "tracestate": "a=b"})).json()["headers"]
    assert (kept["traceparent"], kept["tracestate"]) == (trace, "a=b")


async def test_a_browser_gets_a_page_and_then_the_app(objects: Objects) -> None:
    name = await at_zero(objects, "page", **{labels.COLD_START_PAGE: "true"})
    page = await objects.get(name, headers=BROWSER)
    assert page.status == 503
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "is starting" in page.text and page.headers["refresh"] == "1"
    await objects.until_pods(name, lambda pods: any(map(pod_is_ready, pods)))
    assert (await objects.get(name, headers=BROWSER)).status == 200


async def test_listed_paths_wake_nobody(objects: Objects) -> None:
    name = await at_zero(objects, "asleep", **{labels.NO_WAKE_PATHS: "/favicon.ico,/probes/*"})
    for path in ("/favicon.ico", "/probes/health?a=b"):
        assert (await objects.get(name, path)).status == 204
    assert (await objects.deployments(name))[0]["spec"]["replicas"] == 0
    assert (await objects.get(name, "/")).status == 200
    assert (await objects.get(name, "/favicon.ico")).json()["path"] == "/favicon.ico"


async def test_a_body_larger_than_a_revision_takes_is_413(objects: Objects) -> None:
    name = await at_zero(objects, "large", **{labels.BODY_BYTES_MAX: "1Mi"})
    assert (await objects.request("POST", name, "/size", data=b"x" * (1024 * 1024 + 1))).status == 413
    assert (await objects.deployments(name))[0]["spec"]["replicas"] == 0
    answer = await objects.request("POST", name, "/size", data=b"x" * 1024 * 1024)
    assert (answer.status, answer.json()["bytes"]) == (200, 1024 * 1024)


def no_image(container: dict[str, Any]) -> None:
    container["image"] = "dev.local/not-there:1"


def exits(container: dict[str, Any]) -> None:
    container["command"] = ["python3", "-c", "print('no database'); raise SystemExit(3)"]


@pytest.mark.parametrize(
    ("spoil", "cause"), [(no_image, r"(ErrImagePull|ImagePullBackOff)"), (exits, "(CrashLoopBackOff|ExitCode3)")]
)
async def test_a_cold_start_that_cannot_succeed_is_told_with_its_cause(
    objects: Objects, spoil: Any, cause: str
) -> None:
    name = await at_zero(objects, "spoilt")
    # What a later start finds may be other than what the first found: an image was deleted, a database is away.
    (deployment,) = await objects.deployments(name)
    spec = deployment["spec"]["template"]["spec"]
    for container in spec["containers"]:
        if container["name"] != "queue-proxy":
            spoil(container)
    change = {"spec": {"template": {"spec": spec}}}
    await objects.kube.patch(
        DEPLOYMENT, objects.home.namespace, deployment["metadata"]["name"], change, patch_type="merge"
    )
    answer = await objects.get(name, headers={"Accept": "application/json"})
    assert answer.status == 503
    told = answer.json()
    assert told["revision"] == f"{objects.home.namespace}/{name}-00001"
    assert re.match(cause, told["cause"]), told
    assert "kubectl" in told["look_at"]
    assert int(answer.headers["retry-after"]) > 0
