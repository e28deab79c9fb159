"""A scheduled floor in every home: pods without a request."""

from __future__ import annotations

import json

from swell.api.kinds import SERVICE
from swell.api.labels import SCHEDULE
from swell.testing.home import Home, Objects, pod_is_ready, unique

# One entry begins as the one before it ends: the floor is there at any time.
ALWAYS = json.dumps([{"cron": "* * * * *", "replicas": 2, "duration": "1m"}])
QUICK = {"window": "6s"}


async def test_a_floor_wakes_a_revision_from_zero_without_a_request(home: Home, objects: Objects) -> None:
    name = unique("floor")
    scheduled = objects.service(name, image=home.images.hello, annotations=QUICK)
    scheduled["spec"]["template"]["metadata"]["annotations"][SCHEDULE] = ALWAYS
    await objects.deploy(scheduled)
    await objects.until_pods(name, lambda pods: sum(map(pod_is_ready, pods)) == 2)
    # It holds only for what can be reached: the next revision's traffic lets this one go to zero.
    scheduled["spec"]["template"]["metadata"]["annotations"][SCHEDULE] = None
    await objects.deploy(scheduled)
    await objects.gone(name)
    traffic = [{"revisionName": f"{name}-00001", "percent": 100}]
    await objects.kube.patch(SERVICE, home.namespace, name, {"spec": {"traffic": traffic}})
    await objects.until_pods(name, lambda pods: sum(map(pod_is_ready, pods)) == 2)
    revisions = {pod["metadata"]["labels"]["serving.knative.dev/revision"] for pod in await objects.pods(name)}
    assert revisions == {f"{name}-00001"}
