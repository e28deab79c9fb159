"""Label and field selectors: text in, a test for objects out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from swell.api.meta import Obj
from swell.local.apiserver.failures import bad_request

Matches = Callable[[Obj], bool]
FieldPath = tuple[str, ...]

COMMON_FIELDS: Final[Mapping[str, FieldPath]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}

_KEY: Final = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE: Final = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"\s*(?P<key>{_KEY})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)\s*")
_EQUAL = re.compile(rf"\s*(?P<key>{_KEY})\s*(?P<op>==|!=|=)\s*(?P<value>{_VALUE})\s*")
_ORDER = re.compile(rf"\s*(?P<key>{_KEY})\s*(?P<op>[<>])\s*(?P<value>-?\d+)\s*")
_EXISTS = re.compile(rf"\s*(?P<not>!?)\s*(?P<key>{_KEY})\s*")
_VALUE_PATTERN = re.compile(_VALUE)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a resource: selectors as clients write them."""

    labels: str = ""
    fields: str = ""


def everything(_: Obj) -> bool:
    """The test that every object passes."""
    return True


def selector(labels: str, fields: str, known_fields: Mapping[str, FieldPath]) -> Matches:
    """The test for both selectors; raises `Invalid` (400) naming the part that is not understood."""
    tests = [*_label_tests(labels), *_field_tests(fields, known_fields)]
    if not tests:
        return everything
    if len(tests) == 1:
        return tests[0]
    return lambda obj: all(test(obj) for test in tests)


def exact_name(fields: str) -> str | None:
    """The name, if the field selector asks for exactly one: such a list is a look-up."""
    match = re.fullmatch(r"metadata\.name==?([^,=!]+)", fields)
    return match[1] if match else None


def _label_tests(text: str) -> list[Matches]:
    return [_label_test(part, text) for part in _split(text)]


def _split(text: str) -> list[str]:
    """At the commas that are outside of parentheses."""
    parts = re.findall(r"(?:[^,(]|\([^)]*\)?)+", text)
    return [part for part in parts if part.strip()]


def _label_test(part: str, whole: str) -> Matches:
    if match := _SET.fullmatch(part):
        key, values = match["key"], _values(match["values"], whole)
        if match["op"] == "in":
            return lambda obj: _labels(obj).get(key) in values
        return lambda obj: _labels(obj).get(key) not in values
    if match := _EQUAL.fullmatch(part):
        key, value = match["key"], match["value"]
        if match["op"] == "!=":
            return lambda obj: _labels(obj).get(key) != value
        return lambda obj: _labels(obj).get(key) == value
    if match := _ORDER.fullmatch(part):
        return _ordered(match["key"], match["op"], int(match["value"]))
    if match := _EXISTS.fullmatch(part):
        key = match["key"]
        if match["not"]:
            return lambda obj: key not in _labels(obj)
        return lambda obj: key in _labels(obj)
    raise bad_request(f"unable to parse requirement: {part.strip()!r} in the label selector {whole!r}")


def _values(text: str, whole: str) -> frozenset[str]:
    values = [value.strip() for value in text.split(",")]
    for value in values:
        if not _VALUE_PATTERN.fullmatch(value):
            raise bad_request(f"unable to parse requirement: {value!r} is no label value, in {whole!r}")
    return frozenset(values)


def _ordered(key: str, op: str, bound: int) -> Matches:
    def test(obj: Obj) -> bool:
        try:
            value = int(_labels(obj).get(key, ""))
        except ValueError:
            return False
        return value > bound if op == ">" else value < bound

    return test


def _labels(obj: Obj) -> Mapping[str, str]:
    labels: Mapping[str, str] = obj["metadata"].get("labels") or {}
    return labels


def _field_tests(text: str, known: Mapping[str, FieldPath]) -> list[Matches]:
    return [_field_test(part.strip(), known) for part in text.split(",") if part.strip()]


def _field_test(part: str, known: Mapping[str, FieldPath]) -> Matches:
    match = re.fullmatch(r"([^=!]+?)(!=|==|=)(.*)", part)
    if match is None:
        raise bad_request(f"invalid field selector: {part!r}: want FIELD=VALUE or FIELD!=VALUE")
    field, op, value = match.groups()
    path = COMMON_FIELDS.get(field) or known.get(field)
    if path is None:
        allowed = ", ".join([*COMMON_FIELDS, *known])
        raise bad_request(f"field label not supported: {field} (supported here: {allowed})")
    if op == "!=":
        return lambda obj: field_text(obj, path) != value
    return lambda obj: field_text(obj, path) == value


def field_text(obj: Obj, path: FieldPath) -> str:
    """The field as field selectors compare it: text, "" when absent."""
    value: object = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
