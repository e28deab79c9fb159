"""Who runs which probe of a container: the kubelet, or the queue-proxy on its behalf (spec dataplane 3.7). Pure."""

from __future__ import annotations

from typing import Final

import orjson

from swell.api.meta import Obj
from swell.api.podspec import serving_container
from swell.api.settings import Features

HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_LOOPBACK: Final = "127.0.0.1"
# Once a second for a day: a start that takes too long is the progress deadline's business, and no reason to kill.
_STARTUP: Final = {"periodSeconds": 1, "failureThreshold": 24 * 3600}


def for_kubelet(container: Obj, port: int | None) -> Obj:
    """The probes that stay on the container; `port` is the app's port, None for a container that does not serve.

    Readiness by network is the queue-proxy's business. Other probes without a port of their own get the app's;
    liveness gets it in any case, because the queue-proxy's ports are nobody's to probe.
    """
    probes: Obj = {}
    readiness = container.get("readinessProbe") or {}
    if "exec" in readiness:
        probes["readinessProbe"] = readiness
    for name in ("livenessProbe", "startupProbe"):
        if probe := container.get(name):
            probes[name] = probe if port is None else _at_port(probe, port, force=name == "livenessProbe")
    return probes


def for_queue_proxy(pod_spec: Obj, port: int, features: Features) -> str:
    """SERVING_READINESS_PROBE: JSON of the app's readiness probe as the queue-proxy runs it; "" without one.

    With multi-container-probing it is a list, in the order of the containers. Sidecars' probes need a port of their
    own, and the kubelet runs those that exec.
    """
    serving = serving_container(pod_spec)
    if not features.enabled("multi-container-probing"):
        return _dumps(_prepared(serving["readinessProbe"], port)) if serving.get("readinessProbe") else ""
    probes = [
        _prepared(probe, port)
        for container in pod_spec["containers"]
        if (probe := container.get("readinessProbe")) and (container is serving or "exec" not in probe)
    ]
    return _dumps(probes) if probes else ""


def _dumps(found: object) -> str:
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()


def _prepared(probe: Obj, port: int) -> Obj:
    rest = {key: value for key, value in probe.items() if key not in HANDLERS}
    if (rest.get("periodSeconds") or 0) > 0 and (rest.get("timeoutSeconds") or 0) < 1:
        rest["timeoutSeconds"] = 1
    return {**rest, **_handler(probe, port)}


def of_queue_proxy(probe: Obj | None, port: int) -> Obj:
    """The probes on the queue-proxy itself: the app's timings, and a question to the queue-proxy.

    Where the app leaves the timing to us there is a startup probe too, which the reference has not: the kubelet tries
    readiness at a time of its own choosing, and when it is too early, ten seconds later.
    """
    if not probe:
        return {}
    rest = {key: value for key, value in probe.items() if key not in HANDLERS}
    question = {"httpGet": {"port": port, "httpHeaders": [{"name": "K-Network-Probe", "value": "queue"}]}}
    found: Obj = {"readinessProbe": {**rest, **question}}
    if not probe.get("periodSeconds"):
        found["startupProbe"] = {**_STARTUP, **question}
    return found


def _handler(probe: Obj, port: int) -> Obj:
    if "httpGet" in probe:
        get = probe["httpGet"] or {}
        scheme = get.get("scheme") or "HTTP"
        return {"httpGet": {**get, "host": _LOOPBACK, "port": _number(get.get("port"), port), "scheme": scheme}}
    if "grpc" in probe:
        grpc = probe["grpc"] or {}
        return {"grpc": {**grpc, "port": _number(grpc.get("port"), port)}}
    tcp = probe.get("tcpSocket") or {}
    return {"tcpSocket": {**tcp, "host": _LOOPBACK, "port": _number(tcp.get("port"), port)}}


def _number(port: object, default: int) -> int:
    """A probe's port; named ones can only mean the app's."""
    return port if isinstance(port, int) and port else default


def _at_port(probe: Obj, port: int, *, force: bool) -> Obj:
    for name in ("httpGet", "tcpSocket", "grpc"):
        if name in probe:
            handler = probe[name] or {}
            forced = force and name != "grpc"
            return {**probe, name: {**handler, "port": port if forced else handler.get("port") or port}}
    return probe
