"""What the app sees of a request that went through a real queue-proxy: spec dataplane C44-C47, 3.10."""

from __future__ import annotations

from collections.abc import Mapping

from swell.testing.peers import App, call
from swell.testing.sidecar import sidecar


async def seen(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that the app sees of a request with these, by lower-case name."""
    app = App()
    await app.start()
    async with sidecar(app) as qp:
        answer = await call(qp.address, "/", headers)
    lines = answer.body.decode().split("\r\n")[1:-2]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def test_case_44_the_caller_is_added_for_and_forwarded_made_of_what_came() -> None:
    found = await seen({"X-Forwarded-For": "1.1.1.1"})
    assert found["x-forwarded-for"].startswith("1.1.1.1, 127.")
    assert found["forwarded"] == "for=1.1.1.1"


async def test_case_45_without_forwarding_headers_there_is_only_the_caller() -> None:
    found = await seen({})
    assert "forwarded" not in found
    assert found["x-forwarded-for"].startswith("127.")


async def test_case_46_a_forwarded_of_the_caller_is_not_touched() -> None:
    found = await seen({"Forwarded": "for=a", "X-Forwarded-For": "1.1.1.1", "X-Forwarded-Proto": "https"})
    assert found["forwarded"] == "for=a"


async def test_case_47_through_an_activator_the_original_host_comes_back() -> None:
    found = await seen(
        {
            "Host": "10.0.0.7:8012",
            "K-Original-Host": "app.example.com",
            "K-Proxy-Request": "activator",
            "Knative-Serving-Namespace": "default",
            "Knative-Serving-Revision": "hello-00001",
        }
    )
    assert found["host"] == "app.example.com"
    assert found["k-proxy-request"] == "activator"
    assert not {"k-original-host", "knative-serving-namespace", "knative-serving-revision"} & set(found)
