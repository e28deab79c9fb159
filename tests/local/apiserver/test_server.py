"""What happens to objects on their way in: names, versions, generations, unknown fields, status, deletion."""

from __future__ import annotations

import re
from typing import Any

import pytest

from swell.api.kinds import (
    CONFIG_MAP,
    CORE_SERVICE,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    EVENT,
    NAMESPACE,
    POD,
    SECRET,
    Kind,
)
from swell.api.meta import Obj
from swell.kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, KubeError, NotFound
from swell.local.apiserver.selection import Selection
from swell.local.apiserver.server import EVENTS_MAX, bootstrap
from swell.local.apiserver.writes import Caller

WIDGET = Kind("test.swell.dev", "v1", "Widget", "widgets")


def widget(name: str = "one", **spec: Any) -> Obj:
    return {"metadata": {"name": name}, "spec": {"size": 1, **spec}}


def config_map(name: str = "one", **more: Any) -> Obj:
    return {"metadata": {"name": name, **more.pop("metadata", {})}, **more}


def deployment(**spec: Any) -> Obj:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "app", "image": "x"}]}}
    return {
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
    }


def pod(node: str = "") -> Obj:
    spec: Obj = {"containers": [{"name": "app", "image": "x"}]}
    return {"metadata": {"name": "one"}, "spec": {**spec, "nodeName": node} if node else spec}


def changed(obj: Obj, **parts: Any) -> Obj:
    return {**obj, **parts}


def test_a_new_object_gets_what_the_server_owns(api: Any) -> None:
    sent = widget()
    sent["metadata"] |= {"uid": "mine", "generation": 7, "creationTimestamp": "2000-01-01T00:00:00Z"}
    made = api.create(WIDGET, sent)
    meta = made["metadata"]
    assert re.fullmatch(r"[0-9a-f-]{36}", meta["uid"])
    assert (meta["generation"], meta["creationTimestamp"]) == (1, "2023-11-14T22:13:20Z")
    assert (made["apiVersion"], made["kind"]) == ("test.swell.dev/v1", "Widget")
    assert meta["resourceVersion"] == api.server.version
    assert "uid" in sent["metadata"], "what was sent stays as it was"
    assert sent["metadata"]["uid"] == "mine"


def test_a_name_is_generated_with_five_characters(api: Any) -> None:
    made = api.create(CONFIG_MAP, {"metadata": {"generateName": "map-"}})
    assert re.fullmatch(r"map-[a-z0-9]{5}", made["metadata"]["name"])
    assert made["metadata"]["generateName"] == "map-"


def test_the_same_name_again_is_refused(api: Any) -> None:
    api.create(CONFIG_MAP, config_map())
    with pytest.raises(AlreadyExists, match='configmaps "one" already exists'):
        api.create(CONFIG_MAP, config_map())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../../x", 'Invalid value: "../../x": a lowercase RFC 1123 label must consist'),
        ("App", 'Invalid value: "App": a lowercase RFC 1123 label must consist'),
        ("a.b", 'Invalid value: "a.b": must not contain dots'),
        ("x" * 64, "must be no more than 63"),
        ("", 'Invalid value: ""'),
    ],
)
def test_a_container_has_a_name_that_can_be_one(api: Any, name: str, told: str) -> None:
    bad = {"name": name, "image": "x"}
    for key in ("containers", "initContainers"):
        sent = pod()
        sent["spec"] = {"containers": [{"name": "ok", "image": "x"}], **{key: [bad]}}
        with pytest.raises(Invalid) as caught:
            api.create(POD, sent)
        assert f"spec.{key}[0].name: " in caught.value.message
        assert told in caught.value.message
    sent = deployment()
    sent["spec"]["template"]["spec"]["containers"] = [bad]
    with pytest.raises(Invalid, match=r"spec\.template\.spec\.containers\[0\]\.name: "):
        api.create(DEPLOYMENT, sent)


def test_the_containers_of_a_pod_have_different_names(api: Any) -> None:
    sent = pod()
    sent["spec"]["initContainers"] = [{"name": "app", "image": "x"}]
    with pytest.raises(Invalid) as caught:
        api.create(POD, sent)
    assert 'spec.initContainers[0].name: Duplicate value: "app"' in caught.value.message
    causes = caught.value.details["causes"]
    assert [cause["reason"] for cause in causes] == ["FieldValueDuplicate"]


