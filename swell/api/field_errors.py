"""Faults of single fields, and how several of them read as one text (spec api 4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from swell.api.fields import join

__all__ = [
    "FieldError",
    "disallowed",
    "invalid_key",
    "invalid_value",
    "join",
    "merge",
    "missing",
    "neither",
    "out_of_bounds",
    "render",
    "several",
    "shown",
]

_SHOWN_CHARACTERS_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class FieldError:
    """A message, the field paths it is about, and details on lines of their own.

    A `warning` tells the user something and blocks nothing.
    """

    message: str
    paths: tuple[str, ...] = ()
    details: str = ""
    warning: bool = False

    def __str__(self) -> str:
        text = f"{self.message}: {', '.join(self.paths)}"
        return f"{text}\n{self.details}" if self.details else text


def missing(*paths: str) -> FieldError:
    """A required field is not there."""
    return FieldError("missing field(s)", paths)


def disallowed(*paths: str) -> FieldError:
    """A field is set that must not be."""
    return FieldError("must not set the field(s)", paths)


def invalid_value(value: object, path: str, details: str = "") -> FieldError:
    """A value that its field does not take."""
    return FieldError(f"invalid value: {value}", (path,), details)


def out_of_bounds(value: object, low: object, high: object, path: str) -> FieldError:
    """A number or duration outside its range."""
    return FieldError(f"expected {low} <= {value} <= {high}", (path,))


def neither(*paths: str) -> FieldError:
    """One of these fields must be set, and none is."""
    return FieldError("expected exactly one, got neither", paths)


def several(*paths: str) -> FieldError:
    """One of these fields must be set, and more than one is."""
    return FieldError("expected exactly one, got both", paths)


def invalid_key(key: str, path: str, details: str = "") -> FieldError:
    """A map has a key that it must not have."""
    return FieldError(f'invalid key name "{key}"', (path,), details)


def merge(errors: Iterable[FieldError]) -> list[FieldError]:
    """Errors that differ only in their paths become one; sorted by message, then details."""
    paths: dict[tuple[str, str, bool], set[str]] = {}
    for error in errors:
        paths.setdefault((error.message, error.details, error.warning), set()).update(error.paths)
    return [
        FieldError(message, tuple(sorted(found)), details, warning)
        for (message, details, warning), found in sorted(paths.items())
    ]


def render(errors: Iterable[FieldError]) -> str:
    """All errors as the text that a client sees, one per line (and its details below it)."""
    return "\n".join(str(error) for error in merge(errors))


def shown(value: object) -> str:
    """A value of YAML as an error shows it. Lists and mappings are not written out: aliases make huge ones of a short
    text.
    """
    if isinstance(value, list | dict | set | tuple):
        return f"a {type(value).__name__}"
    try:
        text = str(value)
    except ValueError:  # Python does not write numbers of thousands of digits
        return "a number of too many digits"
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}..."
