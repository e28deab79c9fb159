"""JSON values as Kubernetes copies and compares them. Knows which zero values count as absent, no kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

DIFFERENCES_MAX: Final = 10

# Fields that are plain values in the API's types: false, 0 and absent are the same there.
_PLAIN: Final = frozenset(
    {
        *("readOnly", "stdin", "stdinOnce", "tty", "hostNetwork", "hostPID", "hostIPC"),
        *("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"),
        *("hostPort", "containerPort"),
    }
)
# Maps and structs that are always there: empty and absent are the same.
_EMPTY_IS_ABSENT: Final = frozenset(
    {"resources", "limits", "requests", "metadata", "labels", "annotations", "nodeSelector", "matchLabels"}
)
_QUANTITIES: Final = frozenset({"limits", "requests"})
_SUFFIXES: Final[Mapping[str, Decimal]] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_ABSENT: Final = object()


def clone(value: Any) -> Any:
    """A deep copy."""
    if isinstance(value, dict):
        return {key: clone(each) for key, each in value.items()}
    if isinstance(value, list):
        return [clone(each) for each in value]
    return value


def same(old: Any, new: Any) -> bool:
    """Whether two values mean the same: absent, null and zero values, and spellings of a quantity, are equal."""
    return old is new or next(_differences(old, new, "", ""), None) is None


def diff(old: Any, new: Any) -> str:
    """What differs, a path and two lines each; the first few only. "" if the values mean the same."""
    lines: list[str] = []
    for count, (path, before, after) in enumerate(_differences(old, new, "", "")):
        if count == DIFFERENCES_MAX:
            lines.append("...")
            break
        lines += [f"{path}:", f"\t-: {_show(before)}", f"\t+: {_show(after)}"]
    return "\n".join(lines)


def quantity(text: str | int | float) -> Decimal | None:
    """The number that a resource quantity stands for; None if it is none."""
    digits = str(text).rstrip("numkKMGTPEi")
    unit = str(text)[len(digits) :]
    try:
        return Decimal(digits) * _SUFFIXES[unit]
    except (InvalidOperation, KeyError):
        return None


def _differences(old: Any, new: Any, key: str, path: str) -> Iterator[tuple[str, Any, Any]]:
    old, new = _meaning(old, key), _meaning(new, key)
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            below = f"{path}.{name}" if path else name
            if key in _QUANTITIES and _equal_quantities(old.get(name), new.get(name)):
                continue
            yield from _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), name, below)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, "", f"{path}[{index}]")
    elif old is not new and (old != new or isinstance(old, bool) is not isinstance(new, bool)):
        yield path, old, new


def _meaning(value: Any, key: str) -> Any:
    """The value, or `_ABSENT` where it says no more than absence would."""
    if value is None or value == "" or value == []:
        return _ABSENT
    if value == {} and key in _EMPTY_IS_ABSENT:
        return _ABSENT
    if key in _PLAIN and value in (0, False):
        return _ABSENT
    if isinstance(value, dict) and key in _EMPTY_IS_ABSENT and all(_is_absent(value[name], name) for name in value):
        return _ABSENT
    return value


def _is_absent(value: Any, key: str) -> bool:
    return _meaning(value, key) is _ABSENT


def _equal_quantities(old: Any, new: Any) -> bool:
    if isinstance(old, str | int | float) and isinstance(new, str | int | float):
        before, after = quantity(old), quantity(new)
        return before is not None and before == after
    return False


def _show(value: Any) -> str:
    return "(absent)" if value is _ABSENT else orjson.dumps(value).decode()
