"""The real kubectl against the API server: what people type, and what they see."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import pytest
import yaml

Kubectl = Callable[..., str]
WIDGET = "widget.test.swell.dev"


def widget(name: str, **spec: Any) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "test.swell.dev/v1",
            "kind": "Widget",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"size": 1, **spec},
        }
    )


def spec_of(kubectl: Kubectl, *what: str) -> Any:
    return json.loads(kubectl("get", *what, "-o", "json"))["spec"]


@contextlib.contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[TextIO]:
    """Its stdout; it is ended afterwards."""
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def test_apply_creates_then_changes_then_leaves_alone(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=widget("one")) == f"{WIDGET}/one created\n"
    assert kubectl("apply", "-f", "-", stdin=widget("one")) == f"{WIDGET}/one unchanged\n"
    assert kubectl("apply", "-f", "-", stdin=widget("one", size=2)) == f"{WIDGET}/one configured\n"
    found = json.loads(kubectl("get", "wd", "one", "-o", "json"))
    assert found["spec"] == {"size": 2, "colour": "red"}
    assert found["metadata"]["generation"] == 2


def test_apply_takes_away_what_left_the_manifest(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=widget("one", replicas=3))
    kubectl("apply", "-f", "-", stdin=widget("one"))
    assert "replicas" not in spec_of(kubectl, "wd", "one")


def test_apply_of_a_deployment_merges_containers_by_name(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=nginx:1")
    manifest = yaml.safe_load(kubectl("get", "deploy", "web", "-o", "yaml"))
    del manifest["metadata"]["resourceVersion"]
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "second", "image": "other:1"}]}}}}
    kubectl("patch", "deploy", "web", "-p", json.dumps(patch))
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))
    containers = spec_of(kubectl, "deploy", "web")["template"]["spec"]["containers"]
    assert {each["name"]: each["image"] for each in containers} == {"nginx": "nginx:2", "second": "other:1"}


def test_a_table_has_the_columns_of_the_kind_and_more_when_wide(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=widget("one", size=5, colour="green"))
    header, row = kubectl("get", "wd").splitlines()
    assert header.split() == ["NAME", "SIZE", "PHASE", "AGE"]
    assert row.split()[:2] == ["one", "5"]
    header, row = kubectl("get", "wd", "one", "-o", "wide").splitlines()
    assert header.split() == ["NAME", "SIZE", "PHASE", "COLOUR", "AGE"]
    assert "green" in row
    assert kubectl("get", "wd", "-o", "name") == f"{WIDGET}/one\n"
    assert yaml.safe_load(kubectl("get", "wd", "one", "-o", "yaml"))["spec"]["size"] == 5


def test_get_all_shows_what_is_in_the_category(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=widget("one"))
    kubectl("create", "deployment", "web", "--image=nginx")
    kubectl("create", "service", "clusterip", "front", "--tcp=80:8080")
    found = kubectl("get", "all")
    for name in (f"{WIDGET}/one", "deployment.apps/web", "service/front"):
        assert name in found, name


def test_objects_made_by_typed_clients_arrive_whole(kubectl: Kubectl) -> None:
    """kubectl create sends protobuf for these."""
    kubectl("create", "configmap", "plain", "--from-literal=a=b", "--from-literal=c=")
    kubectl("create", "secret", "generic", "hidden", "--from-literal=p=\u00e9")
    kubectl("create", "serviceaccount", "bot")
    kubectl("create", "service", "clusterip", "front", "--tcp=80:8080")
    kubectl("create", "deployment", "web", "--image=nginx:1", "--replicas=0", "--port=80", "--", "run", "--fast")
    assert json.loads(kubectl("get", "cm", "plain", "-o", "json"))["data"] == {"a": "b", "c": ""}
    assert json.loads(kubectl("get", "secret", "hidden", "-o", "json"))["data"] == {"p": "w6k="}
    assert spec_of(kubectl, "svc", "front")["ports"] == [
        {"name": "80-8080", "port": 80, "protocol": "TCP", "targetPort": 8080}
    ]
    deployment = spec_of(kubectl, "deploy", "web")
    assert deployment["replicas"] == 0
    container = deployment["template"]["spec"]["containers"][0]
    assert container["command"] == ["run", "--fast"]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert "bot" in kubectl("get", "sa")


def test_patches_of_all_three_kinds(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=nginx:1")
    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:2"}]}}}}
    assert "patched" in kubectl("patch", "deploy", "web", "-p", json.dumps(strategic))
    assert "patched" in kubectl("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"paused":true}}')
    kubectl("patch", "deploy", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":4}]')
    spec = spec_of(kubectl, "deploy", "web")
    assert (spec["replicas"], spec["paused"]) == (4, True)
    assert spec["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    assert "nginx" in spec["template"]["spec"]["containers"][0]["name"]


def test_label_annotate_and_scale(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=widget("one", replicas=1))
    kubectl("label", "wd", "one", "tier=front")
    kubectl("annotate", "wd", "one", "note=x y")
    kubectl("scale", "wd", "one", "--replicas=7")
    found = json.loads(kubectl("get", "wd", "-l", "tier=front", "-o", "json"))["items"][0]
    assert found["metadata"]["annotations"] == {"note": "x y"}
    assert found["spec"]["replicas"] == 7
    kubectl("label", "wd", "one", "tier-")
    assert kubectl("get", "wd", "-l", "tier", "-o", "name") == ""
    told = kubectl("scale", "wd", "one", "--current-replicas=2", "--replicas=1", fails=True)
    assert "Expected replicas to be 2, was 7" in told


def test_a_status_is_written_apart_from_the_spec(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=widget("one"))
    kubectl("patch", "wd", "one", "--type=merge", "-p", '{"status":{"phase":"Ignored"}}')
    kubectl("patch", "wd", "one", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Good"}}')
    found = json.loads(kubectl("get", "wd", "one", "-o", "json"))
    assert found["status"] == {"phase": "Good"}
    assert found["metadata"]["generation"] == 1
    assert "Good" in kubectl("get", "wd", "one")


def test_wait_for_a_condition_a_field_and_the_end(kubectl: Any) -> None:
    kubectl("create", "-f", "-", stdin=widget("one"))
    waits = [
        kubectl.start("wait", "--for=condition=Ready", "wd/one", "--timeout=30s"),
        kubectl.start("wait", "--for=jsonpath={.status.phase}=Good", "wd/one", "--timeout=30s"),
    ]
    status = {"status": {"phase": "Good", "conditions": [{"type": "Ready", "status": "True"}]}}
    kubectl("patch", "wd", "one", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    for wait in waits:
        assert wait.communicate(timeout=40)[0] == f"{WIDGET}/one condition met\n"
    kubectl("patch", "wd", "one", "--type=merge", "-p", '{"metadata":{"finalizers":["test.swell.dev/hold"]}}')
    kubectl("delete", "wd", "one", "--wait=false")
    gone = kubectl.start("wait", "--for=delete", "wd/one", "--timeout=30s")
    kubectl("patch", "wd", "one", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    gone.communicate(timeout=40)
    assert gone.returncode == 0


def test_delete_waits_until_finalizers_are_done(kubectl: Any) -> None:
    kubectl("create", "-f", "-", stdin=widget("one"))
    kubectl("patch", "wd", "one", "--type=merge", "-p", '{"metadata":{"finalizers":["test.swell.dev/hold"]}}')
    delete = kubectl.start("delete", "wd", "one", "--timeout=30s")
    kubectl("wait", "--for=jsonpath={.metadata.deletionTimestamp}", "wd/one", "--timeout=30s")
    assert delete.poll() is None
    kubectl("patch", "wd", "one", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert delete.communicate(timeout=40)[0] == f'{WIDGET} "one" deleted\n'
    assert "NotFound" in kubectl("get", "wd", "one", fails=True)


def test_get_watch_shows_changes_as_rows(kubectl: Any) -> None:
    kubectl("create", "-f", "-", stdin=widget("one"))
    with running(kubectl.start("get", "wd", "-w")) as shown:
        assert shown.readline().split() == ["NAME", "SIZE", "PHASE", "AGE"]
        assert shown.readline().split()[:2] == ["one", "1"]
        kubectl("patch", "wd", "one", "--type=merge", "-p", '{"spec":{"size":2}}')
        assert shown.readline().split()[:2] == ["one", "2"]
        kubectl("create", "-f", "-", stdin=widget("two"))
        assert shown.readline().split()[:2] == ["two", "1"]
        kubectl("delete", "wd", "one")
        assert shown.readline().split()[:2] == ["one", "2"]


def test_get_watch_as_json_sees_whole_objects(kubectl: Any) -> None:
    with running(kubectl.start("get", "wd", "-w", "-o", "jsonpath={.metadata.name}={.spec.size}{'\\n'}")) as shown:
        kubectl("create", "-f", "-", stdin=widget("one"))
        assert shown.readline() == "one=1\n"


def test_field_selectors(kubectl: Kubectl) -> None:
    kubectl("run", "one", "--image=x")
    kubectl("run", "two", "--image=x")
    names = "-o=jsonpath={.items[*].metadata.name}"
    assert kubectl("get", "pods", "--field-selector=metadata.name=one", names) == "one"
    assert kubectl("get", "pods", "--field-selector=status.phase!=Running", names) == "one two"
    assert kubectl("get", "pods", "--field-selector=spec.nodeName=here", names) == ""
    told = kubectl("get", "pods", "--field-selector=spec.what=x", fails=True)
    assert "field label not supported: spec.what" in told


def test_server_side_apply_takes_away_and_disagrees(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-", "--field-manager")
    assert kubectl(*apply, "first", stdin=widget("one", replicas=3, colour="red")) == (
        f"{WIDGET}/one serverside-applied\n"
    )
    kubectl(*apply, "first", stdin=widget("one", colour="red"))
    assert "replicas" not in spec_of(kubectl, "wd", "one")
    told = kubectl(*apply, "second", stdin=widget("one", colour="green"), fails=True)
    assert 'conflict with "first": .spec.colour' in told
    kubectl(*apply, "second", "--force-conflicts", stdin=widget("one", colour="green"))
    assert spec_of(kubectl, "wd", "one")["colour"] == "green"
    kubectl(*apply, "first", stdin=widget("one", colour="green"))


def test_a_client_side_applied_object_can_be_applied_on_the_server(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=widget("one", parts=[{"name": "a", "count": 1}]))
    kubectl("apply", "--server-side", "-f", "-", stdin=widget("one", parts=[{"name": "b", "count": 2}]))
    assert {each["name"] for each in spec_of(kubectl, "wd", "one")["parts"]} == {"a", "b"}


def test_diff_replace_and_dry_run(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=widget("one"))
    shown = kubectl("diff", "-f", "-", stdin=widget("one", size=8), fails=True)
    assert "-  size: 1" in shown
    assert "+  size: 8" in shown
    assert "dry run" in kubectl("apply", "--dry-run=server", "-f", "-", stdin=widget("two"))
    assert "NotFound" in kubectl("get", "wd", "two", fails=True)
    assert "replaced" in kubectl("replace", "-f", "-", stdin=widget("one", size=9))
    assert spec_of(kubectl, "wd", "one")["size"] == 9
    kubectl("replace", "--force", "-f", "-", stdin=widget("one", size=10))
    assert "dry run" in kubectl("delete", "wd", "one", "--dry-run=server")
    assert spec_of(kubectl, "wd", "one")["size"] == 10


def test_a_replace_of_an_old_state_is_a_conflict(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=widget("one"))
    old = yaml.safe_load(kubectl("get", "wd", "one", "-o", "yaml"))
    kubectl("label", "wd", "one", "new=label")
    told = kubectl("replace", "-f", "-", stdin=yaml.safe_dump(old), fails=True)
    assert "the object has been modified" in told


def test_unknown_fields_are_refused_or_warned_of(kubectl: Kubectl) -> None:
    assert 'unknown field "spec.sise"' in kubectl("create", "-f", "-", stdin=widget("one", sise=1), fails=True)
    kubectl("create", "--validate=ignore", "-f", "-", stdin=widget("two", sise=1))
    assert "sise" not in spec_of(kubectl, "wd", "two")
    warned = kubectl(
        "create", "--warnings-as-errors", "--validate=warn", "-f", "-", stdin=widget("three", sise=1), fails=True
    )
    assert 'Warning: unknown field "spec.sise"' in warned


def test_a_manifest_that_is_not_valid_names_field_and_reason(kubectl: Kubectl) -> None:
    told = kubectl("create", "-f", "-", stdin=widget("one", size=-1, colour="blue"), fails=True)
    assert "spec.size in body should be greater than or equal to 0" in told
    assert 'spec.colour: Unsupported value: "blue": supported values: "red", "green"' in told
    assert "NotFound" in kubectl("get", "wd", "one", fails=True)


def test_explain_shows_fields_of_both_kinds_of_kinds(kubectl: Kubectl) -> None:
    assert "How large it is." in kubectl("explain", "widget.spec")
    assert "imagePullPolicy" in kubectl("explain", "deploy.spec.template.spec.containers")
    assert "FIELD: size <integer>" in kubectl("explain", "wd.spec.size")


def test_api_resources_and_versions(kubectl: Kubectl) -> None:
    lines = [line.split() for line in kubectl("api-resources", "--no-headers").splitlines()]
    assert ["widgets", "wd", "test.swell.dev/v1", "true", "Widget"] in lines
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in lines
    assert "apps/v1" in kubectl("api-versions").splitlines()
    assert "v1.34" in kubectl("version")


def test_describe(kubectl: Kubectl) -> None:
    kubectl("run", "one", "--image=x", "--env=A=b")
    kubectl("create", "-f", "-", stdin=widget("one"))
    described = [line.split() for line in kubectl("describe", "pod", "one").splitlines()]
    assert ["Image:", "x"] in described
    assert ["A:", "b"] in described
    assert ["Size:", "1"] in [line.split() for line in kubectl("describe", "wd", "one").splitlines()]


def test_logs(kubectl: Kubectl) -> None:
    kubectl("run", "one", "--image=x")
    assert kubectl("logs", "one").splitlines() == ["one 1", "one 2", "one 3", "one now"]
    assert kubectl("logs", "one", "--tail=1") == "one now\n"
    assert kubectl("logs", "one", "--since=1h") == "one now\n"
    assert kubectl("logs", "one", "--tail=1", "--timestamps") == "2096-10-02T07:06:40Z one now\n"
    assert kubectl("logs", "one", "--tail=1", "-f").splitlines() == ["one now", "one later", "one last"]
    assert kubectl("logs", "one", "--limit-bytes=7") == "one 1\no"
    assert "not found" in kubectl("logs", "one", "--previous", fails=True)
    assert "container other is not valid for pod one" in kubectl("logs", "one", "-c", "other", fails=True)


def test_logs_of_a_pod_with_two_containers_follow_its_default(kubectl: Kubectl) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "two",
            "labels": {"app": "two"},
            "annotations": {"kubectl.kubernetes.io/default-container": "b"},
        },
        "spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(pod))
    assert kubectl("logs", "two", "--tail=1") == "b now\n"
    assert kubectl("logs", "-l", "app=two", "-c", "a", "--tail=1") == "a now\n"
    told = kubectl("logs", "two", "--all-containers", "--tail=1")
    assert sorted(told.splitlines()) == ["a now", "b now"], "kubectl promises no order"


def test_rollout_status_sees_the_deployment_through(kubectl: Any) -> None:
    kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
    rollout = kubectl.start("rollout", "status", "deploy/web", "--timeout=30s")
    status = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
    kubectl("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    assert "successfully rolled out" in rollout.communicate(timeout=40)[0]
    assert kubectl("get", "deploy", "web", "--no-headers").split()[:4] == ["web", "2/2", "2", "2"]


def test_events_are_listed_for_an_object(kubectl: Kubectl) -> None:
    kubectl("run", "one", "--image=x")
    pod = json.loads(kubectl("get", "pod", "one", "-o", "json"))["metadata"]
    about = {"kind": "Pod", "name": "one", "apiVersion": "v1", "uid": pod["uid"], "namespace": pod["namespace"]}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "one.", "namespace": pod["namespace"]},
        "involvedObject": about,
        "reason": "Pulled",
        "message": "it came",
        "type": "Normal",
        "count": 1,
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    kubectl("create", "-f", "-", stdin=json.dumps(event))
    header, row = kubectl("get", "events").splitlines()
    assert header.split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert row.split()[1:] == ["Normal", "Pulled", "pod/one", "it", "came"]
    assert "it came" in kubectl("describe", "pod", "one")
    assert "it came" in kubectl("events", "--for", "pod/one")


def test_a_namespace_that_is_not_there_is_named(kubectl: Kubectl) -> None:
    told = kubectl("create", "configmap", "x", "--namespace=nowhere", fails=True)
    assert 'namespaces "nowhere" not found' in told


def test_delete_all_of_a_kind(kubectl: Kubectl) -> None:
    for name in ("one", "two"):
        kubectl("create", "-f", "-", stdin=widget(name))
    assert kubectl("delete", "wd", "--all").count("deleted") == 2
    assert kubectl("get", "wd", "-o", "name") == ""


def test_a_definition_comes_and_goes_with_its_objects(kubectl: Kubectl) -> None:
    plural = "gadgets"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.test.swell.dev"},
        "spec": {
            "group": "test.swell.dev",
            "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": plural},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }
    kubectl("create", "-f", "-", stdin=json.dumps(definition))
    kubectl("wait", "--for=condition=Established", f"crd/{plural}.test.swell.dev", "--timeout=10s")
    gadget = {"apiVersion": "test.swell.dev/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": {"free": [1]}}
    kubectl("create", "-f", "-", stdin=json.dumps(gadget))
    assert spec_of(kubectl, "gadgets", "g") == {"free": [1]}
    kubectl("delete", "crd", f"{plural}.test.swell.dev", "--timeout=10s")
    assert "could not find the requested resource" in kubectl("get", "gadgets", fails=True)


def test_who_am_i_and_may_i(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    assert "system:admin" in kubectl("auth", "whoami")


def test_a_wrong_token_is_told_nothing(kubectl: Kubectl) -> None:
    assert "must be logged in" in kubectl("get", "pods", "--token=wrong", fails=True)


@pytest.mark.parametrize("kind", ["cm", "ns", "nodes", "endpointslices", "leases", "crd", "rs", "secrets", "ep"])
def test_every_kind_can_be_listed(kubectl: Kubectl, kind: str) -> None:
    kubectl("get", kind, "-o", "wide")
