"""What `swell status` says of an installation, from its objects. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from swell.api.meta import Obj, is_ready
from swell.cli.installation.programs import Program, programs
from swell.cli.installation.render import VERSION

ELECTED: Final = ("autoscaler", "controller")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An installation as it is.

    `webhook_fault` is what the API server said when it asked the webhook; "": it answered.
    """

    definitions: Sequence[Obj] = ()
    deployments: Sequence[Obj] = ()
    pods: Sequence[Obj] = ()
    leases: Mapping[str, Obj] = field(default_factory=dict)
    webhooks: Sequence[Obj] = ()
    webhook_fault: str = ""
    gateway: Obj | None = None
    services: Sequence[Obj] = ()
    revisions: Sequence[Obj] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Lines to read, and what is wrong; healthy if that is nothing."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]


def report(seen: Snapshot) -> Report:
    """All of it."""
    found = programs(seen.deployments, seen.pods)
    lines = (
        f"version     {_version(seen.definitions)}",
        *(f"{program.name:<11} {program.ready}/{program.wanted} ready{_leader(program, seen)}" for program in found),
        f"webhook     {_webhook(seen)}",
        f"gateway     {addresses(seen.gateway)}",
        f"services    {len(seen.services)}, {sum(map(is_ready, seen.services))} of them ready",
        f"revisions   {_revisions(seen.revisions)}",
    )
    return Report(lines, tuple(_problems(seen, found)))


def addresses(gateway: Obj | None) -> str:
    """Where the front door is reached."""
    if gateway is None:
        return "none"
    spec, ports = gateway["spec"], gateway["spec"]["ports"]
    given = ((gateway.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if given:
        return ", ".join(f"http://{each.get('ip') or each.get('hostname')}" for each in given)
    inside = f"http://{spec.get('clusterIP')} inside the cluster"
    node_port = ports[0].get("nodePort")
    if node_port is None:
        return inside
    pending = "; no address from a load balancer yet" if spec["type"] == "LoadBalancer" else ""
    return f"port {node_port} of every node, {inside}{pending}"


def _version(definitions: Sequence[Obj]) -> str:
    found = {(each["metadata"].get("labels") or {}).get(VERSION, "unknown") for each in definitions}
    return ", ".join(sorted(found)) or "none"


def _leader(program: Program, seen: Snapshot) -> str:
    if program.name not in ELECTED:
        return ""
    holder = _holder(seen.leases.get(program.name))
    return f", {holder} leads" if holder else ", nobody leads"


def _holder(lease: Obj | None) -> str:
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


def _webhook(seen: Snapshot) -> str:
    faults = [*_without_authority(seen.webhooks), *([seen.webhook_fault] if seen.webhook_fault else [])]
    return "does not answer" if faults else "answers, its certificate is trusted"


def _without_authority(webhooks: Sequence[Obj]) -> list[str]:
    return [
        configuration["metadata"]["name"]
        for configuration in webhooks
        if not all(each["clientConfig"].get("caBundle") for each in configuration.get("webhooks") or ())
    ]


def _revisions(revisions: Sequence[Obj]) -> str:
    running = sum(1 for each in revisions if ((each.get("status") or {}).get("actualReplicas") or 0) > 0)
    return f"{len(revisions)}, {running} running and {len(revisions) - running} at zero"


def _problems(seen: Snapshot, found: Sequence[Program]) -> Iterator[str]:
    for program in found:
        if program.troubles or program.ready < program.wanted:
            reasons = "; ".join(program.troubles) or "not ready yet"
            yield f"{program.name}: {program.ready} of {program.wanted} ready: {reasons}"
        if program.name in ELECTED and program.ready and not _holder(seen.leases.get(program.name)):
            yield f"{program.name}: it runs, but nobody leads: nothing is done until one has taken the Lease"
    for name in _without_authority(seen.webhooks):
        yield f"webhook {name}: it has no caBundle yet, which the controller writes: until then writes are refused"
    if seen.webhook_fault:
        yield f"webhook: writes of Services are refused, running ones are untouched: {seen.webhook_fault}"
    if seen.gateway is None:
        yield "the Service activator is not there: nothing reaches the front door. Run `swell install` again"
