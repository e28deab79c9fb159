"""What the cluster's DNS answers, for Services and EndpointSlices as they may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from swell.testing.node.dns.message import AAAA, CNAME, A, Code, Question, Record
from swell.testing.node.dns.records import answer

Obj = dict[str, Any]
SUFFIX = "default.svc.cluster.local"


def service(name: str, **spec: Any) -> Obj:
    return {"metadata": {"namespace": "default", "name": name}, "spec": spec}


def slice_of(*endpoints: Obj, family: str = "IPv4") -> Obj:
    return {"addressType": family, "endpoints": list(endpoints)}


SERVICES = {
    "web": service("web", clusterIP="10.96.0.7"),
    "pods": service("pods", clusterIP="None"),
    "empty": service("empty", clusterIP="None"),
    "new": service("new"),
    "alias": service("alias", type="ExternalName", externalName=f"Web.{SUFFIX}."),
    "outside": service("outside", type="ExternalName", externalName="example.org"),
    "circle": service("circle", type="ExternalName", externalName=f"circle.{SUFFIX}"),
}
SLICES = {
    "pods": [
        slice_of(
            {"addresses": ["10.244.0.9"], "conditions": {"ready": True}},
            {"addresses": ["10.244.0.8"], "conditions": {"ready": False}},
            {"addresses": ["10.244.0.7"]},
        ),
        slice_of({"addresses": ["10.244.0.9"], "conditions": {"ready": True}}),
        slice_of({"addresses": ["fd00::7"]}, family="IPv6"),
        {"addressType": "IPv4", "endpoints": None},
    ]
}


def service_of(namespace: str, name: str) -> Obj | None:
    return SERVICES.get(name) if namespace == "default" else None


def slices_of(namespace: str, name: str) -> Sequence[Obj]:
    return SLICES.get(name, []) if namespace == "default" else []


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    question: Question
    code: Code = Code.NO_ERROR
    records: tuple[tuple[int, str], ...] = ()


CASES = [
    Case("a Service: its address", Question(f"web.{SUFFIX}"), records=((A, "10.96.0.7"),)),
    Case("a Service has no IPv6 address", Question(f"web.{SUFFIX}", AAAA)),
    Case("headless: ready pods", Question(f"pods.{SUFFIX}"), records=((A, "10.244.0.7"), (A, "10.244.0.9"))),
    Case("headless without pods: nothing", Question(f"empty.{SUFFIX}")),
    Case("a Service without an address yet: nothing", Question(f"new.{SUFFIX}")),
    Case("an alias: both", Question(f"alias.{SUFFIX}"), records=((CNAME, f"web.{SUFFIX}"), (A, "10.96.0.7"))),
    Case("an alias to the outside: the name", Question(f"outside.{SUFFIX}"), records=((CNAME, "example.org"),)),
    Case("no such Service", Question(f"nobody.{SUFFIX}"), Code.NO_SUCH_NAME),
    Case("another namespace", Question("web.other.svc.cluster.local"), Code.NO_SUCH_NAME),
    Case("a name below a Service", Question(f"a.web.{SUFFIX}"), Code.NO_SUCH_NAME),
    Case("a name tried with a search domain", Question(f"web.{SUFFIX}.svc.cluster.local"), Code.NO_SUCH_NAME),
    Case("two words", Question("web.default"), Code.NO_SUCH_NAME),
    Case("the outside", Question("example.org"), Code.NO_SUCH_NAME),
    Case("the root", Question(""), Code.NO_SUCH_NAME),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answers(case: Case) -> None:
    code, records = answer(case.question, service_of, slices_of)
    assert (code, tuple((record.type, record.value) for record in records)) == (case.code, case.records)


def test_the_address_behind_an_alias_has_the_other_name() -> None:
    _, records = answer(Question(f"alias.{SUFFIX}"), service_of, slices_of)
    assert [record.name for record in records] == [f"alias.{SUFFIX}", f"web.{SUFFIX}"]


def test_aliases_in_a_circle_end() -> None:
    code, records = answer(Question(f"circle.{SUFFIX}"), service_of, slices_of)
    assert code is Code.NO_ERROR
    assert set(records) == {Record(f"circle.{SUFFIX}", CNAME, f"circle.{SUFFIX}")}
