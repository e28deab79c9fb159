"""The main job by hand, with the real kubectl."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from swell.local.samples import sample
from swell.testing.home import Home, Objects, have_kubectl, unique

pytestmark = pytest.mark.skipif(not have_kubectl(), reason="kubectl is not on this machine")


def _manifest(home: Home, name: str, target: str = "World") -> str:
    service = yaml.safe_load((sample("hello") / "service.yaml").read_text())
    service["metadata"] = {"name": name}
    container = service["spec"]["template"]["spec"]["containers"][0]
    container["image"] = home.images.hello
    container["env"][0]["value"] = target
    return yaml.safe_dump(service)


async def test_apply_wait_get_logs_change_delete(home: Home, objects: Objects) -> None:
    name = unique("hand")
    kubectl = home.kubectl
    assert kubectl("apply", "-f", "-", stdin=_manifest(home, name)) == f"service.serving.knative.dev/{name} created\n"
    kubectl("wait", "--for=condition=Ready", f"ksvc/{name}", "--timeout=60s")
    assert (await objects.get(name)).text == "Hello World!\n"

    header, row = kubectl("get", "ksvc", name).splitlines()
    assert header.split() == ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"]
    assert row.split() == [name, f"http://{home.host(name)}", f"{name}-00001", f"{name}-00001", "True"]
    assert kubectl("get", "rev").splitlines()[0].split("  ")[0] == "NAME"
    headings = kubectl("get", "rev,route,cfg,pods,deploy,kpa")
    for heading in (
        "CONFIG NAME",
        "ACTUAL REPLICAS",
        "URL",
        "LATESTREADY",
        "RESTARTS",
        "UP-TO-DATE",
        "DESIREDSCALE",
    ):
        assert heading in headings, heading
    assert f"pod/{name}-00001-deployment-" in kubectl("get", "all")
    # Its queue-proxy told that it is ready: the kubelet may say so later, and gives no logs till then.
    pods = ("-l", f"serving.knative.dev/service={name}")
    kubectl("wait", "--for=condition=Ready", "pods", *pods, "--timeout=60s")
    assert "hello: listening" in kubectl("logs", *pods, "-c", "user-container")

    changed = kubectl("apply", "-f", "-", stdin=_manifest(home, name, "Swell"))
    assert changed == f"service.serving.knative.dev/{name} configured\n"
    kubectl("wait", "--for=jsonpath={.status.latestReadyRevisionName}=" + f"{name}-00002", f"ksvc/{name}")
    kubectl("wait", "--for=condition=Ready", f"ksvc/{name}", "--timeout=60s")
    await objects.until_answer(name, lambda answer: answer.text == "Hello Swell!\n")
    # The list of containers has defaults by now, and kubectl compares lists of custom resources as a whole: it
    # sends a patch each time, of which nothing comes.
    kubectl("apply", "-f", "-", stdin=_manifest(home, name, "Swell"))
    assert kubectl("get", "ksvc", name, "-o", "jsonpath={.metadata.generation}") == "2"

    kubectl("delete", "ksvc", name)
    await objects.gone(name)
    left = json.loads(kubectl("get", "ksvc,cfg,rev,route,deploy,rs,kpa", "-o", "json"))["items"]
    assert [item["metadata"]["name"] for item in left if item["metadata"]["name"].startswith(name)] == []


async def test_get_pods_watch_shows_pods_come_and_go(home: Home, objects: Objects) -> None:
    name = unique("seen")
    watcher = await asyncio.create_subprocess_exec(
        *("kubectl", "get", "pods", "-w", "-l", f"serving.knative.dev/service={name}"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "KUBECONFIG": str(home.kubeconfig)},
    )
    assert watcher.stdout is not None
    try:
        await objects.apply(objects.service(name, annotations={"window": "6s"}))
        first = await _lines_until(watcher.stdout, "Terminating")
        await objects.gone(name)
        # By now kubectl surely watches: it sees the whole life of the next pod.
        assert (await objects.get(name)).status == 200
        second = await _lines_until(watcher.stdout, "2/2", "Running")
    finally:
        watcher.kill()
        await watcher.wait()
    assert any(line.split()[1:3] == ["2/2", "Running"] for line in first)
    assert any(line.split()[2] in ("Pending", "ContainerCreating") for line in second)


async def _lines_until(stdout: asyncio.StreamReader, *words: str) -> list[str]:
    """The lines up to the one with all these words."""
    lines: list[str] = []
    async with asyncio.timeout(60):
        while not lines or not set(words) <= set(lines[-1].split()):
            lines.append((await stdout.readline()).decode())
    return lines


def test_a_manifest_that_is_not_valid_names_the_field_and_creates_nothing(home: Home) -> None:
    name = unique("bad")
    service = yaml.safe_load(_manifest(home, name))
    service["spec"]["template"]["spec"]["containerConcurrency"] = -1
    told = home.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(service), check=False)
    assert "expected 0 <= -1 <= 1000: spec.template.spec.containerConcurrency" in told
    assert "NotFound" in home.kubectl("get", "ksvc", name, check=False)


def test_a_misspelt_field_is_named(home: Home) -> None:
    service = yaml.safe_load(_manifest(home, unique("typo")))
    service["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    told = home.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(service), check=False)
    assert 'unknown field "spec.template.spec.containers[0].imagee"' in told


def test_kubectl_finds_the_kinds_and_explains_them(home: Home) -> None:
    kinds = home.kubectl("api-resources")
    for short in ("ksvc", "rev", "rt", "cfg", "kpa", "po", "deploy"):
        assert short in kinds, short
    assert "containerConcurrency" in home.kubectl("explain", "ksvc.spec.template.spec")


def test_without_the_token_nothing_is_told(home: Home, tmp_path: Path) -> None:
    config = yaml.safe_load(home.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "wrong"}
    other = tmp_path / "kubeconfig"
    other.write_text(yaml.safe_dump(config))
    done = subprocess.run(
        ["kubectl", "get", "pods"],
        env={**os.environ, "KUBECONFIG": str(other)},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "Unauthorized" in done.stderr or "logged in" in done.stderr