def test_a_readiness_gate_without_its_condition_is_refused(api: Any) -> None:
    sent = pod()
    sent["spec"]["readinessGates"] = [{}]
    with pytest.raises(Invalid, match=r"spec\.readinessGates\[0\]\.conditionType: Required value"):
        api.create(POD, sent)


@pytest.mark.parametrize("name", ["Upper", "under_score", "-x", "x" * 254, "", "a/b"])
def test_a_name_that_is_not_legal_is_refused(api: Any, name: str) -> None:
    with pytest.raises(Invalid, match=r"metadata\.name"):
        api.create(CONFIG_MAP, config_map(name))


@pytest.mark.parametrize(
    "metadata",
    [{"labels": {"a b": "c"}}, {"labels": {"a": "b c"}}, {"labels": {"a": "x" * 64}}, {"annotations": {"/x": "y"}}],
)
def test_labels_and_annotations_that_are_not_legal_are_refused(api: Any, metadata: Obj) -> None:
    with pytest.raises(Invalid, match=r"metadata\.(labels|annotations)"):
        api.create(CONFIG_MAP, config_map(metadata=metadata))


def test_an_old_version_is_a_conflict_and_none_is_not(api: Any) -> None:
    first = api.create(WIDGET, widget())
    second = api.update(WIDGET, changed(first, spec={"size": 2}))
    with pytest.raises(Conflict, match="the object has been modified"):
        api.update(WIDGET, changed(first, spec={"size": 3}))
    unversioned = {**second["metadata"]}
    del unversioned["resourceVersion"]
    assert api.update(WIDGET, changed(second, metadata=unversioned, spec={"size": 3}))["spec"]["size"] == 3


def test_another_uid_is_a_conflict(api: Any) -> None:
    made = api.create(WIDGET, widget())
    with pytest.raises(Conflict, match="UID in precondition"):
        api.update(WIDGET, changed(made, metadata={**made["metadata"], "uid": "other"}))


def test_the_generation_counts_changes_of_the_spec_only(api: Any) -> None:
    made = api.create(WIDGET, widget())
    labelled = api.update(WIDGET, changed(made, metadata={**made["metadata"], "labels": {"a": "b"}}))
    assert labelled["metadata"]["generation"] == 1
    told = api.update(WIDGET, changed(labelled, status={"phase": "Good"}), "status")
    assert told["metadata"]["generation"] == 1
    assert api.update(WIDGET, changed(told, spec={"size": 2}))["metadata"]["generation"] == 2


def test_a_write_that_changes_nothing_writes_nothing(api: Any) -> None:
    made = api.create(WIDGET, widget())
    before = api.server.version
    assert api.update(WIDGET, made)["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert api.server.version == before


def test_status_and_spec_are_written_through_their_own_doors(api: Any) -> None:
    made = api.create(WIDGET, {**widget(), "status": {"phase": "Early"}})
    assert "status" not in made
    both = changed(made, spec={"size": 5}, status={"phase": "Good"})
    through_status = api.update(WIDGET, both, "status")
    assert through_status["spec"]["size"] == 1
    assert through_status["status"] == {"phase": "Good"}
    again = changed(through_status, spec={"size": 6}, status={"phase": "Bad"})
    through_main = api.update(WIDGET, again)
    assert (through_main["spec"]["size"], through_main["status"]) == (6, {"phase": "Good"})


def test_unknown_fields_are_dropped_or_told(api: Any) -> None:
    sent = widget(sise=2, any={"free": 1}, parts=[{"name": "x", "colour": "y"}])
    assert api.create(WIDGET, sent)["spec"] == {
        "size": 1,
        "colour": "red",
        "any": {"free": 1},
        "parts": [{"name": "x"}],
    }
    heard: list[str] = []
    api.create(WIDGET, {**sent, "metadata": {"name": "two"}}, validation="Warn", warn=heard.append)
    assert heard == ['unknown field "spec.parts[0].colour"', 'unknown field "spec.sise"']
    with pytest.raises(Invalid, match='strict decoding error: unknown field "spec.parts.0..colour"'):
        api.create(WIDGET, {**sent, "metadata": {"name": "three"}}, validation="Strict")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"size": "x"}, "spec.size in body must be of type integer"),
        ({"size": -1}, "spec.size in body should be greater than or equal to 0"),
        ({"colour": "blue"}, 'supported values: "red", "green"'),
        ({"size": None}, "spec.size: Required value"),
        ({"parts": [{}]}, r"spec\.parts\[0\]\.name: Required value"),
    ],
)
def test_values_that_the_schema_does_not_allow_are_refused(api: Any, spec: Obj, told: str) -> None:
    with pytest.raises(Invalid, match=told) as caught:
        api.create(WIDGET, widget(**spec))
    assert caught.value.status == 422
    assert caught.value.details["causes"][0]["field"].startswith("spec.")


