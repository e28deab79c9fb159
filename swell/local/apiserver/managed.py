"""Server-side apply: who applied which fields, what an apply therefore takes away, and where appliers disagree. Pure.

Only appliers are remembered (`metadata.managedFields` with the operation Apply). Whoever writes in another way
owns nothing: a later apply sets the fields that it names to what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from swell.api.meta import Obj
from swell.kube.errors import Conflict
from swell.local.apiserver.schema import Schema
from swell.local.apiserver.strategic import apply_merge, child_of

Path = tuple[str, ...]
"""As FieldsV1 writes it: `f:NAME` a field, `k:{...}` a list's item by its key, `v:...` by its value, `.` itself."""
Owned = frozenset[Path]

# What every applied object has, and nobody owns.
_UNOWNED: Final = frozenset({("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace")})

_ANY: Final = Schema(open=True)


def merge_applied(
    schema: Schema, old: Obj, wanted: Obj, *, manager: str, force: bool, now: str
) -> tuple[Obj, list[Obj]]:
    """`old` with what `manager` wants, and the managedFields to store with it; `now` is RFC 3339.

    What the manager wanted before and no longer does is gone, unless others want it. Raises `Conflict` where others
    want another value, unless `force`: then those fields are the manager's alone.
    """
    entries: list[Obj] = old["metadata"].get("managedFields") or []
    others = {each["manager"]: owned_by(each) for each in entries if each["manager"] != manager}
    mine = next((each for each in entries if each["manager"] == manager), None)
    wants = fields_of(schema, wanted)
    disputed = {name: _disputed(schema, old, wanted, wants & owned) for name, owned in others.items()}
    if any(disputed.values()):
        if not force:
            raise _conflict(disputed)
        others = {name: owned - disputed[name] for name, owned in others.items()}
    kept = wants.union(*others.values())
    dropped = (owned_by(mine) - kept) if mine is not None else frozenset[Path]()
    merged = apply_merge(schema, without(schema, old, dropped, kept), wanted)
    return merged, _entries(entries, others, manager, wants, wanted, now)


def fields_of(schema: Schema, value: Obj) -> Owned:
    """The fields that `value` has a say in."""
    return frozenset(_paths_of(schema, value, ())) - _UNOWNED


def owned_by(entry: Obj) -> Owned:
    return frozenset(_unfolded(entry.get("fieldsV1") or {}, ()))


def without(schema: Schema, obj: Obj, dropped: Iterable[Path], kept: Owned) -> Obj:
    """`obj` without the dropped fields; a list's item goes whole when nothing that is kept is in it."""
    left: Obj = orjson.loads(orjson.dumps(obj))
    for path in sorted(dropped, key=lambda each: (len(each), each)):
        if path[-1] == "." and any(each[: len(path) - 1] == path[:-1] for each in kept):
            continue
        if path[-1] == "." or not _is_filled_map(*_locate(schema, left, path)):
            _remove(schema, left, path)
    return left


def _paths_of(schema: Schema, value: Any, prefix: Path) -> Iterator[Path]:
    if isinstance(value, dict) and value and not schema.atomic:
        for key, item in value.items():
            yield from _paths_of(child_of(schema, key), item, (*prefix, f"f:{key}"))
    elif isinstance(value, list) and value and schema.merge_key == "*":
        for item in value:
            yield (*prefix, f"v:{_text(item)}")
    elif isinstance(value, list) and value and schema.merge_key:
        for item in value:
            at = (*prefix, _item_key(schema, item))
            yield (*at, ".")
            yield from _paths_of(schema.items or _ANY, item, at)
    else:
        yield prefix


def _item_key(schema: Schema, item: Any) -> str:
    key = schema.merge_key
    return f"k:{_text({key: item.get(key) if isinstance(item, dict) else None})}"


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _unfolded(tree: Mapping[str, Any], prefix: Path) -> Iterator[Path]:
    for key, below in tree.items():
        if below:
            yield from _unfolded(below, (*prefix, key))
        else:
            yield (*prefix, key)


