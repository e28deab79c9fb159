"""Strategic merge patch: as merge patch, but lists merge by the keys that the schema names.

Also the merge for server-side apply, which goes by the same keys. Inputs stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from swell.local.apiserver.failures import bad_request
from swell.local.apiserver.schema import Schema

_DIRECTIVE: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder/"
_DELETE: Final = "$deleteFromPrimitiveList/"
_DIRECTIVES: Final = (_DIRECTIVE, _RETAIN)
_ANY: Final = Schema(open=True)


def strategic_merge(schema: Schema, target: Any, patch: Any) -> Any:
    """`patch` merged into `target`; raises `Invalid` for directives that cannot be followed."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unknown $patch directive {directive!r}: want replace, delete or merge")
    for key, value in patch.items():
        if key.startswith((_RETAIN, _ORDER, _DELETE)) and not isinstance(value, list):
            raise bad_request(f"the patch directive {key} wants a list, found {value!r}")
    merged = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        merged = {key: value for key, value in merged.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key.startswith(_DELETE):
            _delete_values(merged, key.removeprefix(_DELETE), value)
        elif not key.startswith("$"):
            _merge_field(child_of(schema, key), merged, key, value)
    for key, order in patch.items():
        if key.startswith(_ORDER):
            _reorder(child_of(schema, key.removeprefix(_ORDER)), merged, key.removeprefix(_ORDER), order)
    return merged


def child_of(schema: Schema, key: str) -> Schema:
    """The schema of a field; one that allows all where nothing is known of it."""
    return (schema.properties or {}).get(key) or schema.values or _ANY


def _merge_field(schema: Schema, merged: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, list) and schema.merge_key == "*":
        present = merged.get(key) or []
        merged[key] = [*present, *(each for each in value if each not in present)]
    elif isinstance(value, list) and schema.merge_key:
        merged[key] = _merge_items(schema, merged.get(key) or [], value)
    elif schema.atomic or isinstance(value, list):
        merged[key] = value
    else:
        merged[key] = strategic_merge(schema, merged.get(key), value)


def _merge_items(schema: Schema, present: list[Any], patch: Sequence[Any]) -> list[Any]:
    key, item_schema = schema.merge_key, schema.items or _ANY
    if {_DIRECTIVE: "replace"} in patch:
        return [item for item in patch if item != {_DIRECTIVE: "replace"}]
    merged = list(present)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise bad_request(f"an item of the patch lacks its merge key {key!r}: {item!r}")
        found = [at for at, each in enumerate(merged) if each.get(key) == item[key] and _same_slot(each, item, key)]
        if item.get(_DIRECTIVE) == "delete":
            merged = [each for at, each in enumerate(merged) if at not in found]
        elif found:
            merged[found[0]] = strategic_merge(item_schema, merged[found[0]], item)
        else:
            merged.append(strategic_merge(item_schema, None, item))
    return merged


def _same_slot(present: dict[str, Any], item: dict[str, Any], key: str) -> bool:
    """Ports of one number are told apart by protocol, where both say it."""
    if key not in ("containerPort", "port"):
        return True
    return bool(present.get("protocol", "TCP") == item.get("protocol", "TCP"))


def _delete_values(merged: dict[str, Any], key: str, values: Sequence[Any]) -> None:
    if key in merged:
        merged[key] = [each for each in merged[key] if each not in values]


def _reorder(schema: Schema, merged: dict[str, Any], key: str, order: Sequence[Any]) -> None:
    """Put the listed items into the given order; others keep their place after those before them."""
    items = merged.get(key)
    if not isinstance(items, list):
        return
    by = schema.merge_key

    def identity(item: Any) -> Any:
        return item.get(by) if isinstance(item, dict) else item

    wanted = [identity(each) for each in order]
    listed = sorted((each for each in items if identity(each) in wanted), key=lambda each: wanted.index(identity(each)))
    others = [each for each in items if identity(each) not in wanted]
    merged[key] = listed + others


def apply_merge(schema: Schema, target: Any, wanted: Any) -> Any:
    """What server-side apply makes of `target`: all that `wanted` says, and the rest as it was."""
    if not isinstance(wanted, dict):
        return wanted
    merged = dict(target) if isinstance(target, dict) and not schema.atomic else {}
    for key, value in wanted.items():
        child = child_of(schema, key)
        if isinstance(value, list) and child.merge_key and child.merge_key != "*":
            merged[key] = _apply_items(child, merged.get(key) or [], value)
        elif isinstance(value, list) and child.merge_key == "*":
            present = merged.get(key) or []
            merged[key] = [*present, *(each for each in value if each not in present)]
        else:
            merged[key] = apply_merge(child, merged.get(key), value)
    return merged


def _apply_items(schema: Schema, present: list[Any], wanted: Sequence[Any]) -> list[Any]:
    merged = list(present)
    for item in wanted:
        at = _position(merged, schema.merge_key, item)
        if at is None:
            merged.append(item)
        else:
            merged[at] = apply_merge(schema.items or _ANY, merged[at], item)
    return merged


def _position(items: Sequence[Any], key: str, item: Any) -> int | None:
    """Where the item with the same key as `item` is."""
    wanted = item.get(key) if isinstance(item, dict) else None
    if wanted is None:
        return None
    return next((at for at, each in enumerate(items) if each.get(key) == wanted), None)
