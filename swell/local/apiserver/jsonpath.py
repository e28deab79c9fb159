"""The JSONPath that printer columns use: fields, quoted fields, indexes, `[*]` and `[?(@.a=="b")]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Step = Callable[[Any], Iterable[Any]]

_STEP = re.compile(
    r"""
      \.(?P<field>(?:[^.\[\\]|\\.)+)
    | \[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]
    | \[(?P<index>-?\d+)\]
    | \[(?P<every>\*)\]
    | \[\?\(\s*@\.(?P<key>[\w.\-/]+)\s*(?P<op>==|!=)\s*(?P<q>['"]?)(?P<value>.*?)(?P=q)\s*\)\]
    """,
    re.VERBOSE,
)


class BadPath(ValueError):
    """The text is no JSONPath of the kind understood here."""


def compile_path(text: str) -> Callable[[Any], list[Any]]:
    """A function from an object to all values at the path; raises `BadPath`."""
    steps = list(_steps(text))

    def find(root: Any) -> list[Any]:
        found = [root]
        for step in steps:
            found = [value for each in found for value in step(each)]
        return found

    return find


def _steps(text: str) -> Iterator[Step]:
    rest = text if text.startswith((".", "[")) else f".{text}"
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None:
            raise BadPath(f"{text!r} is not understood from {rest[position:]!r} on")
        yield _step(match)
        position = match.end()


def _step(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        return _at(int(match["index"]))
    if match["every"] is not None:
        return _every
    if match["key"] is not None:
        return _filter(match["key"].split("."), match["op"] == "==", match["value"])
    # Dots may be escaped inside quotes too: labels['serving\.knative\.dev/configuration'].
    field = match["field"] if match["quoted"] is None else match["quoted"]
    return _field(re.sub(r"\\(.)", r"\1", field))


def _field(name: str) -> Step:
    if name == "*":
        return _every
    return lambda value: (value[name],) if isinstance(value, dict) and name in value else ()


def _at(index: int) -> Step:
    def step(value: Any) -> Iterable[Any]:
        inside = isinstance(value, list) and -len(value) <= index < len(value)
        return (value[index],) if inside else ()

    return step


def _every(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _filter(path: list[str], equal: bool, wanted: str) -> Step:
    def matches(item: Any) -> bool:
        for key in path:
            item = item.get(key) if isinstance(item, dict) else None
        text = str(item).lower() if isinstance(item, bool) else str(item)
        return (text == wanted) is equal

    return lambda value: (item for item in value if matches(item)) if isinstance(value, list) else ()
