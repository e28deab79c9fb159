"""The HTTPS front on a real socket: what clients other than kubectl see."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from swell.local.apiserver.http import _Front
from swell.local.apiserver.hub import RING_EVENTS_MAX
from swell.local.apiserver.watching import BOOKMARK_INTERVAL_S

WIDGETS = "/apis/test.swell.dev/v1/namespaces/default/widgets"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


async def line(stream: Any) -> Any:
    async with asyncio.timeout(10):
        return json.loads(await stream.content.readline())


async def test_without_the_token_only_health_and_version_are_told(client: Any) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/readyz/etcd"):
        async with client.open("GET", path, headers={"Authorization": ""}) as response:
            assert (response.status, await response.text()) == (200, "ok")
    assert (await client.call("GET", "/version", headers={"Authorization": ""}))[1]["minor"] == "34"
    for authorization in ("", "Bearer wrong", f"Basic {client.token}", "Bearer"):
        status, told = await client.call("GET", "/api/v1/pods", headers={"Authorization": authorization})
        assert (status, told["kind"], told["reason"], told["code"]) == (401, "Status", "Unauthorized", 401)


async def test_errors_are_statuses_with_reason_and_details(client: Any) -> None:
    status, told = await client.call("GET", f"{WIDGETS}/none")
    assert (status, told["reason"], told["status"]) == (404, "NotFound", "Failure")
    assert told["details"] == {"name": "none", "group": "test.swell.dev", "kind": "widgets"}
    status, told = await client.call("GET", "/apis/nothing.dev/v1/things")
    assert (status, told["message"]) == (404, "the server could not find the requested resource")
    status, told = await client.call("POST", f"{WIDGETS}/none", json={})
    assert (status, told["reason"]) == (405, "MethodNotAllowed")
    status, told = await client.call("POST", WIDGETS, data=b"{", headers={"Content-Type": "application/json"})
    assert (status, told["reason"]) == (400, "BadRequest")
    status, told = await client.call("PATCH", WIDGETS + "/none", data=b"{}", headers={"Content-Type": "text/plain"})
    assert (status, told["reason"]) == (415, "UnsupportedMediaType")
    status, told = await client.call("POST", WIDGETS, data=b" " * (9 * 1024 * 1024))
    assert (status, told["reason"]) == (413, "RequestEntityTooLarge")


async def test_an_object_is_made_read_changed_and_deleted(client: Any) -> None:
    made = await client.make()
    assert (await client.call("GET", f"{WIDGETS}/one"))[1] == made
    status, changed = await client.call("PUT", f"{WIDGETS}/one", json={**made, "spec": {"size": 2}})
    assert (status, changed["metadata"]["generation"]) == (200, 2)
    assert (await client.call("PUT", f"{WIDGETS}/one", json={**made, "spec": {"size": 3}}))[0] == 409
    status, deleted = await client.call("DELETE", f"{WIDGETS}/one")
    assert (status, deleted["status"], deleted["details"]["uid"]) == (200, "Success", made["metadata"]["uid"])
    assert (await client.call("DELETE", f"{WIDGETS}/one"))[0] == 404


async def test_a_delete_obeys_the_options_in_its_body(client: Any) -> None:
    made = await client.make()
    wrong = {"preconditions": {"uid": "other"}}
    assert (await client.call("DELETE", f"{WIDGETS}/one", json=wrong))[0] == 409
    assert (await client.call("DELETE", f"{WIDGETS}/one", json={"dryRun": ["All"]}))[0] == 200
    assert (await client.call("GET", f"{WIDGETS}/one"))[1] == made
    status, marked = await client.call("DELETE", f"{WIDGETS}/one", json={"propagationPolicy": "Foreground"})
    assert (status, marked["metadata"]["finalizers"]) == (200, ["foregroundDeletion"])


async def test_a_collection_is_deleted_by_selector(client: Any) -> None:
    for name, label in (("one", "a"), ("two", "a"), ("three", "b")):
        body = {"metadata": {"name": name, "labels": {"x": label}}, "spec": {"size": 1}}
        await client.call("POST", WIDGETS, json=body)
    status, deleted = await client.call("DELETE", f"{WIDGETS}?labelSelector=x=a")
    assert (status, deleted["kind"], len(deleted["items"])) == (200, "WidgetList", 2)
    left = (await client.call("GET", WIDGETS))[1]["items"]
    assert [each["metadata"]["name"] for each in left] == ["three"]


async def test_unknown_and_double_fields_reach_the_user_as_warnings(client: Any) -> None:
    body = b'{"metadata":{"name":"one"},"spec":{"size":1,"size":2,"sise":"\xc3\xa9"}}'
    async with client.open("POST", WIDGETS, data=body, headers={"Content-Type": "application/json"}) as response:
        assert response.status == 201
        assert response.headers.getall("Warning") == [
            '299 - "duplicate field \\"spec.size\\""',
            '299 - "unknown field \\"spec.sise\\""',
        ]
    strict = WIDGETS + "?fieldValidation=Strict"
    status, told = await client.call("POST", strict, data=body, headers={"Content-Type": "application/json"})
    assert (status, 'duplicate field "spec.size"' in told["message"]) == (400, True)


async def test_a_list_in_pages(client: Any) -> None:
    for name in ("a", "b", "c"):
        await client.make(name)
    first = (await client.call("GET", f"{WIDGETS}?limit=2"))[1]
    assert (len(first["items"]), first["metadata"]["remainingItemCount"]) == (2, 1)
    rest = (await client.call("GET", f"{WIDGETS}?limit=2&continue={first['metadata']['continue']}"))[1]
    assert [each["metadata"]["name"] for each in rest["items"]] == ["c"]
    assert rest["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}


async def test_a_table_of_one_and_of_many(client: Any) -> None:
    await client.make()
    for path in (WIDGETS, f"{WIDGETS}/one"):
        table = (await client.call("GET", path, headers={"Accept": TABLE}))[1]
        assert (table["kind"], len(table["rows"])) == ("Table", 1)
        assert table["metadata"]["resourceVersion"]


async def test_a_watch_goes_on_from_its_version(client: Any) -> None:
    made = await client.make()
    await client.make("two")
    version = made["metadata"]["resourceVersion"]
    async with client.open("GET", f"{WIDGETS}?watch=true&resourceVersion={version}") as stream:
        event = await line(stream)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "two")
        await client.call("DELETE", f"{WIDGETS}/one")
        event = await line(stream)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "one")
        assert int(event["object"]["metadata"]["resourceVersion"]) > int(version)


async def test_a_watch_without_a_version_starts_with_what_there_is(client: Any) -> None:
    await client.make()
    for version in ("", "&resourceVersion=0"):
        async with client.open("GET", f"{WIDGETS}?watch=1{version}") as stream:
            assert (await line(stream))["type"] == "ADDED"
    async with client.open("GET", f"{WIDGETS}/one?watch=1") as stream:
        assert (await line(stream))["object"]["metadata"]["name"] == "one"


async def test_a_streamed_list_ends_with_a_bookmark_that_says_so(client: Any) -> None:
    await client.make()
    query = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true"
    async with client.open("GET", f"{WIDGETS}?{query}&resourceVersionMatch=NotOlderThan") as stream:
        assert (await line(stream))["type"] == "ADDED"
        bookmark = await line(stream)
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await client.make("two")
        assert (await line(stream))["object"]["metadata"]["name"] == "two"
    assert (await client.call("GET", f"{WIDGETS}?{query}"))[0] == 400


async def test_a_watch_as_a_table_names_its_columns_once(client: Any) -> None:
    version = (await client.make())["metadata"]["resourceVersion"]
    path = f"{WIDGETS}?watch=true&resourceVersion={version}"
    async with client.open("GET", path, headers={"Accept": TABLE}) as stream:
        await client.make("two")
        await client.make("three")
        first, second = await line(stream), await line(stream)
        assert [row["cells"][0] for row in first["object"]["rows"]] == ["two"]
        assert first["object"]["columnDefinitions"][0]["name"] == "Name"
        assert second["object"]["columnDefinitions"] is None


async def test_a_version_that_is_no_longer_kept_is_told_in_the_stream(client: Any, api: Any) -> None:
    made = await client.make()
    widgets = api.server.registry.find("test.swell.dev", "v1", "widgets")
    for size in range(RING_EVENTS_MAX + 2):
        api.server.patch(widgets, "default", "one", {"spec": {"size": size + 10}}, "merge", api.caller)
    version = made["metadata"]["resourceVersion"]
    async with client.open("GET", f"{WIDGETS}?watch=true&resourceVersion={version}") as stream:
        assert stream.status == 200
        event = await line(stream)
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert await stream.content.read() == b""
    future = int(api.server.version) + 1000
    async with client.open("GET", f"{WIDGETS}?watch=true&resourceVersion={future}") as stream:
        assert (await line(stream))["object"]["code"] == 410
    assert (await client.call("GET", f"{WIDGETS}?watch=true&resourceVersion=x"))[0] == 400


async def test_a_watch_ends_when_its_time_is_over(client: Any, api: Any) -> None:
    version = api.server.version
    async with client.open("GET", f"{WIDGETS}?watch=true&resourceVersion={version}&timeoutSeconds=5") as stream:
        await client.make()
        assert (await line(stream))["type"] == "ADDED"
        api.clock.advance(6)
        async with asyncio.timeout(10):
            assert await stream.content.read() == b""
    assert api.watchers == 0


async def test_a_bookmark_comes_every_minute_and_says_how_far_the_watch_is(client: Any, api: Any) -> None:
    query = f"watch=true&resourceVersion={api.server.version}&allowWatchBookmarks=true"
    async with client.open("GET", f"{WIDGETS}?{query}") as stream:
        await client.call("POST", "/api/v1/namespaces/default/configmaps", json={"metadata": {"name": "other"}})
        api.clock.advance(BOOKMARK_INTERVAL_S + 1)
        bookmark = await line(stream)
        assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "Widget")
        assert bookmark["object"]["metadata"]["resourceVersion"] == api.server.version


async def test_a_client_that_goes_leaves_no_watcher(client: Any, api: Any) -> None:
    async with client.open("GET", f"{WIDGETS}?watch=true&resourceVersion={api.server.version}") as stream:
        assert api.watchers == 1
        stream.close()
    async with asyncio.timeout(10):
        while api.watchers:
            await asyncio.sleep(0.01)


async def test_a_client_that_goes_before_its_first_byte_leaves_no_trace(
    api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    front = _Front(api.server, "token", None)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return await front.handle(request)

    runner = web.ServerRunner(web.Server(handle, handler_cancellation=True, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{WIDGETS}?watch=1"
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer token"}) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(url)
    await runner.cleanup()
    assert caplog.records == []
    assert api.watchers == 0


async def test_closing_the_front_ends_watches(client: Any, api: Any) -> None:
    async with client.open("GET", f"{WIDGETS}?watch=true&resourceVersion={api.server.version}") as stream:
        closing = asyncio.create_task(client.front.close())
        with pytest.raises(aiohttp.ClientError):
            async with asyncio.timeout(10):
                await stream.content.read()
        await closing
    assert api.watchers == 0


async def test_discovery_plain_and_aggregated(client: Any) -> None:
    assert (await client.call("GET", "/api"))[1]["versions"] == ["v1"]
    groups = (await client.call("GET", "/apis"))[1]["groups"]
    assert {"apps", "test.swell.dev"} <= {group["name"] for group in groups}
    assert (await client.call("GET", "/apis/apps"))[1]["preferredVersion"] == {
        "groupVersion": "apps/v1",
        "version": "v1",
    }
    names = {each["name"] for each in (await client.call("GET", "/apis/test.swell.dev/v1"))[1]["resources"]}
    assert names == {"widgets", "widgets/status", "widgets/scale"}
    async with client.open("GET", "/apis", headers={"Accept": AGGREGATED}) as response:
        assert "as=APIGroupDiscoveryList" in response.headers["Content-Type"]
        assert response.headers["Vary"] == "Accept"
        tag = response.headers["ETag"]
        found = {each["metadata"]["name"]: each for each in (await response.json(content_type=None))["items"]}
    widgets = found["test.swell.dev"]["versions"][0]["resources"][0]
    assert widgets["responseKind"] == {"group": "test.swell.dev", "version": "v1", "kind": "Widget"}
    assert {each["subresource"] for each in widgets["subresources"]} == {"status", "scale"}
    assert (widgets["shortNames"], widgets["categories"], widgets["scope"]) == (["wd"], ["all"], "Namespaced")
    async with client.open("GET", "/apis", headers={"Accept": AGGREGATED, "If-None-Match": tag}) as response:
        assert response.status == 304


async def test_openapi_says_what_a_patch_takes_and_all_references_are_there(client: Any) -> None:
    paths = (await client.call("GET", "/openapi/v3"))[1]["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/test.swell.dev/v1"} <= paths.keys()
    for path in paths.values():
        async with client.open("GET", path["serverRelativeURL"]) as response:
            assert "immutable" in response.headers["Cache-Control"]
            text = await response.text()
        schemas = json.loads(text)["components"]["schemas"]
        assert {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]} <= schemas.keys()
    document = (await client.call("GET", "/openapi/v3/apis/test.swell.dev/v1"))[1]
    patch = document["paths"]["/apis/test.swell.dev/v1/namespaces/{namespace}/widgets/{name}"]["patch"]
    assert {"dryRun", "fieldValidation"} <= {each["name"] for each in patch["parameters"]}
    assert "application/merge-patch+json" in patch["requestBody"]["content"]
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
    assert (await client.call("GET", "/openapi/v2"))[0] == 404


async def test_a_pod_is_bound_and_evicted(client: Any) -> None:
    pods = "/api/v1/namespaces/default/pods"
    pod = {"metadata": {"name": "one"}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
    await client.call("POST", pods, json=pod)
    assert (await client.call("POST", f"{pods}/one/binding", json={"target": {"name": "local"}}))[0] == 201
    assert (await client.call("GET", f"{pods}/one"))[1]["spec"]["nodeName"] == "local"
    assert (await client.call("POST", f"{pods}/one/eviction", json={"deleteOptions": {"gracePeriodSeconds": 3}}))[
        0
    ] == 201
    assert (await client.call("GET", f"{pods}/one"))[1]["metadata"]["deletionGracePeriodSeconds"] == 3
    status, told = await client.call("GET", f"{pods}/one/log")
    assert (status, told["reason"]) == (501, "NotImplemented")


async def test_what_pods_use_is_read_and_neither_watched_nor_written(client: Any) -> None:
    metrics = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods"
    status, told = await client.call("GET", metrics)
    assert (status, told["kind"], told["items"]) == (200, "PodMetricsList", [])
    assert (await client.call("GET", f"{metrics}?watch=true"))[0] == 405
    assert (await client.call("POST", metrics, json={"metadata": {"name": "a"}}))[0] == 405
    assert (await client.call("DELETE", f"{metrics}/a"))[0] == 405
    _, group = await client.call("GET", "/apis/metrics.k8s.io/v1beta1")
    assert [(each["name"], each["verbs"]) for each in group["resources"]] == [("pods", ["get", "list"])]