def test_a_dry_run_shows_the_outcome_and_stores_nothing(api: Any) -> None:
    assert api.create(WIDGET, widget(), dry_run=True)["spec"]["colour"] == "red"
    with pytest.raises(NotFound):
        api.get(WIDGET, "one")
    made = api.create(WIDGET, widget())
    assert api.update(WIDGET, changed(made, spec={"size": 9}), dry_run=True)["spec"]["size"] == 9
    assert api.get(WIDGET, "one")["spec"]["size"] == 1


def test_built_in_kinds_get_their_defaults(api: Any) -> None:
    spec = api.create(DEPLOYMENT, deployment())["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "RollingUpdate")
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert api.create(SECRET, config_map(stringData={"a": "b"}))["data"] == {"a": "Yg=="}
    ports = api.create(CORE_SERVICE, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})["spec"]["ports"]
    assert ports == [{"port": 80, "protocol": "TCP", "targetPort": 80}]


def test_a_deployment_whose_selector_misses_its_template_is_refused(api: Any) -> None:
    with pytest.raises(Invalid, match="selector"):
        api.create(DEPLOYMENT, deployment(selector={"matchLabels": {"other": "x"}}))


def test_an_object_in_a_namespace_that_is_not_there_is_refused(api: Any) -> None:
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        api.create(CONFIG_MAP, config_map(), "nowhere")
    with pytest.raises(Invalid, match="does not match the namespace"):
        api.create(CONFIG_MAP, config_map(metadata={"namespace": "other"}))


def test_a_namespace_that_ends_takes_no_new_objects(api: Any) -> None:
    api.create(NAMESPACE, {"metadata": {"name": "team"}}, "")
    after, gone = api.delete(NAMESPACE, "team", "")
    assert not gone
    assert after["status"]["phase"] == "Terminating"
    with pytest.raises(Forbidden, match="being terminated"):
        api.create(CONFIG_MAP, config_map(), "team")
    api.update(NAMESPACE, changed(after, spec={"finalizers": []}), "finalize")
    with pytest.raises(NotFound):
        api.get(NAMESPACE, "team", "")


def test_finalizers_keep_an_object_until_the_last_is_gone(api: Any) -> None:
    made = api.create(WIDGET, {**widget(), "metadata": {"name": "one", "finalizers": ["x/a", "x/b"]}})
    after, gone = api.delete(WIDGET, "one")
    assert not gone
    assert after["metadata"]["deletionTimestamp"]
    assert after["metadata"]["generation"] == made["metadata"]["generation"] + 1
    one_left = api.update(WIDGET, changed(after, metadata={**after["metadata"], "finalizers": ["x/b"]}))
    with pytest.raises(Invalid, match="no new finalizers can be added"):
        api.update(WIDGET, changed(one_left, metadata={**one_left["metadata"], "finalizers": ["x/b", "x/c"]}))
    api.update(WIDGET, changed(one_left, metadata={**one_left["metadata"], "finalizers": []}))
    with pytest.raises(NotFound):
        api.get(WIDGET, "one")


