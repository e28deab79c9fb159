"""Annotations of a revision that the front door acts on (docs/front-door.md). Pure.

Admission refuses what cannot be read; the front door leaves out what has got past it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from swell.api import labels
from swell.api.field_errors import FieldError, invalid_key, invalid_value, join
from swell.api.numbers import boolean, is_quantity
from swell.api.values import quantity

KEYS: Final = (labels.COLD_START_PAGE, labels.NO_WAKE_PATHS, labels.BODY_BYTES_MAX)
PATHS_MAX: Final = 32
PATH_BYTES_MAX: Final = 256
HINT: Final = 'annotations for the front door must be put under "spec.template.metadata.annotations" to work'

# A path as it stands in a request: what is not ASCII, or means something else there, is percent-encoded.
_PATH = re.compile(r"/[\w\-.~!$&'()+;=:@%/]*\*?", re.ASCII)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FrontDoorRules:
    """`no_wake_paths`: exact, or beginnings with a `*` at their end. `body_bytes_max` 0: nothing is said of it."""

    cold_start_page: bool = False
    no_wake_paths: tuple[str, ...] = ()
    body_bytes_max: int = 0


NO_RULES: Final = FrontDoorRules()


def read_rules(annotations: Mapping[str, str]) -> FrontDoorRules:
    """What a revision's annotations say; what cannot be read counts as absent."""
    return FrontDoorRules(
        cold_start_page=_read(annotations, labels.COLD_START_PAGE, _flag) or False,
        no_wake_paths=_read(annotations, labels.NO_WAKE_PATHS, _paths) or (),
        body_bytes_max=_read(annotations, labels.BODY_BYTES_MAX, _bytes) or 0,
    )


def front_door_faults(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    """Every fault among these annotations; `path` is where they are."""
    errors = []
    readers: tuple[Callable[[str], object], ...] = (_flag, _paths, _bytes)
    for key, reader in zip(KEYS, readers, strict=True):
        try:
            if key in annotations:
                reader(annotations[key])
        except ValueError as error:
            errors.append(invalid_value(annotations[key], join(path, key), str(error)))
    return errors


def misplaced_faults(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    """These annotations where they would do nothing."""
    return [invalid_key(key, path, HINT) for key in KEYS if key in annotations]


def _read(annotations: Mapping[str, str], key: str, reader: Callable[[str], T]) -> T | None:
    try:
        return reader(annotations[key]) if key in annotations else None
    except ValueError:
        return None


def _flag(text: str) -> bool:
    value = boolean(text)
    if value is None:
        raise ValueError("must be true or false")
    return value


def _paths(text: str) -> tuple[str, ...]:
    paths = tuple(part.strip() for part in text.split(","))
    if len(paths) > PATHS_MAX:
        raise ValueError(f"at most {PATHS_MAX} paths, found {len(paths)}")
    for path in paths:
        if not _PATH.fullmatch(path) or len(path) > PATH_BYTES_MAX:
            raise ValueError(
                f'"{path}" must be a path as requests have it, such as /favicon.ico, or the beginning of one with a * '
                f"at its end, such as /probes/*; without query, at most {PATH_BYTES_MAX} bytes"
            )
    return paths


def _bytes(text: str) -> int:
    number = quantity(text) if is_quantity(text) else None
    if number is None or number < 1 or number != int(number):
        raise ValueError("must be a number of bytes, 1 or more, such as 1048576 or 1Mi")
    return int(number)
