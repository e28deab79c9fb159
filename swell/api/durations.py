"""Durations in Go's syntax, as annotations and ConfigMaps write them: `90s`, `1h0m0s`, `2m33.5s`."""

from __future__ import annotations

import re
from typing import Final

_UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,  # Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_NANOSECONDS_MAX: Final = 2**63 - 1


def parse_nanoseconds(text: str) -> int:
    """Whole nanoseconds of a duration. Raises ValueError naming the text and the syntax."""
    sign = -1 if text.startswith("-") else 1
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return 0
    total, end = 0, 0
    while match := _PART.match(body, end):
        total += _scaled(match[1], _UNITS_NS[match[2]])
        end = match.end()
    if end == 0 or end != len(body) or total > _NANOSECONDS_MAX:
        raise ValueError(f"{text!r} is not a duration: write it like 90s, 1.5h or 2m30s (units ns us ms s m h)")
    return sign * total


def _scaled(digits: str, unit_ns: int) -> int:
    whole, _, fraction = digits.partition(".")
    return int(whole or 0) * unit_ns + (int(fraction) * unit_ns // 10 ** len(fraction) if fraction else 0)


def parse_duration(text: str) -> float:
    """Seconds of a duration. Raises ValueError."""
    return parse_nanoseconds(text) / 1e9


def format_duration(seconds: float) -> str:
    """A duration as Go prints it: `1h0m0s`, `1.5s`, `250ms`, `0s`."""
    ns = round(seconds * 1e9)
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    if ns == 0:
        return "0s"
    if ns < 1_000_000_000:
        return sign + _below_second(ns)
    minutes, rest = divmod(ns, _UNITS_NS["m"])
    text = _decimal(rest, 1_000_000_000) + "s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
    return sign + text


def _below_second(ns: int) -> str:
    for unit, size in (("ms", 1_000_000), ("µs", 1_000)):
        if ns >= size:
            return _decimal(ns, size) + unit
    return f"{ns}ns"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    digits = len(str(unit)) - 1
    return f"{whole}." + f"{rest:0{digits}d}".rstrip("0")