def test_foreground_and_orphan_deletion_leave_a_finalizer_for_the_collector(api: Any) -> None:
    api.create(WIDGET, widget("fore"))
    api.create(WIDGET, widget("orphan"))
    fore, _ = api.delete(WIDGET, "fore", propagation="Foreground")
    orphan, _ = api.delete(WIDGET, "orphan", propagation="Orphan")
    assert fore["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert orphan["metadata"]["finalizers"] == ["orphan"]


def test_preconditions_of_a_delete(api: Any) -> None:
    made = api.create(WIDGET, widget())
    with pytest.raises(Conflict, match="UID in precondition"):
        api.delete(WIDGET, "one", uid="other")
    with pytest.raises(Conflict, match="ResourceVersion in the precondition"):
        api.delete(WIDGET, "one", resource_version="1")
    assert api.delete(WIDGET, "one", uid=made["metadata"]["uid"])[1]


def test_a_pod_on_a_node_has_its_grace_period_and_another_goes_at_once(api: Any) -> None:
    api.create(POD, pod("here"))
    after, gone = api.delete(POD, "one")
    assert not gone
    assert after["metadata"]["deletionGracePeriodSeconds"] == 30
    shorter, _ = api.delete(POD, "one", grace_s=5)
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    longer, _ = api.delete(POD, "one", grace_s=60)
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 5
    assert api.delete(POD, "one", grace_s=0)[1]
    api.create(POD, pod())
    assert api.delete(POD, "one")[1]


def test_scale_reads_and_writes_the_replicas(api: Any) -> None:
    api.create(DEPLOYMENT, deployment(replicas=3))
    deployments = api.server.registry.of(DEPLOYMENT)
    scale = api.server.scale(deployments, "default", "web")
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 3}, "a=b")
    api.server.patch(deployments, "default", "web", {"spec": {"replicas": 5}}, "merge", Caller(), "scale")
    assert api.get(DEPLOYMENT, "web")["spec"]["replicas"] == 5
    with pytest.raises(Invalid, match=r"spec\.replicas"):
        api.server.patch(deployments, "default", "web", {"spec": {"replicas": -1}}, "merge", Caller(), "scale")


def test_strategic_patches_are_for_built_in_kinds_only(api: Any) -> None:
    api.create(WIDGET, widget())
    with pytest.raises(KubeError) as caught:
        api.server.patch(api.server.registry.of(WIDGET), "default", "one", {"spec": {}}, "strategic", Caller())
    assert caught.value.status == 415


def test_a_definition_adds_a_kind_and_takes_its_objects_along(api: Any) -> None:
    api.create(WIDGET, widget())
    after, gone = api.delete(CUSTOM_RESOURCE_DEFINITION, "widgets.test.swell.dev", "")
    assert not gone
    assert after["metadata"]["deletionTimestamp"]
    with pytest.raises(NotFound):
        api.server.registry.of(WIDGET)
    with pytest.raises(NotFound):
        api.get(CUSTOM_RESOURCE_DEFINITION, "widgets.test.swell.dev", "")


def test_bootstrap_again_changes_nothing(api: Any) -> None:
    definition = api.get(CUSTOM_RESOURCE_DEFINITION, "widgets.test.swell.dev", "")
    before = api.server.version
    sent = {**definition, "metadata": {"name": "widgets.test.swell.dev"}}
    bootstrap(api.server, [sent], ["default"])
    assert api.server.version == before


async def test_a_watch_hears_of_each_write_with_its_version(api: Any) -> None:
    widgets = api.server.registry.of(WIDGET)
    watch = api.server.watch(widgets, "default", Selection(labels="a=b"), api.server.version)
    api.create(WIDGET, widget("unseen"))
    made = api.create(WIDGET, {**widget(), "metadata": {"name": "one", "labels": {"a": "b"}}})
    api.update(WIDGET, changed(made, spec={"size": 2}))
    api.delete(WIDGET, "one")
    events = [await watch.next() for _ in range(3)]
    assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_events_are_bounded(api: Any) -> None:
    for number in range(EVENTS_MAX + 1):
        event = {
            "metadata": {"name": f"e{number}"},
            "involvedObject": {"kind": "Pod", "name": "x", "namespace": "default"},
        }
        api.create(EVENT, event)
    left = api.server.list(api.server.registry.of(EVENT), None).items
    assert len(left) == EVENTS_MAX // 2 + 1
    assert {"e0", f"e{EVENTS_MAX}"} & {each["metadata"]["name"] for each in left} == {f"e{EVENTS_MAX}"}
