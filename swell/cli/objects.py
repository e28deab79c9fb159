"""`swell apply`, `get` and `delete`: the part of kubectl that the main job needs, for machines without it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Final

import yaml

from swell.api.kinds import SERVICE, Kind
from swell.api.meta import Obj, condition_of, is_ready
from swell.cli.context import connect
from swell.cli.manifests import apply_patch, describe, read_manifests, remembering
from swell.kube.discovery import NoSuchKind
from swell.kube.errors import Conflict, KubeError, NotFound
from swell.kube.rest import RestClient
from swell.runtime.errors import SwellError

OUTPUTS: Final = ("table", "wide", "yaml", "json", "name")
CONFLICT_RETRIES_MAX: Final = 5


class NotReady(SwellError):
    """A Service did not become Ready in time; says why not."""


class BadUse(SwellError):
    """Arguments that do not fit together."""


async def apply(filenames: list[str], namespace: str, kubeconfig: str | None, *, wait_s: float | None) -> int:
    """Make the objects of the manifests so; with `wait_s` return only once each Service among them is Ready.

    An object that the cluster refuses is told with its name, and the exit code is 1; the others are applied.
    """
    manifests = read_manifests(filenames)
    failed = False
    async with connect(kubeconfig) as client:
        services = []
        for manifest in manifests:
            try:
                kind = await client.kind_of(manifest)
                obj, verb = await _apply_one(client, kind, _placed(manifest, kind, namespace))
            except (KubeError, NoSuchKind) as error:
                print(f"swell: {manifest['kind']} {_name(manifest)} refused: {error}", file=sys.stderr)
                failed = True
                continue
            print(f"{describe(kind, obj)} {verb}")
            if kind == SERVICE:
                services.append(obj)
        if wait_s is not None:
            await asyncio.gather(*(_until_ready(client, service, wait_s) for service in services))
    return 1 if failed else 0


def _name(manifest: Obj) -> str:
    return str(manifest["metadata"].get("name") or manifest["metadata"]["generateName"])


def _placed(manifest: Obj, kind: Kind, namespace: str) -> Obj:
    """The manifest with a namespace, if its kind has one and it names none."""
    if not kind.namespaced or manifest["metadata"].get("namespace"):
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


async def _apply_one(client: RestClient, kind: Kind, manifest: Obj) -> tuple[Obj, str]:
    """The object as it is then, and what was done to it, in kubectl's words."""
    meta = manifest["metadata"]
    wanted = remembering(manifest)
    if "name" not in meta:
        return await client.create(kind, wanted), "created"
    for _ in range(CONFLICT_RETRIES_MAX):
        try:
            live = await client.get(kind, meta.get("namespace"), meta["name"])
        except NotFound:
            return await client.create(kind, wanted), "created"
        patch = apply_patch(live, wanted)
        if not patch:
            return live, "unchanged"
        guard = {"metadata": {**patch.get("metadata", {}), "resourceVersion": live["metadata"]["resourceVersion"]}}
        try:
            return await client.patch(kind, meta.get("namespace"), meta["name"], {**patch, **guard}), "configured"
        except Conflict:
            continue
    raise Conflict(409, "Conflict", f"{describe(kind, manifest)} was changed by others {CONFLICT_RETRIES_MAX} times")


async def _until_ready(client: RestClient, service: Obj, wait_s: float) -> None:
    """Watch the Service until it is Ready; raises `NotReady`."""
    meta = service["metadata"]
    selector = f"metadata.name={meta['name']}"
    last = service
    try:
        async with asyncio.timeout(wait_s):
            while not is_ready(last):
                listed = await client.list(SERVICE, meta["namespace"], field_selector=selector)
                last = listed.items[0] if listed.items else last
                if is_ready(last):
                    break
                async for event in client.watch(
                    SERVICE, meta["namespace"], resource_version=listed.resource_version, field_selector=selector
                ):
                    if event.type != "BOOKMARK":
                        last = event.object
                    if is_ready(last):
                        break
    except TimeoutError:
        raise NotReady(
            f"Service {meta['namespace']}/{meta['name']} is not Ready after {wait_s:g} s: {_why(last)}"
        ) from None
    print(f"{describe(SERVICE, last)} is ready at {last['status'].get('url', '')}")


def _why(service: Obj) -> str:
    condition = condition_of(service)
    return f"{condition.get('reason', 'no status yet')}: {condition.get('message', '')}".rstrip(": ")


