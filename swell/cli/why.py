"""`swell why`: what the autoscaler's ledger says of a Service, for people. The words are the autoscaler's own."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from swell.api.durations import parse_duration
from swell.api.kinds import POD_AUTOSCALER, SERVICE
from swell.api.labels import SERVICE as SERVICE_LABEL
from swell.api.meta import Obj, parse_rfc3339
from swell.cli.context import connect, find_kubeconfig
from swell.cli.objects import BadUse
from swell.cli.observe import NoService
from swell.cli.reach import Ask, NoDocument, ask_of
from swell.kube.errors import NotFound
from swell.kube.rest import RestClient
from swell.runtime.errors import SwellError

FOLLOW_S: Final = 1.0
LABELS: Final = {
    "sees": "sees",
    "wants": "wants",
    "decided": "decided by",
    "not_more": "not more",
    "not_fewer": "not fewer",
    "to_zero": "to zero",
}
"""The sentences of a document, in the order in which they are shown."""
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)

Doc = Mapping[str, Any]


class NothingKept(SwellError):
    """The ledger has no row of that time, or of that revision."""


async def why(name: str, namespace: str, kubeconfig: str | None, *, at: str | None, follow: bool, output: str) -> int:
    """Print it; returns the exit code. Raises `NoService`, `NoAutoscaler`, `NothingKept`, `BadUse`."""
    if output not in ("text", "json"):
        raise BadUse(f"--output {output}: allowed are text, json")
    if follow and at is not None:
        raise BadUse("--follow tells what comes, --at what was: say one of them")
    here = datetime.now().astimezone().tzinfo
    path = "" if at is None else f"?at={moment(at, datetime.now(here)).timestamp():.3f}"
    async with connect(kubeconfig) as client:
        ask = ask_of(client, find_kubeconfig(kubeconfig, os.environ))
        found = await _documents(client, ask, namespace, name, path)
        print(json.dumps(found) if output == "json" else "\n\n".join(render(doc, here) for doc in found), flush=True)
        while follow:
            await asyncio.sleep(FOLLOW_S)
            later = await _documents(client, ask, namespace, name, path)
            if output == "json" and later != found:
                print(json.dumps(later), flush=True)
            elif output == "text":
                for line in news(found, later, here):
                    print(line, flush=True)
            found = later
    return 0


async def _documents(client: RestClient, ask: Ask, namespace: str, name: str, query: str) -> list[Doc]:
    """One for each revision that matters, the one that gets most requests first."""
    try:
        service = await client.get(SERVICE, namespace, name)
    except NotFound:
        raise NoService(f"there is no Service {namespace}/{name}; `swell get ksvc -A` lists those there are") from None
    listed = await client.list(POD_AUTOSCALER, namespace, label_selector=f"{SERVICE_LABEL}={name}")
    found: list[Doc] = []
    untold = f"Service {namespace}/{name} has no revision yet"
    for revision in shown(service, listed.items):
        try:
            doc: Doc = await ask(f"/why/{namespace}/{revision}{query}")
        except NoDocument:
            untold = f"the autoscaler does not scale {namespace}/{revision}: it is of another class, or quite new"
            continue
        if doc["row"] is not None:
            found.append(doc)
        else:
            untold = nothing_kept(doc, datetime.now().astimezone().tzinfo)
    if not found:
        raise NothingKept(untold)
    return found


def shown(service: Obj, autoscalers: list[Obj]) -> list[str]:
    """The revisions to tell of: those that get requests, and those that have or want pods; all, if there are none."""
    traffic = (service.get("status") or {}).get("traffic") or ()
    shares = {target["revisionName"]: target.get("percent") or 0 for target in traffic if "revisionName" in target}
    status = {obj["metadata"]["name"]: obj.get("status") or {} for obj in autoscalers}
    scales = {name: max(seen.get("desiredScale") or 0, seen.get("actualScale") or 0) for name, seen in status.items()}
    chosen = [name for name, scale in scales.items() if name in shares or scale > 0]
    return sorted(sorted(chosen or scales, reverse=True), key=lambda name: -shares.get(name, -1))


def render(doc: Doc, zone: tzinfo | None) -> str:
    """A document with a row as text; times of day in that zone."""
    title = f"{doc['revision']} at {_clock(doc['at_s'], doc['at_s'], zone)}"
    if doc["row"]["at_s"] < doc["at_s"] - FOLLOW_S:
        title += f", as it is since {_clock(doc['row']['at_s'], doc['at_s'], zone)}"
    lines = [(label, doc["text"][part]) for part, label in LABELS.items()]
    lines += [
        ("changes" if index == 0 else "", f"{_clock(change['at_s'], doc['at_s'], zone)}  {change['text']}")
        for index, change in enumerate(doc["changes"])
    ]
    return "\n".join([title, *(f"  {label:<12}{text}" for label, text in lines)])


def news(before: list[Doc], after: list[Doc], zone: tzinfo | None) -> list[str]:
    """A line for each change that `after` has and `before` has not, and for each other decision."""
    told = {(doc["revision"], change["at_s"], change["text"]) for doc in before for change in doc["changes"]}
    stood = {doc["revision"]: _decision(doc) for doc in before}
    lines = []
    for doc in after:
        lines += [
            f"{_clock(change['at_s'], change['at_s'], zone)}  {doc['revision']}  {change['text']}"
            for change in doc["changes"]
            if (doc["revision"], change["at_s"], change["text"]) not in told
        ]
        if _decision(doc) != stood.get(doc["revision"]):
            time, text = _clock(doc["row"]["at_s"], doc["row"]["at_s"], zone), doc["text"]
            lines.append(f"{time}  {doc['revision']}  wants {text['wants']}; {text['decided']}")
    return lines


def nothing_kept(doc: Doc, zone: tzinfo | None) -> str:
    """Why a document has no row."""
    kept, at_s = doc["kept"], doc["at_s"]
    if kept is None:
        return f"nothing is kept of {doc['revision']}"
    at, first = _clock(at_s, kept["from_s"], zone), _clock(kept["from_s"], at_s, zone)
    return f"nothing is kept of {doc['revision']} at {at}: what is kept begins at {first}"


def moment(text: str, now: datetime) -> datetime:
    """The time that a person means: RFC 3339, HH:MM[:SS] (of the last 24 hours), or -5m. Raises `BadUse`."""
    try:
        if text.startswith("-"):
            return now + timedelta(seconds=parse_duration(text))
        if match := _CLOCK.fullmatch(text):
            hour, minute, second = (int(part or 0) for part in match.groups())
            today = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return today if today <= now else today - timedelta(days=1)
        return datetime.fromtimestamp(parse_rfc3339(text), now.tzinfo)
    except (ValueError, OverflowError):
        raise BadUse(f"--at {text}: write it as 14:05, 14:05:30, -5m or 2026-11-28T14:05:30Z") from None


def _decision(doc: Doc) -> tuple[Any, ...]:
    row = doc["row"]
    return row["want"], row["rule"], row["clamp"]


def _clock(at_s: float, now_s: float, zone: tzinfo | None) -> str:
    """The time of day; with the date if that is another one than now's."""
    at, now = datetime.fromtimestamp(at_s, zone), datetime.fromtimestamp(now_s, zone)
    return at.strftime("%H:%M:%S" if at.date() == now.date() else "%Y-%m-%d %H:%M:%S")
