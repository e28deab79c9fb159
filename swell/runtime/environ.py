"""Settings out of environment variables: read one, or say which key, which value and what is allowed.

Each function raises `SettingsError`. An empty variable counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from swell.runtime.errors import SettingsError

PORT_MAX: Final = 65535


def required(environ: Mapping[str, str], key: str, what: str) -> str:
    """A text that must not be empty; `what` it is, for the error."""
    value = environ.get(key, "")
    if not value:
        raise SettingsError(key, environ.get(key), what)
    return value


def integer(
    environ: Mapping[str, str], key: str, default: int | None = None, *, least: int = 0, most: int | None = None
) -> int:
    """A whole number; without `default` it must be there."""
    allowed = f"a whole number, {least} or more" if most is None else f"a whole number, {least} to {most}"
    return _integer(environ, key, default, least, most, allowed)


def port(environ: Mapping[str, str], key: str, default: int | None = None, *, least: int = 0) -> int:
    """A port number; 0, where allowed, stands for a free one."""
    allowed = f"a port number {least}..{PORT_MAX}" + ("" if least else ", 0 for a free one")
    return _integer(environ, key, default, least, PORT_MAX, allowed)


def seconds(environ: Mapping[str, str], key: str, default: float | None = None) -> float:
    """A number of seconds, 0 or more and finite; without `default` it must be there."""
    text = environ.get(key) or (None if default is None else str(default))
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise SettingsError(key, environ.get(key), "a number of seconds, 0 or more")
    return value


def flag(environ: Mapping[str, str], key: str) -> bool:
    """`true` or `false` in any case; false if absent."""
    text = (environ.get(key) or "false").lower()
    if text not in ("true", "false"):
        raise SettingsError(key, environ.get(key), "true or false")
    return text == "true"


def _integer(
    environ: Mapping[str, str], key: str, default: int | None, least: int, most: int | None, allowed: str
) -> int:
    text = environ.get(key) or (None if default is None else str(default))
    # isdecimal alone takes digits of other scripts too.
    number = int(text) if text is not None and text.isascii() and text.isdecimal() else -1
    if number < least or (most is not None and number > most):
        raise SettingsError(key, environ.get(key), allowed)
    return number
