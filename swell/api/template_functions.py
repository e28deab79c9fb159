"""The functions of a text template. Pure. `json`, for texts in quotes in JSON, is ours; the others are Go's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

_JS: Final = re.compile("[\\\\'\"<>&=\x00-\x1f]|[^\x00-\x7f]")
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;", "\0": "\ufffd"})
_VERB: Final = re.compile(r"%([-+# 0]*\d*(?:\.\d+)?)([svdfgqxt%])")
# Bytes that are no UTF-8, kept as such in a text that is printed as it is.
_BROKEN: Final = re.compile("[\udc80-\udcff]")
MANY: Final = 1 << 16


def text_of(value: Any) -> str:
    """As Go prints it."""
    if type(value) is str:
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def js(*values: Any) -> str:
    """To stand in quotes in JavaScript. Not JSON: an apostrophe becomes \\'."""
    return _JS.sub(_in_js, "".join(map(text_of, values)))


def in_json(value: Any) -> str:
    """To stand in quotes in JSON."""
    text = text_of(value)
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return json.dumps(_BROKEN.sub("\ufffd", text), ensure_ascii=False)[1:-1]


def _in_js(match: re.Match[str]) -> str:
    char = match[0]
    if char in "\\'\"":
        return "\\" + char
    if char > "\x7f" and char.isprintable():
        return char
    return f"\\u{0xFFFD if _BROKEN.match(char) else ord(char):04X}"


def _html(*values: Any) -> str:
    return "".join(map(text_of, values)).translate(_HTML)


def _urlquery(*values: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus("".join(map(text_of, values)), errors="surrogateescape")


def _printf(form: str, *values: Any) -> str:
    left = list(values)

    def verb(match: re.Match[str]) -> str:
        flags, kind = match[1], match[2]
        if kind == "%":
            return "%"
        if not left:
            return f"%!{kind}(MISSING)"
        value = left.pop(0)
        if kind in "dfgx":
            return str(f"%{flags}{kind}" % value)
        text = json.dumps(text_of(value), ensure_ascii=False) if kind == "q" else text_of(value)
        return f"%{flags}s" % text

    return _VERB.sub(verb, form)


def _and(*values: Any) -> Any:
    return next((value for value in values if not value), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if value), values[-1])


# The function, and the least and most arguments that it takes.
FUNCTIONS: Final[dict[str, tuple[Callable[..., Any], int, int]]] = {
    "js": (js, 1, MANY),
    "json": (in_json, 1, 1),
    "html": (_html, 1, MANY),
    "urlquery": (_urlquery, 1, MANY),
    "print": (lambda *values: "".join(map(text_of, values)), 1, MANY),
    "printf": (_printf, 1, MANY),
    "len": (len, 1, 1),
    "and": (_and, 1, MANY),
    "or": (_or, 1, MANY),
    "not": (lambda value: not value, 1, 1),
    "eq": (lambda first, *others: first in others, 2, MANY),
    "ne": (lambda first, second: first != second, 2, 2),
    "lt": (lambda first, second: first < second, 2, 2),
    "le": (lambda first, second: first <= second, 2, 2),
    "gt": (lambda first, second: first > second, 2, 2),
    "ge": (lambda first, second: first >= second, 2, 2),
}
