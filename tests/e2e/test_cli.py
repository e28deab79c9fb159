"""The main job with `swell` alone, for machines without kubectl."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from swell.testing.home import Home, Objects, pod_is_ready, unique


class Swell:
    """The command, pointed at the cluster under test."""

    def __init__(self, home: Home) -> None:
        self._environ = {**os.environ, "KUBECONFIG": str(home.kubeconfig), "COLUMNS": "200"}

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "swell.cli.main", *arguments],
            input=stdin,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=90,
        )

    def ok(self, *arguments: str, stdin: str = "") -> str:
        done = self(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def swell(home: Home) -> Swell:
    return Swell(home)


async def test_apply_get_logs_watch_and_delete(swell: Swell, home: Home, objects: Objects, tmp_path: Path) -> None:
    name = unique("cli")
    file = tmp_path / "service.yaml"
    file.write_text(yaml.safe_dump(objects.service(name, image=home.images.hello, annotations={"min-scale": "1"})))

    applied = await asyncio.to_thread(swell.ok, "apply", "-f", str(file), "--wait")
    assert f"service.serving.knative.dev/{name} created\n" in applied
    assert f"is ready at http://{home.host(name)}" in applied
    assert swell.ok("apply", "-f", str(file)) == f"service.serving.knative.dev/{name} unchanged\n"
    assert (await objects.get(name)).text == "Hello World!\n"

    header, row = swell.ok("get", "ksvc", name).splitlines()
    assert header.split() == ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"]
    assert row.split() == [name, f"http://{home.host(name)}", f"{name}-00001", f"{name}-00001", "True"]
    assert json.loads(swell.ok("get", f"ksvc/{name}", "-o", "json"))["metadata"]["name"] == name
    assert yaml.safe_load(swell.ok("get", "rev", "-o", "yaml"))["kind"] == "List"
    assert swell.ok("get", "pods", "-A").startswith("NAMESPACE")
    # The kubelet may say later than its queue-proxy that it is ready, and gives no logs till then.
    await objects.until_pods(name, lambda pods: any(map(pod_is_ready, pods)))
    assert "hello: listening" in swell.ok("logs", f"ksvc/{name}")
    assert "ready  1" in swell.ok("watch", name, "--seconds", "1")

    assert swell.ok("delete", f"ksvc/{name}") == f"service.serving.knative.dev/{name} deleted\n"
    await objects.gone(name)
    again = swell("delete", "ksvc", name)
    assert again.returncode == 1
    assert "not found" in again.stderr


async def test_a_change_is_applied_and_a_field_that_is_left_out_is_removed(swell: Swell, objects: Objects) -> None:
    name = unique("cli")
    first = objects.service(name, image=objects.home.images.hello, env={"TARGET": "one"}, timeoutSeconds=20)
    objects.made.append(name)
    swell.ok("apply", "-f", "-", "--wait", stdin=yaml.safe_dump(first))
    second = objects.service(name, image=objects.home.images.hello, env={"TARGET": "two"})
    assert "configured" in await asyncio.to_thread(swell.ok, "apply", "-f", "-", "--wait", stdin=yaml.safe_dump(second))
    await objects.until_answer(name, lambda answer: answer.text == "Hello two!\n")
    spec = json.loads(swell.ok("get", "ksvc", name, "-o", "json"))["spec"]["template"]["spec"]
    assert spec["timeoutSeconds"] == 300


def test_a_kind_that_does_not_exist_does_not_keep_the_others_from_being_applied(swell: Swell) -> None:
    name = unique("map")
    good = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}}
    bad = {"apiVersion": "v1", "kind": "Nope", "metadata": {"name": "x"}}
    told = swell("apply", "-f", "-", stdin=yaml.safe_dump_all([bad, good]))
    assert told.returncode == 1
    assert told.stdout == f"configmap/{name} created\n"
    assert "Nope x refused: the cluster has no kind 'Nope'" in told.stderr
    swell.ok("delete", "configmap", name)


def test_a_manifest_that_is_not_valid_is_refused_with_the_field_and_nothing_is_made(
    swell: Swell, home: Home, tmp_path: Path
) -> None:
    name = unique("bad")
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"timeoutSeconds": 9999, "containers": [{"image": "hello"}]}}},
    }
    told = swell("apply", "-f", "-", stdin=yaml.safe_dump(service))
    assert told.returncode == 1
    assert "expected 0 <= 9999 <= 600: spec.template.spec.timeoutSeconds" in told.stderr
    missing = swell("get", "ksvc", name)
    assert missing.returncode == 1
    assert "not found" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["get", "kservic"], "no kind 'kservic': did you mean"),
        (["get", "ksvc", "-o", "xml"], "--output xml: allowed are table, wide, yaml, json, name"),
        (["delete"], "say what to delete"),
        (["delete", "ksvc"], "which ksvc?"),
        (["get", "ksvc/a", "b"], "ksvc/a: say KIND NAME, or KIND/NAME"),
        (["logs", "deploy/a"], "deploy/a: say NAME or ksvc/NAME for a Service"),
        (["up", "--ephemeral", "--state", "x"], "say one of them"),
        (["logs", "nobody"], "Service default/nobody has no pods now"),
        (["watch", "nobody"], "there is no Service default/nobody"),
        (["apply", "-f", "nowhere.yaml"], "nowhere.yaml: No such file"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_says_why(swell: Swell, arguments: list[str], says: str) -> None:
    told = swell(*arguments)
    assert told.returncode == 1
    assert says in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_images_are_added_listed_and_removed(swell: Swell, tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "Procfile").write_text("web: python3 -m http.server $PORT\n")
    state = ["--state", str(tmp_path / "state")]
    assert "register one with" in swell.ok("image", "list", *state)
    assert swell.ok("image", "add", "files", str(app), *state) == f"image files: {app}\n"
    assert str(app) in swell.ok("image", "list", *state)
    swell.ok("image", "remove", "files", *state)
    gone = swell("image", "remove", "files", *state)
    assert gone.returncode == 1
    assert "files" in gone.stderr


def test_a_folder_without_a_procfile_is_refused_with_the_way_out(swell: Swell, tmp_path: Path) -> None:
    told = swell("image", "add", "empty", str(tmp_path), "--state", str(tmp_path / "state"))
    assert told.returncode == 1
    assert "Procfile" in told.stderr


def test_without_a_cluster_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-m", "swell.cli.main", "get", "ksvc"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 1
    assert told.stderr == "swell: no cluster to talk to: start one with `swell up`, or set KUBECONFIG\n"
