"""What `kubectl get` shows of the built-in kinds, but for pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from swell.api.meta import Obj, condition_of
from swell.local.apiserver.ages import age_of
from swell.local.apiserver.pod_columns import POD_COLUMNS, container_names, images
from swell.local.apiserver.resource import Column


def _name(obj: Obj, _: float) -> str:
    return str(obj["metadata"]["name"])


def _age(obj: Obj, now_s: float) -> str:
    return age_of(obj["metadata"].get("creationTimestamp"), now_s)


NAME: Final = Column("Name", _name, format="name", description="Name must be unique within a namespace.")
AGE: Final = Column("Age", _age, description="Time since the object was created.")


def at(*path: str, default: Any = "<none>") -> Callable[[Obj, float], Any]:
    """A cell that shows the value at `path`, or `default` where there is none."""

    def cell(obj: Obj, _: float) -> Any:
        value: Any = obj
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return default if value in (None, "") else value

    return cell


def number(*path: str) -> Callable[[Obj, float], Any]:
    return at(*path, default=0)


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """Labels as `a=b,c=d`."""
    if not selector:
        return "<none>"
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))


def _match_labels(obj: Obj, _: float) -> str:
    return selector_text((obj["spec"].get("selector") or {}).get("matchLabels"))


def _template_containers(obj: Obj, _: float) -> str:
    return container_names(obj["spec"].get("template", {}).get("spec", {}))


def _template_images(obj: Obj, _: float) -> str:
    return images(obj["spec"].get("template", {}).get("spec", {}))


_TEMPLATE: Final = (
    Column("Containers", _template_containers, priority=1),
    Column("Images", _template_images, priority=1),
    Column("Selector", _match_labels, priority=1),
)


def _ready_of(obj: Obj, _: float) -> str:
    return f"{obj.get('status', {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"


def _data_size(obj: Obj, _: float) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


def _ports(obj: Obj, _: float) -> str:
    ports = obj["spec"].get("ports") or ()
    shown = [
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol', 'TCP')}"
        for port in ports
    ]
    return ",".join(shown) or "<none>"


def _external_ip(obj: Obj, _: float) -> str:
    spec = obj["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", "<none>"))
    ingress = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    shown = [each.get("ip") or each.get("hostname", "") for each in ingress] + list(spec.get("externalIPs") or ())
    return ",".join(shown) or ("<pending>" if spec.get("type") == "LoadBalancer" else "<none>")


def _service_selector(obj: Obj, _: float) -> str:
    return selector_text(obj["spec"].get("selector"))


def _node_status(obj: Obj, _: float) -> str:
    shown = {"True": "Ready", "False": "NotReady"}.get(condition_of(obj).get("status", ""), "Unknown")
    return f"{shown},SchedulingDisabled" if obj.get("spec", {}).get("unschedulable") else shown


def _node_roles(obj: Obj, _: float) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or "<none>"


def _internal_ip(obj: Obj, _: float) -> str:
    addresses = obj.get("status", {}).get("addresses") or ()
    return next((each["address"] for each in addresses if each["type"] == "InternalIP"), "<none>")


def _endpoints(obj: Obj, _: float) -> str:
    shown = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    return _shortened(shown)


def _slice_endpoints(obj: Obj, _: float) -> str:
    return _shortened([address for each in obj.get("endpoints") or () for address in each.get("addresses", ())])


def _slice_ports(obj: Obj, _: float) -> str:
    return _shortened([str(port.get("port", "*")) for port in obj.get("ports") or ()])


def _shortened(shown: list[str]) -> str:
    text = ",".join(shown[:3])
    return (f"{text} + {len(shown) - 3} more..." if len(shown) > 3 else text) or "<none>"


def _last_seen(obj: Obj, now_s: float) -> str:
    series = (obj.get("series") or {}).get("lastObservedTime")
    seen = series or obj.get("lastTimestamp") or obj.get("eventTime") or obj["metadata"].get("creationTimestamp")
    return age_of(seen, now_s)


def _first_seen(obj: Obj, now_s: float) -> str:
    return age_of(obj.get("firstTimestamp") or obj.get("eventTime"), now_s)


def _event_object(obj: Obj, _: float) -> str:
    about = obj.get("involvedObject") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _event_source(obj: Obj, _: float) -> str:
    source = obj.get("source") or {}
    parts = [source.get("component") or obj.get("reportingComponent", ""), source.get("host", "")]
    return ", ".join(part for part in parts if part)


def _message(obj: Obj, _: float) -> str:
    return str(obj.get("message", "")).strip()


_NODE_INFO: Final = ("status", "nodeInfo")

BUILT_IN_COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {
    "pods": (NAME, *POD_COLUMNS),
    "namespaces": (NAME, Column("Status", at("status", "phase")), AGE),
    "nodes": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        AGE,
        Column("Version", at(*_NODE_INFO, "kubeletVersion", default="")),
        Column("Internal-IP", _internal_ip, priority=1),
        Column("External-IP", lambda *_: "<none>", priority=1),
        Column("OS-Image", at(*_NODE_INFO, "osImage", default="<unknown>"), priority=1),
        Column("Kernel-Version", at(*_NODE_INFO, "kernelVersion", default="<unknown>"), priority=1),
        Column("Container-Runtime", at(*_NODE_INFO, "containerRuntimeVersion", default="<unknown>"), priority=1),
    ),
    "services": (
        NAME,
        Column("Type", at("spec", "type")),
        Column("Cluster-IP", at("spec", "clusterIP")),
        Column("External-IP", _external_ip),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", _service_selector, priority=1),
    ),
    "horizontalpodautoscalers.autoscaling": (
        NAME,
        Column("Reference", lambda obj, _: "{kind}/{name}".format(**obj["spec"]["scaleTargetRef"])),
        Column("MinPods", at("spec", "minReplicas", default=1), type="integer"),
        Column("MaxPods", number("spec", "maxReplicas"), type="integer"),
        Column("Replicas", number("status", "currentReplicas"), type="integer"),
        AGE,
    ),
    "endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "endpointslices.discovery.k8s.io": (
        NAME,
        Column("AddressType", at("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        AGE,
    ),
    "configmaps": (NAME, Column("Data", _data_size, type="integer"), AGE),
    "secrets": (NAME, Column("Type", at("type")), Column("Data", _data_size, type="integer"), AGE),
    "serviceaccounts": (NAME, Column("Secrets", lambda obj, _: len(obj.get("secrets") or ()), type="integer"), AGE),
    "events": (
        Column("Last Seen", _last_seen),
        Column("Type", at("type", default="")),
        Column("Reason", at("reason", default="")),
        Column("Object", _event_object),
        Column("Subobject", at("involvedObject", "fieldPath", default=""), priority=1),
        Column("Source", _event_source, priority=1),
        Column("Message", _message),
        Column("First Seen", _first_seen, priority=1),
        Column("Count", at("count", default=1), type="integer", priority=1),
        Column("Name", _name, priority=1, format="name"),
    ),
    "leases.coordination.k8s.io": (NAME, Column("Holder", at("spec", "holderIdentity", default="")), AGE),
    "deployments.apps": (
        NAME,
        Column("Ready", _ready_of),
        Column("Up-to-date", number("status", "updatedReplicas"), type="integer"),
        Column("Available", number("status", "availableReplicas"), type="integer"),
        AGE,
        *_TEMPLATE,
    ),
    "replicasets.apps": (
        NAME,
        Column("Desired", number("spec", "replicas"), type="integer"),
        Column("Current", number("status", "replicas"), type="integer"),
        Column("Ready", number("status", "readyReplicas"), type="integer"),
        AGE,
        *_TEMPLATE,
    ),
    "customresourcedefinitions.apiextensions.k8s.io": (
        NAME,
        Column("Created At", at("metadata", "creationTimestamp")),
    ),
}
"""By storage name. A kind without an entry shows its name and age."""

PLAIN_COLUMNS: Final = (NAME, AGE)
