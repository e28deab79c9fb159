"""An operator's policy by file, first in the shadow and then on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from swell.api.kinds import CONFIG_MAP
from swell.api.labels import POLICY
from swell.local import cluster
from swell.testing.home import WAIT_S, Home, Objects, pod_is_ready, unique

SYSTEM = "swell-system"
MORE = '''
from swell.policy import Policy, Seen


class More(Policy):
    """One pod more than the rules want, of what is not at zero."""

    def decide(self, seen: Seen) -> int | None:
        return seen.want + 1 if seen.want else None
'''


class Operator:
    """Who has loaded a policy; `answers` are what it said last of each revision."""

    def __init__(self, home: Home, objects: Objects, file: Path) -> None:
        self._objects = objects
        self._file = file
        self._url = cluster.load(home.kubeconfig.parent).autoscaler_url

    async def mode(self, mode: str | None) -> None:
        loaded = f"more={self._file}:More" if mode else None
        data = {"swell.policies": loaded, "swell.policy-mode": mode}
        await self._objects.kube.patch(CONFIG_MAP, SYSTEM, "config-autoscaler", {"data": data})

    async def answer(self, revision: str) -> dict[str, Any]:
        """The last for that revision, once there is one."""
        async with asyncio.timeout(WAIT_S):
            while True:
                async with self._objects.session.get(f"{self._url}/policies") as answer:
                    found: dict[str, Any] = (await answer.json())["revisions"]
                if revision in found:
                    return dict(found[revision])
                await asyncio.sleep(0.2)


@pytest.fixture
async def operator(
    home: Home, objects: Objects, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Operator]:
    if request.config.getoption("--home") == "kubernetes":
        pytest.skip("a file of this machine is not in the autoscaler's container")
    (tmp_path / "more.py").write_text(MORE)
    operator = Operator(home, objects, tmp_path / "more.py")
    try:
        yield operator
    finally:
        await operator.mode(None)


async def test_a_policy_says_what_it_would_do_and_then_does_it(
    home: Home, objects: Objects, operator: Operator
) -> None:
    await operator.mode("shadow")
    name = unique("policy")
    service = objects.service(name, image=home.images.hello, annotations={"min-scale": "1"})
    service["spec"]["template"]["metadata"]["annotations"][POLICY] = "more"
    await objects.deploy(service)
    assert (await objects.get(name)).status == 200
    answer = await operator.answer(f"{home.namespace}/{name}-00001")
    assert (answer["mode"], answer["by_rules"], answer["by_policy"]) == ("shadow", 1, 2)
    assert len(await objects.pods(name)) == 1
    await operator.mode("on")
    await objects.until_pods(name, lambda pods: sum(map(pod_is_ready, pods)) == 2)
