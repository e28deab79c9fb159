"""The node that the tests run on: it is a real one, and nothing of it stays."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from swell.testing.node import cgroups, images
from swell.testing.node.errors import NodeError
from swell.testing.node.layout import Layout
from swell.testing.node.node import Node
from swell.testing.node.sandbox import Process
from swell.testing.processes import family
from swell.testing.waiting import WAIT_S, until

# A node is started within some of these.
pytestmark = pytest.mark.timeout(300)
# Twice the longest pause of a kubelet's reflector, which its first attempt may come too early for.
FOLLOWED_S = 120.0
IMAGE = "dev.local/busybox:1"
PAGE = "a real pod\n"
MANIFEST = f"""
apiVersion: v1
kind: Pod
metadata: {{name: server, labels: {{app: web}}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: server
    image: {IMAGE}
    args: [sh, -c, "mkdir /www; echo '{PAGE.strip()}' > /www/index.html; echo started; httpd -f -p 8080 -h /www"]
    readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Pod
metadata: {{name: caller}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {{name: caller, image: "{IMAGE}", args: [sleep, "10000"]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: NodePort, selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web-pods}}
spec: {{clusterIP: None, selector: {{app: web}}, ports: [{{port: 8080}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web-alias}}
spec: {{type: ExternalName, externalName: web.default.svc.cluster.local}}
"""


def kubectl(node: Node, *arguments: str, stdin: str = "") -> str:
    """What it prints; to be called in the node's network."""
    done = subprocess.run(
        ["kubectl", f"--kubeconfig={node.kubeconfig}", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def field(node: Node, what: str, path: str) -> str:
    return kubectl(node, "get", what, f"--output=jsonpath={path}")


def run_pods(node: Node, folder: Path) -> None:
    """Returns once the pods of `MANIFEST` are Ready, and kube-proxy knows them."""
    images.write_busybox(folder / "busybox.tar", IMAGE, ("/bin/busybox",))
    node.load(folder / "busybox.tar")
    kubectl(node, "apply", "-f", "-", stdin=MANIFEST)
    kubectl(node, "wait", "--for=condition=Ready", "pod/server", "pod/caller", f"--timeout={WAIT_S:.0f}s")
    asyncio.run(until(lambda: answers(f"http://{field(node, 'service/web', '{.spec.clusterIP}')}/")))


def get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=WAIT_S) as response:
        body: bytes = response.read()
    return body.decode()


def answers(url: str) -> bool:
    try:
        return get(url) == PAGE
    except OSError:
        return False


def processes(node: Node) -> list[Process]:
    """All that run in it, pods too."""
    return [process for pid in family(node.init.pid) if (process := Process.of(pid)) is not None]


def traces(folder: Path) -> list[str]:
    """What the machine still has of the node in `folder`, but for its logs."""
    layout = Layout(folder)
    return [
        *map(str, cgroups.left(layout.cgroup)),
        *(str(path) for path in folder.iterdir() if path != layout.logs),
        *(line for line in Path("/proc/self/mounts").read_text().splitlines() if str(folder) in line),
    ]


@pytest.fixture(scope="module")
def pods(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Node:
    run_pods(node, tmp_path_factory.mktemp("images"))
    return node


def test_a_pod_answers_at_its_own_address_at_its_services_and_at_the_nodes(pods: Node) -> None:
    pod = field(pods, "pod/server", "{.status.podIP}")
    service = field(pods, "service/web", "{.spec.clusterIP}")
    port = field(pods, "service/web", "{.spec.ports[0].nodePort}")
    for host in (f"{pod}:8080", service, f"{pods.ip}:{port}"):
        assert get(f"http://{host}/") == PAGE


@pytest.mark.parametrize("host", ["web", "web.default.svc.cluster.local.", "web-pods:8080", "web-alias"])
def test_a_pod_finds_another_by_name(pods: Node, host: str) -> None:
    assert kubectl(pods, "exec", "caller", "--", "/bin/busybox", "wget", "-q", "-O", "-", f"http://{host}/") == PAGE


def test_what_a_container_prints_can_be_read(pods: Node) -> None:
    assert kubectl(pods, "logs", "server") == "started\n"


def test_pods_answer_while_the_api_server_is_away_and_are_the_same_when_it_is_back(pods: Node) -> None:
    uid, service = field(pods, "pod/server", "{.metadata.uid}"), field(pods, "service/web", "{.spec.clusterIP}")
    pods.stop_part("kube-apiserver")
    try:
        assert pods.process("kube-apiserver") is None
        assert get(f"http://{service}/") == PAGE
    finally:
        pods.start_part("kube-apiserver")
        pods.restart_followers()
    assert field(pods, "pod/server", "{.metadata.uid}") == uid
    # The kubelet asks for new pods again when it sees fit: the tests that follow count on it.
    kubectl(pods, "run", "later", f"--image={IMAGE}", "--", "sleep", "10000")
    kubectl(pods, "wait", "--for=condition=Ready", "pod/later", f"--timeout={FOLLOWED_S:.0f}s")


def test_a_part_that_cannot_start_is_named_with_what_it_said_last(node: Node) -> None:
    node.stop_part("kube-scheduler")
    try:
        with socket.create_server(("", 10259)), pytest.raises(NodeError, match=r"(?s)^kube-scheduler .*10259"):
            node.start_part("kube-scheduler")
    finally:
        node.start_part("kube-scheduler")


def test_a_part_that_no_node_has_is_refused(node: Node) -> None:
    with pytest.raises(NodeError, match="no part 'kubelet2'; it has etcd, .*kubelet"):
        node.stop_part("kubelet2")


def test_a_second_node_starts_after_its_starter_was_killed_and_goes_without_a_trace(pods: Node, tmp_path: Path) -> None:
    folder = tmp_path / ("a-folder-with-a-long-name-" * 5)
    folder.mkdir()
    up = subprocess.Popen([sys.executable, "-P", "-m", "swell.testing.node", "up", str(folder)])
    asyncio.run(until(Layout(folder).pid("kube-apiserver").exists))
    up.kill()
    up.wait()
    half = processes(Node.at(folder))
    assert len(half) > 2, "nothing was left to be cleaned up"

    node = Node.start(folder)
    assert not any(process.alive() for process in half)
    with node.enter():
        run_pods(node, tmp_path)
    whole = processes(node)
    node.stop()

    assert not any(process.alive() for process in whole)
    assert traces(folder) == []
    assert get(f"http://{field(pods, 'service/web', '{.spec.clusterIP}')}/") == PAGE, "the first node is as it was"


def test_a_node_of_which_all_was_killed_is_cleaned_up_from_its_folder(node: Node, tmp_path: Path) -> None:
    other = Node.start(tmp_path)
    for process in processes(other):
        process.kill()
    with pytest.raises(NodeError, match="no node runs in"):
        Node.at(tmp_path)
    assert traces(tmp_path) != []

    subprocess.run([sys.executable, "-P", "-m", "swell.testing.node", "down", str(tmp_path)], check=True)
    assert traces(tmp_path) == []
    assert (other.logs / "kubelet.log").exists()
