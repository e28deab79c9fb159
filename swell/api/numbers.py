"""Numbers as annotations and ConfigMaps spell them: Go's syntax, None where it does not fit."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from swell.api.durations import parse_nanoseconds

INT32_MAX: Final = 2**31 - 1

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(n|u|m|k|[MGTPE]|[KMGTPE]i|[eE][+-]?\d+)?", re.ASCII)
_TRUE: Final = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "FALSE", "false", "False"))


def whole(text: str) -> int | None:
    """A base 10 integer with an optional sign and no spaces, of any size."""
    return int(text) if _INTEGER.fullmatch(text) and len(text) < 100 else None


def int32(text: str) -> int | None:
    """As `whole`, within 32 bits."""
    value = whole(text)
    return value if value is not None and -INT32_MAX - 1 <= value <= INT32_MAX else None


def float64(text: str) -> float | None:
    """A finite decimal number."""
    value = float(text) if _FLOAT.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def boolean(text: str) -> bool | None:
    """`1 t T TRUE true True` or `0 f F FALSE false False`."""
    return True if text in _TRUE else False if text in _FALSE else None


def duration_ns(text: str) -> int | None:
    """A duration in whole nanoseconds."""
    try:
        return parse_nanoseconds(text)
    except ValueError:
        return None


def is_quantity(text: str) -> bool:
    """Whether this is a resource quantity, such as `250m` or `1.5Gi`."""
    return _QUANTITY.fullmatch(text) is not None


def show_float(value: float) -> str:
    """A number as Go prints it: the fewest digits that tell it apart, with an exponent past six figures."""
    sign, digits, power = Decimal(repr(float(value))).normalize().as_tuple()
    assert isinstance(power, int), f"{value} is not finite"
    exponent = len(digits) + power - 1
    text = "".join(map(str, digits))
    if -4 <= exponent < 6 or value == 0:
        return f"{Decimal(repr(float(value))).normalize():f}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{'-' if sign else ''}{text[0]}{fraction}e{exponent:+03d}"