async def get(word: str, name: str | None, namespace: str | None, output: str, kubeconfig: str | None) -> int:
    """Print objects of a kind, or one; `namespace` None lists those of all namespaces."""
    if output not in OUTPUTS:
        raise BadUse(f"--output {output}: allowed are {', '.join(OUTPUTS)}")
    word, name = split_name(word, name)
    async with connect(kubeconfig) as client:
        kind = await client.resolve(word)
        where = namespace if kind.namespaced else None
        if name is not None and kind.namespaced and where is None:
            raise BadUse(f"{word} {name} is in one namespace: name it with --namespace, without --all-namespaces")
        if output in ("table", "wide"):
            found = await client.table(kind, where, name)
            print(render_table(found, wide=output == "wide", namespaces=kind.namespaced and where is None))
        else:
            objects = [await client.get(kind, where, name)] if name else (await client.list(kind, where)).items
            print(_printed(kind, objects, output, single=name is not None))
    return 0


def split_name(word: str, name: str | None) -> tuple[str, str | None]:
    """Kind and name of `ksvc/hello`, as kubectl takes it too; raises `BadUse` if there is a second name."""
    kind, slash, inside = word.partition("/")
    if not slash:
        return word, name
    if not inside or name is not None:
        raise BadUse(f"{word}: say KIND NAME, or KIND/NAME")
    return kind, inside


def render_table(table: Obj, *, wide: bool = False, namespaces: bool = False) -> str:
    """A `meta.k8s.io/v1` Table as kubectl prints it: three blanks between columns, wide ones only if asked for."""
    columns = [index for index, column in enumerate(table["columnDefinitions"]) if wide or not column.get("priority")]
    head = [table["columnDefinitions"][index]["name"].upper() for index in columns]
    rows = table.get("rows") or []
    if not rows:
        return "no objects found"
    lines = [[_cell(row["cells"][index]) for index in columns] for row in rows]
    if namespaces:
        head = ["NAMESPACE", *head]
        lines = [[row["object"]["metadata"].get("namespace", ""), *line] for row, line in zip(rows, lines, strict=True)]
    widths = [max(len(line[index]) for line in [head, *lines]) for index in range(len(head))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *lines]
    )


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _printed(kind: Kind, objects: list[Obj], output: str, *, single: bool) -> str:
    if output == "name":
        return "\n".join(describe(kind, obj) for obj in objects)
    shown: Obj = objects[0] if single else {"apiVersion": "v1", "kind": "List", "items": objects}
    if output == "json":
        return json.dumps(shown, indent=2)
    text: str = yaml.safe_dump(shown, sort_keys=False)
    return text.rstrip("\n")


async def delete(word: str, names: list[str], filenames: list[str], namespace: str, kubeconfig: str | None) -> int:
    """Delete objects by kind and name, or those of manifests; the exit code is 1 if one was not there."""
    if "/" in word:
        word, first = split_name(word, None)
        names = [str(first), *names]
    if bool(filenames) == bool(word):
        raise BadUse("say what to delete: a kind and names, or --filename FILE")
    if word and not names:
        raise BadUse(f"which {word}? Give at least one name")
    missing = False
    async with connect(kubeconfig) as client:
        for kind, where, name in await _doomed(client, word, names, filenames, namespace):
            what = describe(kind, {"metadata": {"name": name}})
            try:
                await client.delete(kind, where, name)
            except NotFound:
                print(f"swell: {what} not found in {where}" if where else f"swell: {what} not found", file=sys.stderr)
                missing = True
                continue
            print(f"{what} deleted")
    return 1 if missing else 0


async def _doomed(
    client: RestClient, word: str, names: list[str], filenames: list[str], namespace: str
) -> list[tuple[Kind, str | None, str]]:
    if word:
        kind = await client.resolve(word)
        return [(kind, namespace if kind.namespaced else None, name) for name in names]
    found: list[tuple[Kind, str | None, str]] = []
    for manifest in read_manifests(filenames):
        kind = await client.kind_of(manifest)
        meta = _placed(manifest, kind, namespace)["metadata"]
        if "name" not in meta:
            raise BadUse(f"{manifest['kind']} with generateName {meta['generateName']!r}: delete it by its name")
        found.append((kind, meta.get("namespace"), meta["name"]))
    return found
