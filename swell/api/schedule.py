"""Annotation swell.dev/schedule: how many pods a revision has at least, by the time of day (docs/schedule.md). Pure.

Admission refuses what cannot be read; the autoscaler counts what has got past it as absent. When an entry begins is
not known here: `autoscaler.decision.schedule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from swell.api import labels
from swell.api.field_errors import FieldError, disallowed, invalid_value, join, missing, out_of_bounds, shown
from swell.api.numbers import INT32_MAX, duration_ns, int32

ENTRIES_MAX: Final = 16
TEXT_CHARACTERS_MAX: Final = 16 * 1024
CRON_CHARACTERS_MAX: Final = 256
DURATION_MIN_S: Final = 60.0
DURATION_MAX_S: Final = 744 * 3600.0
UTC: Final = "UTC"

_EXAMPLE: Final = '{cron: "0 8 * * mon-fri", timezone: Europe/Berlin, replicas: 3, duration: 10h}'
_KEYS: Final = ("cron", "timezone", "replicas", "duration")
_REQUIRED: Final = ("cron", "replicas", "duration")


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """`replicas` at least, from each time that `cron` names in `timezone` on, for `duration_s` seconds that pass."""

    cron: str
    timezone: str
    replicas: int
    duration_s: float


def read_schedule(annotations: Mapping[str, str]) -> tuple[ScheduleEntry, ...]:
    """What a revision's annotations say; a list with a fault counts as absent."""
    text = annotations.get(labels.SCHEDULE)
    if text is None:
        return ()
    reader = _Reader("")
    entries = reader.read(text)
    return () if reader.errors else entries


def schedule_faults(annotations: Mapping[str, str], path: str, scaling_class: str) -> list[FieldError]:
    """Every fault of the list; `path` is where the annotations are.

    `scaling_class` applies where the annotations name none.
    """
    text = annotations.get(labels.SCHEDULE)
    if text is None:
        return []
    at = join(path, labels.SCHEDULE)
    if annotations.get(labels.AUTOSCALER_CLASS, scaling_class) != labels.CLASS_KPA:
        return [FieldError(f"works with class {labels.CLASS_KPA} only", (at,))]
    high = int32(annotations.get(labels.MAX_SCALE, annotations.get(labels.MAX_SCALE_ALIAS, "")))
    reader = _Reader(at, high or 0)
    reader.read(text)
    return reader.errors


class _Reader:
    """Reads one list; `errors` are its faults. `replicas_max` is the revision's max-scale, 0 for none."""

    def __init__(self, path: str, replicas_max: int = 0) -> None:
        self.path = path
        self.replicas_max = replicas_max
        self.errors: list[FieldError] = []

    def read(self, text: str) -> tuple[ScheduleEntry, ...]:
        """The entries, worth something only without errors."""
        import yaml  # few revisions have a schedule, and every program reads annotations

        allowed = f"must be a list in YAML or JSON, such as [{_EXAMPLE}]"
        if len(text) > TEXT_CHARACTERS_MAX:
            self._fault(text, self.path, f"at most {TEXT_CHARACTERS_MAX} characters")
            return ()
        try:
            found = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError):
            found = None
        if not isinstance(found, list):
            self._fault(text, self.path, allowed)
            return ()
        if not 1 <= len(found) <= ENTRIES_MAX:
            self.errors.append(out_of_bounds(len(found), 1, ENTRIES_MAX, f"{self.path}: number of entries"))
            return ()
        entries = [self._entry(entry, f"{self.path}[{index}]") for index, entry in enumerate(found)]
        return tuple(entry for entry in entries if entry is not None)

    def _entry(self, entry: Any, path: str) -> ScheduleEntry | None:
        if not isinstance(entry, dict):
            self._fault(entry, path, f"must be an entry such as {_EXAMPLE}")
            return None
        self.errors += [disallowed(f"{path}.{key}") for key in entry if key not in _KEYS]
        self.errors += [missing(f"{path}.{key}") for key in _REQUIRED if key not in entry]
        return ScheduleEntry(
            cron=self._cron(entry, f"{path}.cron"),
            timezone=self._timezone(entry, f"{path}.timezone"),
            replicas=self._replicas(entry, f"{path}.replicas"),
            duration_s=self._duration_s(entry, f"{path}.duration"),
        )

    def _cron(self, entry: dict[Any, Any], path: str) -> str:
        value = entry.get("cron", "")
        if "cron" in entry and (fault := cron_fault(value)):
            self._fault(value, path, fault)
        return str(value)

    def _timezone(self, entry: dict[Any, Any], path: str) -> str:
        value = entry.get("timezone", UTC)
        if not isinstance(value, str) or not _is_timezone(value):
            self._fault(value, path, "unknown time zone; write it like Europe/Berlin or UTC, as the IANA database does")
        return str(value)

    def _replicas(self, entry: dict[Any, Any], path: str) -> int:
        value = entry.get("replicas", 0)
        if isinstance(value, bool) or not isinstance(value, int):
            self._fault(value, path, f"must be a whole number from 0 to {INT32_MAX}")
            return 0
        if not 0 <= value <= INT32_MAX:
            self.errors.append(out_of_bounds(shown(value), 0, INT32_MAX, path))
        elif self.replicas_max and value > self.replicas_max:
            self._fault(value, path, f"at most max-scale, which is {self.replicas_max}")
        return value

    def _duration_s(self, entry: dict[Any, Any], path: str) -> float:
        if "duration" not in entry:
            return 0.0
        value = entry["duration"]
        ns = duration_ns(value) if isinstance(value, str) else None
        if ns is None:
            self._fault(value, path, "must be a duration such as 90m or 10h, from 1m to 744h")
            return 0.0
        duration_s = ns / 1e9
        if not DURATION_MIN_S <= duration_s <= DURATION_MAX_S:
            self.errors.append(out_of_bounds(value, "1m", "744h", path))
        return duration_s

    def _fault(self, value: object, path: str, details: str) -> None:
        self.errors.append(invalid_value(shown(value), path, details))


def cron_fault(value: object) -> str:
    """What is wrong with a cron expression; "" for nothing."""
    from datetime import datetime

    from cronsim import CronSim, CronSimError

    fields = 'must be five fields, minute, hour, day of month, month and day of week, such as "0 8 * * mon-fri"'
    if not isinstance(value, str) or len(value.split()) != 5:
        return fields
    if len(value) > CRON_CHARACTERS_MAX:
        return f"at most {CRON_CHARACTERS_MAX} characters"
    try:
        first = next(CronSim(value, datetime(2000, 1, 1)), None)
    except CronSimError as exc:
        return f"{str(exc)[:1].lower()}{str(exc)[1:]}; {fields}"
    return "" if first is not None else "names no time at all"


def _is_timezone(name: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # of OSError: a folder of the database, such as Europe
        return False
    return True
