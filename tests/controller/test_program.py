"""The whole chain over the real API server: a Service is applied, and everything follows by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp

from controller.program import Settings, run
from swell.api import labels
from swell.api.kinds import (
    CONFIG_MAP,
    CONFIGURATION,
    CORE_SERVICE,
    DEPLOYMENT,
    EVENT,
    LEASE,
    POD,
    POD_AUTOSCALER,
    REVISION,
    ROUTE,
    SERVICE,
)
from swell.api.meta import Obj, is_controlled_by
from swell.runtime.clock import SystemClock
from swell.testing.clock import settle
from swell.testing.peers import free_port

Cluster = Any
Says = Callable[..., Obj]

BACK_OFF = {"reason": "ImagePullBackOff", "message": 'no image "hello": swell image add hello DIR'}


async def test_a_service_becomes_ready_when_its_pods_are(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    status = (await cluster.ready())["status"]
    assert status["url"] == "http://svc.ns.localhost:8080"
    assert status["address"] == {"url": "http://svc.ns.svc.cluster.local"}
    assert status["latestCreatedRevisionName"] == status["latestReadyRevisionName"] == "svc-00001"
    assert status["traffic"] == [{"revisionName": "svc-00001", "percent": 100, "latestRevision": True}]
    assert cluster.counted.reads == 0, "everything comes from the caches"


async def test_children_are_owned_from_top_to_bottom(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    service = await cluster.ready()
    configuration, route = await cluster.get(CONFIGURATION, "svc"), await cluster.get(ROUTE, "svc")
    revision = await cluster.get(REVISION, "svc-00001")
    owners = [
        (configuration, service),
        (route, service),
        (revision, configuration),
        (await cluster.get(CORE_SERVICE, "svc"), route),
        (await cluster.get(DEPLOYMENT, "svc-00001-deployment"), revision),
        (await cluster.get(POD_AUTOSCALER, "svc-00001"), revision),
    ]
    for child, owner in owners:
        assert is_controlled_by(child, owner["metadata"]["uid"]), child["kind"]


async def test_a_change_moves_traffic_only_when_the_new_revision_is_ready(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()
    await cluster.apply(image="other")
    pending = await cluster.until(SERVICE, "svc", lambda s: s["status"]["latestCreatedRevisionName"] == "svc-00002")
    assert pending["status"]["traffic"][0]["revisionName"] == "svc-00001"
    await cluster.run_pods("svc-00002")
    route = await cluster.get(ROUTE, "svc")
    assert route["status"]["traffic"][0]["revisionName"] == "svc-00001"
    await cluster.autoscale("svc-00002")
    service = await cluster.until(SERVICE, "svc", lambda s: s["status"]["traffic"][0]["revisionName"] == "svc-00002")
    assert service["status"]["latestReadyRevisionName"] == "svc-00002"
    await cluster.ready()


async def test_case_43_the_old_revision_goes_into_reserve(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()
    await cluster.apply(image="other")
    await cluster.serve("svc-00002")
    reserved = await cluster.until(
        REVISION, "svc-00001", lambda r: r["metadata"]["labels"][labels.ROUTING_STATE] == "reserve"
    )
    assert labels.ROUTES not in reserved["metadata"]["annotations"]
    await cluster.until(POD_AUTOSCALER, "svc-00001", lambda pa: pa["spec"].get("reachability") == "Unreachable")
    assert (await cluster.get(POD_AUTOSCALER, "svc-00002"))["spec"]["reachability"] == "Reachable"


async def test_an_image_that_cannot_be_had_is_told_at_once_and_heals(cluster: Cluster, says: Says) -> None:
    await cluster.apply()
    pod = await cluster.break_pod("svc-00001", waiting=BACK_OFF)
    service = await cluster.until(SERVICE, "svc", lambda s: "swell image add" in says(s).get("message", ""))
    assert says(service)["status"] == "Unknown"
    for kind, name, type in ((REVISION, "svc-00001", "ResourcesAvailable"), (CONFIGURATION, "svc", "Ready")):
        found = says(await cluster.get(kind, name), type)
        assert (found["reason"], found["message"]) == (BACK_OFF["reason"], BACK_OFF["message"])
    assert (await cluster.get(POD_AUTOSCALER, "svc-00001"))["spec"]["reachability"] == "Reachable"
    container = {**pod["status"]["containerStatuses"][0], "state": {"running": {}}}
    running = {**pod["status"], "containerStatuses": [container]}
    await cluster.kube.update(POD, {**pod, "status": running}, subresource="status")
    await cluster.serve("svc-00001")
    await cluster.ready()


async def test_case_c4_an_app_that_ends_fails_service_configuration_route_and_revision(
    cluster: Cluster, says: Says
) -> None:
    await cluster.apply()
    await cluster.break_pod("svc-00001", ended={"exitCode": 3, "message": "no database\n"})
    service = await cluster.until(SERVICE, "svc", lambda s: says(s).get("status") == "False")
    assert "Container failed with: no database" in says(service, "ConfigurationsReady")["message"]
    assert says(service, "RoutesReady")["reason"] == "RevisionMissing"
    assert says(await cluster.get(REVISION, "svc-00001"))["reason"] == "ExitCode3"
    await cluster.until(POD_AUTOSCALER, "svc-00001", lambda pa: pa["spec"].get("reachability") == "Unreachable")


async def test_a_second_start_writes_nothing(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()
    await cluster.stop()
    before = cluster.server.version
    await cluster.start()
    # Once a Service that is made now is through, all that was there before has been looked at.
    await cluster.apply("later")
    await cluster.serve("later-00001")
    await cluster.ready("later")
    await cluster.stop()
    touched = await cluster.touched_since(before)
    assert {name for name in touched if not name.startswith("later")} == set()


async def test_new_settings_reach_pods_and_urls_of_what_is_there(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()
    patch = {"data": {"swell.external-port": "80"}}
    await cluster.kube.patch(CONFIG_MAP, "swell-system", "config-network", patch)
    await cluster.until(SERVICE, "svc", lambda s: s["status"]["url"] == "http://svc.ns.localhost")
    await cluster.config("config-deployment", {"queue-sidecar-image": "queue:2"})
    deployment = await cluster.until(
        DEPLOYMENT,
        "svc-00001-deployment",
        lambda d: d["spec"]["template"]["spec"]["containers"][-1]["image"] == "queue:2",
    )
    assert deployment["spec"]["replicas"] == 1


async def test_settings_that_cannot_be_used_change_nothing(cluster: Cluster) -> None:
    await cluster.config("config-deployment", {"progress-deadline": "soon"})
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()


async def test_tags_have_urls_and_percents(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()
    traffic = [
        {"revisionName": "svc-00001", "percent": 70, "tag": "old"},
        {"latestRevision": True, "percent": 30, "tag": "new"},
    ]
    await cluster.apply(image="other")
    await cluster.kube.patch(SERVICE, "ns", "svc", {"spec": {"traffic": traffic}})
    await cluster.serve("svc-00002")
    service = await cluster.ready()
    assert service["status"]["traffic"] == [
        {
            "revisionName": "svc-00001",
            "percent": 70,
            "latestRevision": False,
            "tag": "old",
            "url": "http://old-svc.ns.localhost:8080",
        },
        {
            "revisionName": "svc-00002",
            "percent": 30,
            "latestRevision": True,
            "tag": "new",
            "url": "http://new-svc.ns.localhost:8080",
        },
    ]


async def test_a_name_that_is_somebody_elses_is_told_and_left_alone(cluster: Cluster, says: Says) -> None:
    foreign = {"metadata": {"name": "svc", "namespace": "ns"}, "spec": {"ports": [{"port": 80}]}}
    await cluster.kube.create(CORE_SERVICE, foreign)
    await cluster.apply()
    service = await cluster.until(SERVICE, "svc", lambda s: says(s, "RoutesReady").get("reason") == "NotOwned")
    assert "existing placeholder Service" in says(service, "RoutesReady")["message"]
    assert "ownerReferences" not in (await cluster.get(CORE_SERVICE, "svc"))["metadata"]
    events = (await cluster.kube.list(EVENT, "ns")).items
    assert "InternalError" in {event["reason"] for event in events}
    # When the name is free again, everything goes on by itself.
    await cluster.kube.delete(CORE_SERVICE, "ns", "svc")
    await cluster.serve("svc-00001")
    await cluster.ready()


async def test_case_c1_each_change_of_the_template_makes_a_generation(cluster: Cluster) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"image": "other"},
        {"image": "other", "metadata": {"labels": {"a": "b"}}},
        {"image": "other", "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}},
    ]
    for number, change in enumerate(changes, 1):
        await cluster.apply(**change)
        await cluster.serve(f"svc-{number:05d}")
        service = await cluster.until(
            SERVICE, "svc", lambda s, name=f"svc-{number:05d}": s["status"].get("latestReadyRevisionName") == name
        )
        assert service["status"]["latestCreatedRevisionName"] == f"svc-{number:05d}"
        revision = await cluster.get(REVISION, f"svc-{number:05d}")
        assert revision["metadata"]["labels"][labels.CONFIGURATION_GENERATION] == str(number)


async def test_events_tell_the_story(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()
    events = (await cluster.kube.list(EVENT, "ns")).items
    told = {(event["involvedObject"]["kind"], event["reason"]) for event in events}
    assert told == {
        ("Service", "Created"),
        ("Configuration", "Created"),
        ("Configuration", "ConfigurationReady"),
        ("Configuration", "LatestReadyUpdate"),
        ("Revision", "RevisionReady"),
        ("Route", "Created"),
    }


async def test_old_revisions_beyond_the_limit_are_deleted(cluster: Cluster) -> None:
    await cluster.config("config-gc", {"min-non-active-revisions": "0", "max-non-active-revisions": "1"})
    for number, image in enumerate(("one", "two", "three"), 1):
        name = f"svc-{number:05d}"
        await cluster.apply(image=image)
        await cluster.serve(name)
        await cluster.until(SERVICE, "svc", lambda s, name=name: s["status"].get("latestReadyRevisionName") == name)
    await cluster.gone(REVISION, "svc-00001")
    left = {each["metadata"]["name"] for each in (await cluster.kube.list(REVISION, "ns")).items}
    assert left == {"svc-00002", "svc-00003"}


async def test_a_service_made_anew_does_not_take_its_predecessors_revision_for_its_own(
    cluster: Cluster, says: Says
) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    before = await cluster.ready()
    # Nothing collects what a deleted owner leaves: this test does, once the new Service has seen it all.
    await cluster.kube.delete(SERVICE, "ns", "svc")
    await cluster.apply(image="other")
    service = await cluster.until(SERVICE, "svc", lambda s: says(s).get("reason") == "OutOfDate")
    assert service["metadata"]["uid"] != before["metadata"]["uid"]
    for kind, name in (
        (CONFIGURATION, "svc"),
        (ROUTE, "svc"),
        (REVISION, "svc-00001"),
        (CORE_SERVICE, "svc"),
        (DEPLOYMENT, "svc-00001-deployment"),
        (POD_AUTOSCALER, "svc-00001"),
    ):
        await cluster.kube.delete(kind, "ns", name)
    deployment = await cluster.until(
        DEPLOYMENT,
        "svc-00001-deployment",
        lambda d: d["spec"]["template"]["spec"]["containers"][0]["image"] == "other",
    )
    assert deployment["spec"]["replicas"] == 1
    await cluster.serve("svc-00001")
    await cluster.ready()
    reasons = {event["reason"] for event in (await cluster.kube.list(EVENT, "ns")).items}
    assert "InternalError" not in reasons


async def test_who_stands_by_is_ready_and_says_that_it_does_not_lead(cluster: Cluster) -> None:
    await cluster.stop()
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    standby = Settings(leader_election=True, pod_name="second", listen_ip="127.0.0.1", admin_port=free_port())
    await cluster.start(Settings(leader_election=True, pod_name="first"))
    await cluster.until_leads("first")
    running = asyncio.create_task(run(standby, cluster.counted, SystemClock(), stop, ready.set_result))
    await ready
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{standby.admin_port}") as session:
        assert [(await session.get(path)).status for path in ("/livez", "/readyz")] == [200, 200]
        found = await (await session.get("/metrics")).text()
        assert 'swell_leader{lease="swell-controller"} 0.0' in found
        assert 'swell_queue_depth{controller="revision"} 1.0' in found, "it knows what it would have to do"
        await cluster.stop()
        await cluster.until_leads("second")
        await cluster.apply("next")
        await cluster.serve("next-00001")
        await cluster.ready("next")
        found = await (await session.get("/metrics")).text()
        assert 'swell_leader{lease="swell-controller"} 1.0' in found
        assert 'swell_reconciliations_total{controller="revision",outcome="done"}' in found
    stop.set()
    await running


async def test_of_two_controllers_only_the_leader_works_and_the_other_takes_over(cluster: Cluster) -> None:
    await cluster.stop()
    await cluster.start(Settings(leader_election=True, pod_name="first"))
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()
    lease = await cluster.kube.get(LEASE, "swell-system", "swell-controller")
    assert lease["spec"]["holderIdentity"] == "first"
    await cluster.stop()
    await cluster.start(Settings(leader_election=True, pod_name="second"))
    await cluster.apply("next")
    await cluster.serve("next-00001")
    await cluster.ready("next")


async def test_deleting_a_service_writes_nothing_more_to_what_goes_with_it(cluster: Cluster) -> None:
    await cluster.apply()
    await cluster.serve("svc-00001")
    await cluster.ready()
    before = cluster.server.version
    await cluster.kube.delete(SERVICE, "ns", "svc")
    for kind in (ROUTE, CONFIGURATION):
        await cluster.kube.delete(kind, "ns", "svc")
    await cluster.apply("later")
    await cluster.serve("later-00001")
    await cluster.ready("later")
    touched = await cluster.touched_since(before)
    assert {name for name in touched if not name.startswith("later")} == set()


async def test_case_c6_a_route_and_a_configuration_of_their_own_serve_and_follow_a_new_image(cluster: Cluster) -> None:
    def containers(image: str) -> Obj:
        return {"spec": {"template": {"spec": {"containers": [{"image": image}]}}}}

    meta = {"name": "own", "namespace": "ns"}
    traffic = [{"configurationName": "conf", "percent": 100}]
    await cluster.kube.create(CONFIGURATION, {"metadata": {**meta, "name": "conf"}, **containers("hello")})
    await cluster.kube.create(ROUTE, {"metadata": meta, "spec": {"traffic": traffic}})
    await cluster.serve("conf-00001")
    route = await cluster.until(ROUTE, "own", lambda r: r.get("status", {}).get("traffic"))
    assert route["status"]["url"] == "http://own.ns.localhost:8080"
    await cluster.until(REVISION, "conf-00001", lambda r: r["metadata"]["labels"][labels.ROUTING_STATE] == "active")
    await cluster.until(CONFIGURATION, "conf", lambda c: c["metadata"]["annotations"].get(labels.ROUTES) == "own")
    await cluster.kube.patch(CONFIGURATION, "ns", "conf", containers("other"))
    await cluster.serve("conf-00002")
    await cluster.until(ROUTE, "own", lambda r: r["status"]["traffic"][0]["revisionName"] == "conf-00002")
    await cluster.kube.delete(ROUTE, "ns", "own")
    await cluster.until(REVISION, "conf-00002", lambda r: r["metadata"]["labels"][labels.ROUTING_STATE] == "reserve")


async def test_case_c3_metadata_of_a_configuration_makes_no_revision(cluster: Cluster) -> None:
    spec = {"template": {"spec": {"containers": [{"image": "hello"}]}}}
    await cluster.kube.create(CONFIGURATION, {"metadata": {"name": "conf", "namespace": "ns"}, "spec": spec})
    await cluster.serve("conf-00001")
    await cluster.kube.patch(CONFIGURATION, "ns", "conf", {"metadata": {"labels": {"team": "a"}}})
    await cluster.apply("later")
    await cluster.serve("later-00001")
    await cluster.ready("later")
    made = {each["metadata"]["name"]: each for each in (await cluster.kube.list(REVISION, "ns")).items}
    assert set(made) == {"conf-00001", "later-00001"}
    assert "team" not in made["conf-00001"]["metadata"]["labels"]


async def test_case_c2_named_revisions_and_going_back_to_an_older_one_by_its_name(cluster: Cluster) -> None:
    for name, image in (("svc-v1", "hello"), ("svc-v2", "other")):
        await cluster.apply(image=image, metadata={"name": name})
        await cluster.serve(name)
        await cluster.until(SERVICE, "svc", lambda s, name=name: s["status"].get("latestReadyRevisionName") == name)
    await cluster.ready()
    await cluster.apply(image="hello", metadata={"name": "svc-v1"})
    service = await cluster.until(SERVICE, "svc", lambda s: s["status"]["traffic"][0]["revisionName"] == "svc-v1")
    assert service["status"]["latestCreatedRevisionName"] == "svc-v1"
    await cluster.ready()
    assert len((await cluster.kube.list(REVISION, "ns")).items) == 2


async def test_case_29_a_taken_revision_name_is_told_and_given_when_it_is_free(cluster: Cluster, says: Says) -> None:
    spec = {"template": {"metadata": {"name": "svc-v1"}, "spec": {"containers": [{"image": "hello"}]}}}
    taken = {"metadata": {"name": "svc-v1", "namespace": "ns"}, "spec": spec["template"]["spec"]}
    await cluster.kube.create(REVISION, taken)
    await cluster.apply(metadata={"name": "svc-v1"})
    service = await cluster.until(SERVICE, "svc", lambda s: says(s, "RoutesReady").get("reason") == "RevisionNameTaken")
    assert says(service, "ConfigurationsReady")["reason"] == "RevisionFailed"
    for kind, name in ((DEPLOYMENT, "svc-v1-deployment"), (POD_AUTOSCALER, "svc-v1"), (REVISION, "svc-v1")):
        await cluster.kube.delete(kind, "ns", name)
    await cluster.serve("svc-v1")
    await cluster.ready()


async def test_a_trouble_that_lasts_is_written_once(cluster: Cluster, says: Says) -> None:
    await cluster.apply()
    await cluster.break_pod("svc-00001", waiting=BACK_OFF)
    await cluster.until(SERVICE, "svc", lambda s: says(s).get("reason") == BACK_OFF["reason"])
    before = cluster.counted.writes.total()
    for number in range(3):
        noted = {"metadata": {"annotations": {"looked": str(number)}}}
        await cluster.kube.patch(DEPLOYMENT, "ns", "svc-00001-deployment", noted)
        await cluster.kube.patch(ROUTE, "ns", "svc", {"metadata": {"finalizers": [f"example.com/{number}"]}})
        await settle(200)
    assert cluster.counted.writes.total() == before
