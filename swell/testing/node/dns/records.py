"""What the cluster's DNS answers, from Services and EndpointSlices as they are. Pure.

Source: Kubernetes DNS-Based Service Discovery 1.1, without SRV, PTR and the names of single pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from swell.api.meta import Obj
from swell.testing.node.dns.message import CNAME, A, Code, Question, Record
from swell.testing.node.layout import CLUSTER_DOMAIN

ALIASES_MAX: Final = 8
HEADLESS: Final = "None"

FindService = Callable[[str, str], Obj | None]
"""The Service of a namespace and a name."""
FindSlices = Callable[[str, str], Sequence[Obj]]
"""The EndpointSlices of the Service of a namespace and a name."""


def answer(question: Question, service_of: FindService, slices_of: FindSlices) -> tuple[Code, tuple[Record, ...]]:
    """NAME.NAMESPACE.svc.cluster.local has the Service's address, or another name; a headless one its ready pods'.

    A name that has nothing of that type has no records; all other names, also of the world outside, do not exist.
    """
    records: list[Record] = []
    name = question.name
    for _ in range(ALIASES_MAX):
        service = _service(name, service_of)
        if service is None:
            break
        if service["spec"].get("type") != "ExternalName":
            if question.type == A:
                records += [Record(name, A, address) for address in _addresses(service, slices_of)]
            return Code.NO_ERROR, tuple(records)
        target = str(service["spec"]["externalName"]).rstrip(".").lower()
        records.append(Record(name, CNAME, target))
        name = target
    # Of an alias at least the other name is known.
    return (Code.NO_ERROR if records else Code.NO_SUCH_NAME), tuple(records)


def _service(name: str, service_of: FindService) -> Obj | None:
    match name.removesuffix(f".svc.{CLUSTER_DOMAIN}").split("."):
        case [service, namespace] if name.endswith(f".svc.{CLUSTER_DOMAIN}"):
            return service_of(namespace, service)
    return None


def _addresses(service: Obj, slices_of: FindSlices) -> list[str]:
    address = service["spec"].get("clusterIP", "")
    if address != HEADLESS:
        return [address] if address else []
    metadata = service["metadata"]
    return sorted(set(_ready_addresses(slices_of(metadata["namespace"], metadata["name"]))))


def _ready_addresses(slices: Iterable[Obj]) -> Iterable[str]:
    for each in slices:
        if each.get("addressType") != "IPv4":
            continue
        for endpoint in each.get("endpoints") or ():
            # Nothing said means ready.
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                yield from endpoint.get("addresses") or ()