def _folded(paths: Owned) -> Obj:
    tree: Obj = {}
    for path in sorted(paths):
        place = tree
        for part in path:
            place = place.setdefault(part, {})
    return tree


def _locate(schema: Schema, value: Any, path: Sequence[str]) -> tuple[Schema, Any]:
    """What is at `path` of `value`, or None; and its schema."""
    for part in path:
        kind, _, text = part.partition(":")
        if kind == "f" and isinstance(value, dict):
            value, schema = value.get(text), child_of(schema, text)
        elif kind == "k" and isinstance(value, list):
            value = next((item for item in value if _item_key(schema, item) == part), None)
            schema = schema.items or _ANY
        elif kind != ".":
            return _ANY, None
    return schema, value


def _find(schema: Schema, value: Any, path: Sequence[str]) -> Any:
    return _locate(schema, value, path)[1]


def _is_filled_map(schema: Schema, value: Any) -> bool:
    """Of a map that was applied empty, only that it is there is owned: not what others put into it."""
    return isinstance(value, dict) and bool(value) and not schema.atomic


def _remove(schema: Schema, value: Any, path: Path) -> None:
    """Remove what is at `path`, in place, and what becomes empty by it."""
    if path[-1] == ".":
        path = path[:-1]
    parent = _find(schema, value, path[:-1])
    kind, _, text = path[-1].partition(":")
    if isinstance(parent, dict) and kind == "f":
        parent.pop(text, None)
    elif isinstance(parent, list) and kind == "v":
        parent[:] = [item for item in parent if _text(item) != text]
    elif isinstance(parent, list):
        item = _find(schema, value, path)
        parent[:] = [each for each in parent if each is not item]
    if not parent and len(path) > 1 and parent is not None:
        _remove(schema, value, path[:-1])


def _disputed(schema: Schema, old: Obj, wanted: Obj, shared: Owned) -> Owned:
    return frozenset(path for path in shared if path[-1] != "." and _differs(schema, old, wanted, path))


def _differs(schema: Schema, old: Obj, wanted: Obj, path: Path) -> bool:
    found = _locate(schema, old, path)
    return not _is_filled_map(*found) and bool(found[1] != _find(schema, wanted, path))


def _conflict(disputed: Mapping[str, Owned]) -> Conflict:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{name}"', "field": _shown(path)}
        for name, paths in disputed.items()
        for path in sorted(paths)
    ]
    count = "1 conflict" if len(causes) == 1 else f"{len(causes)} conflicts"
    told = ", ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    return Conflict(409, "Conflict", f"Apply failed with {count}: {told}", {"causes": causes})


def _shown(path: Path) -> str:
    """Such as `.spec.containers[name="app"].image`."""
    text = ""
    for part in path:
        kind, _, rest = part.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            pairs = orjson.loads(rest).items()
            text += f"[{','.join(f'{key}={_text(value)}' for key, value in pairs)}]"
        elif kind == "v":
            text += f"[={rest}]"
    return text


def _entries(
    entries: list[Obj], others: Mapping[str, Owned], manager: str, wants: Owned, wanted: Obj, now: str
) -> list[Obj]:
    """The entries after an apply; one whose fields stay the same stays the same."""
    after = [_entry(each, others[each["manager"]], now) for each in entries if each["manager"] != manager]
    mine = next((each for each in entries if each["manager"] == manager), None)
    blank = {"manager": manager, "operation": "Apply", "apiVersion": wanted.get("apiVersion"), "fieldsType": "FieldsV1"}
    return [*after, _entry(mine or blank, wants, now)]


def _entry(entry: Obj, owned: Owned, now: str) -> Obj:
    if "fieldsV1" in entry and owned_by(entry) == owned:
        return entry
    return {**entry, "time": now, "fieldsV1": _folded(owned)}
