"""`swell install`, `uninstall` and `status` against a real API server.

The fixture `blank_cluster` has `kubeconfig`, an administrator's, of a real API server with its controllers (namespaces,
garbage) on which nothing of Swell is installed; each test takes its own away again. Nodes are not needed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from swell.api.crds import definitions
from swell.cli.installation import manifests
from swell.cli.installation.install import to_yaml
from swell.cli.installation.render import Options, render

Obj = dict[str, Any]
pytestmark = pytest.mark.timeout(300)
HELLO: Obj = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "hello", "namespace": "default"},
    "spec": {"template": {"spec": {"containers": [{"name": "user-container", "image": "dev.local/hello:1"}]}}},
}
# Where an image cannot be, found out at once.
NOWHERE = "127.0.0.1:1"
KINDS = "namespaces,crds,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations"


class Cluster(Protocol):
    kubeconfig: Path


class Tools:
    """`swell` and `kubectl` on one cluster."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def swell(self, *args: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "swell.cli.main", *args, "--kubeconfig", str(kubeconfig or self.kubeconfig)]
        return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def kubectl(self, *args: str, stdin: object = None) -> str:
        argv = ["kubectl", "--kubeconfig", str(self.kubeconfig), *args]
        text = None if stdin is None else stdin if isinstance(stdin, str) else json.dumps(stdin)
        done = subprocess.run(argv, capture_output=True, text=True, input=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *args: str) -> Obj:
        found: Obj = json.loads(self.kubectl("get", *args, "-o", "json"))
        return found

    def install(self, *args: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.swell("install", "--no-wait", "--image", f"{NOWHERE}/swell:1", *args, kubeconfig=kubeconfig)

    def open(self) -> None:
        """Take the webhooks away: there is no controller that could answer them."""
        for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
            self.kubectl("delete", kind, "-l", "app.kubernetes.io/part-of=swell")

    def ours(self) -> str:
        return self.kubectl("get", KINDS, "-l", "app.kubernetes.io/part-of=swell", "-o", "name")


@pytest.fixture
def tools(blank_cluster: Cluster) -> Iterator[Tools]:
    found = Tools(blank_cluster.kubeconfig)
    if found.ours():
        pytest.skip("Swell is installed on this cluster: it is not ours to remove")
    yield found
    done = found.swell("uninstall", "--yes")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def poor(tools: Tools, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of somebody who may do nothing."""
    tools.kubectl("create", "serviceaccount", "poor", "--namespace", "default")
    token = tools.kubectl("create", "token", "poor", "--namespace", "default").strip()
    config = yaml.safe_load(tools.kubeconfig.read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    path = tmp_path / "poor.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    yield path
    tools.kubectl("delete", "serviceaccount", "poor", "--namespace", "default")


def test_everything_is_written_and_removed_again(tools: Tools) -> None:
    done = tools.install()
    assert done.returncode == 0, done.stderr
    deployments = tools.get("deployments", "--namespace", "swell-system")["items"]
    assert {each["metadata"]["name"] for each in deployments} == {"activator", "autoscaler", "controller"}
    assert tools.swell("uninstall").returncode == 0
    assert tools.ours() == ""


def test_installing_again_changes_nothing(tools: Tools) -> None:
    assert tools.install("--domain", "example.org", "--replicas", "2").returncode == 0
    before = tools.get("deployments,configmaps,services", "--namespace", "swell-system")
    assert tools.install().returncode == 0
    after = tools.get("deployments,configmaps,services", "--namespace", "swell-system")
    assert [each["spec"] for each in before["items"] if "spec" in each] == [
        each["spec"] for each in after["items"] if "spec" in each
    ]
    assert [each.get("data") for each in before["items"]] == [each.get("data") for each in after["items"]]


def test_the_dry_run_prints_what_kubectl_can_apply(tools: Tools) -> None:
    printed = tools.swell("install", "--dry-run")
    tools.kubectl("apply", "--server-side", "-f", "-", stdin=printed.stdout)
    assert "deployment.apps/controller" in tools.kubectl("get", "deploy", "--namespace", "swell-system", "-o", "name")


def test_whoever_lacks_rights_is_told_which_and_nothing_is_changed(tools: Tools, poor: Path) -> None:
    done = tools.install(kubeconfig=poor)
    assert done.returncode == 1
    assert "nothing was changed, these rights are missing" in done.stderr
    assert "create, get, patch clusterroles.rbac.authorization.k8s.io" in done.stderr
    assert tools.ours() == ""


def test_who_may_pass_rights_on_needs_no_more_than_to_write(tools: Tools, poor: Path) -> None:
    """The answer of the real API server: roles are made by somebody who has none of what they give."""
    resources = (
        "namespaces,serviceaccounts,configmaps,services,pods,deployments.apps,customresourcedefinitions.apiextensions.k8s.io,"
        "clusterroles.rbac.authorization.k8s.io,roles.rbac.authorization.k8s.io,"
        "clusterrolebindings.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,"
        "mutatingwebhookconfigurations.admissionregistration.k8s.io,"
        "validatingwebhookconfigurations.admissionregistration.k8s.io"
    )
    roles = "clusterroles.rbac.authorization.k8s.io,roles.rbac.authorization.k8s.io"
    tools.kubectl("create", "clusterrole", "t-write", "--verb=get,list,create,patch,delete", f"--resource={resources}")
    tools.kubectl("create", "clusterrole", "t-pass-on", "--verb=escalate,bind", f"--resource={roles}")
    for name in ("t-write", "t-pass-on"):
        tools.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", "--serviceaccount=default:poor")
    try:
        done = tools.install(kubeconfig=poor)
        assert done.returncode == 0, done.stderr
    finally:
        tools.kubectl("delete", "clusterrolebinding,clusterrole", "t-write", "t-pass-on")


def test_knative_serving_is_left_alone(tools: Tools) -> None:
    (service, *_) = definitions()
    service["metadata"]["labels"] = {"app.kubernetes.io/name": "knative-serving"}
    tools.kubectl("apply", "--server-side", "-f", "-", stdin=service)
    try:
        for command in (tools.install(), tools.swell("uninstall", "--yes")):
            assert command.returncode == 1
            assert "services.serving.knative.dev" in command.stderr
        assert tools.ours() == ""
    finally:
        tools.kubectl("delete", "crd", "services.serving.knative.dev")


def test_a_second_installation_in_another_namespace_is_refused(tools: Tools) -> None:
    (binding, *_) = [obj for obj in manifests.base() if obj["kind"] == "ClusterRoleBinding"]
    binding["subjects"][0]["namespace"] = "elsewhere"
    tools.kubectl("apply", "-f", "-", stdin=binding)
    done = tools.install()
    assert done.returncode == 1
    assert "in namespace elsewhere" in done.stderr
    assert "namespace/swell-system" not in tools.ours()


def test_an_older_installation_is_upgraded_in_place_and_its_objects_stay(tools: Tools) -> None:
    older = render(manifests.base(), (), Options(image=f"{NOWHERE}/swell:0"))
    for obj in older:
        obj["metadata"]["labels"]["app.kubernetes.io/version"] = "0.0.1"
        if obj["kind"] == "CustomResourceDefinition":
            schema = obj["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            schema["properties"]["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    bare = [obj for obj in older if "Webhook" not in obj["kind"]]
    tools.kubectl("apply", "--server-side", "-f", "-", stdin=to_yaml(bare))
    tools.kubectl("wait", "--for=condition=Established", "crd/services.serving.knative.dev")
    tools.kubectl("create", "-f", "-", stdin=HELLO)
    uid = tools.get("ksvc", "hello")["metadata"]["uid"]
    done = tools.install()
    assert done.returncode == 0, done.stderr
    assert tools.get("ksvc", "hello")["metadata"]["uid"] == uid
    definition = tools.get("crd", "services.serving.knative.dev")
    assert definition["metadata"]["labels"]["app.kubernetes.io/version"] != "0.0.1"
    assert (
        "template" in definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    )
    data = tools.get("configmap", "config-deployment", "--namespace", "swell-system")["data"]
    assert data["queue-sidecar-image"] == f"{NOWHERE}/swell:1"


def test_a_newer_installation_is_refused(tools: Tools) -> None:
    assert tools.install().returncode == 0
    tools.kubectl("label", "crd", "--overwrite", "services.serving.knative.dev", "app.kubernetes.io/version=99.0.0")
    done = tools.install("--image", f"{NOWHERE}/other:1")
    assert done.returncode == 1
    assert "has Swell 99.0.0" in done.stderr
    (container,) = tools.get("deploy", "controller", "-n", "swell-system")["spec"]["template"]["spec"]["containers"]
    assert container["image"] != f"{NOWHERE}/other:1"


def test_what_a_user_changed_in_a_config_map_survives_an_upgrade(tools: Tools) -> None:
    assert tools.install().returncode == 0
    tools.open()
    change = {"data": {"stable-window": "30s", "scale-to-zero-grace-period": "9s"}}
    where = ("configmap", "config-autoscaler", "--namespace", "swell-system")
    tools.kubectl("patch", *where, "--type=merge", "-p", json.dumps(change))
    assert tools.install().returncode == 0
    data = tools.get(*where)["data"]
    assert data["stable-window"] == "30s" and data["scale-to-zero-grace-period"] == "9s"


def test_a_webhook_that_nobody_answers_does_not_keep_an_installation_from_being_mended(tools: Tools) -> None:
    assert tools.install("--image", f"{NOWHERE}/wrong:1").returncode == 0
    done = tools.install("--image", f"{NOWHERE}/right:1")
    assert done.returncode == 0, done.stderr
    data = tools.get("configmap", "config-deployment", "--namespace", "swell-system")["data"]
    assert data["queue-sidecar-image"] == f"{NOWHERE}/right:1"


def test_services_are_not_lost_without_a_word(tools: Tools) -> None:
    assert tools.install().returncode == 0
    tools.open()
    tools.kubectl("create", "-f", "-", stdin=HELLO)
    done = tools.swell("uninstall")
    assert done.returncode == 1
    assert "1 Service would be lost (1 in default)" in done.stderr
    assert tools.get("ksvc", "hello")["metadata"]["name"] == "hello"
    assert tools.swell("uninstall", "--yes").returncode == 0
    assert tools.ours() == ""


def test_waiting_ends_with_what_is_missing(tools: Tools) -> None:
    done = tools.swell("install", "--timeout", "1", "--image", f"{NOWHERE}/none:1")
    assert done.returncode == 1
    assert "not all programs run after 1 s" in done.stderr
    for name in ("activator", "autoscaler", "controller"):
        assert f"{name} 0/1" in done.stderr


def test_status_tells_of_an_installation_that_does_not_run(tools: Tools) -> None:
    assert tools.swell("status").returncode == 1
    assert tools.install().returncode == 0
    done = tools.swell("status")
    assert done.returncode == 1
    assert "problem: webhook webhook.serving.knative.dev: it has no caBundle yet" in done.stdout
    assert "services    0" in done.stdout


def test_real_definitions_keep_what_the_embedded_ones_keep(tools: Tools) -> None:
    """Structural schemas prune and default: a Service with many fields comes back as it was sent."""
    assert tools.install().returncode == 0
    tools.open()
    tools.kubectl("create", "-f", "-", stdin=RICH)
    found = tools.get("ksvc", "rich")
    assert found["spec"] == RICH["spec"]
    tools.kubectl("patch", "ksvc", "rich", "--subresource=status", "--type=merge", "-p", json.dumps({"status": STATUS}))
    assert tools.get("ksvc", "rich")["status"] == STATUS


STATUS: Obj = {
    "observedGeneration": 1,
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    "url": "http://rich.default.example.com",
    "address": {"url": "http://rich.default.svc.cluster.local"},
    "latestReadyRevisionName": "rich-00001",
    "latestCreatedRevisionName": "rich-00001",
    "traffic": [{"revisionName": "rich-00001", "latestRevision": True, "percent": 100, "tag": "t", "url": "http://t"}],
}
RICH: Obj = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "rich", "namespace": "default"},
    "spec": {
        "template": {
            "metadata": {"labels": {"a": "b"}, "annotations": {"autoscaling.knative.dev/target": "10"}},
            "spec": {
                "containerConcurrency": 0,
                "timeoutSeconds": 300,
                "responseStartTimeoutSeconds": 10,
                "idleTimeoutSeconds": 10,
                "serviceAccountName": "default",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "imagePullSecrets": [{"name": "s"}],
                "containers": [
                    {
                        "name": "user-container",
                        "image": "dev.local/hello:1",
                        "command": ["a"],
                        "args": ["b"],
                        "workingDir": "/w",
                        "env": [
                            {"name": "A", "value": "b"},
                            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
                        ],
                        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "m"}}],
                        "ports": [{"name": "http1", "containerPort": 8080, "protocol": "TCP"}],
                        "resources": {"requests": {"cpu": "25m"}, "limits": {"memory": "1Gi", "example.com/gpu": "1"}},
                        "readinessProbe": {
                            "httpGet": {"path": "/", "port": 0, "httpHeaders": [{"name": "A", "value": "b"}]},
                            "successThreshold": 1,
                        },
                        "livenessProbe": {"tcpSocket": {"port": "http1"}},
                        "securityContext": {"runAsUser": 1, "capabilities": {"drop": ["ALL"]}},
                        "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": True}],
                    }
                ],
                "volumes": [
                    {
                        "name": "v",
                        "projected": {"sources": [{"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}}]},
                    }
                ],
            },
        },
        "traffic": [{"latestRevision": True, "percent": 100, "tag": "t"}],
    },
}
