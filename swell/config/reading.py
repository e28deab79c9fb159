"""Reading one ConfigMap: typed values, and errors that name map, key, value and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from swell.api.numbers import boolean, duration_ns, float64, int32
from swell.runtime.errors import SettingsError

T = TypeVar("T")


class Reader:
    """The data of one ConfigMap. Every getter takes the key and the default; absent keys give the default."""

    def __init__(self, name: str, data: Mapping[str, str]) -> None:
        self.name = name
        self.data = data

    def refuse(self, key: str, allowed: str, value: object = None) -> NoReturn:
        """Raise the error for this key; `value` is shown instead of what the map holds."""
        found = self.data.get(key) if value is None else value
        raise SettingsError(f"{self.name}: {key}", found, allowed)

    def check(self, ok: bool, key: str, allowed: str, value: object = None) -> None:
        """Raise unless `ok`."""
        if not ok:
            self.refuse(key, allowed, value)

    def text(self, key: str, default: str) -> str:
        return self.data.get(key, default).strip()

    def number(self, key: str, default: float) -> float:
        return self._parsed(key, default, float64, "a number")

    def integer(self, key: str, default: int) -> int:
        return self._parsed(key, default, int32, "a whole number of at most 32 bits")

    def flag(self, key: str, default: bool) -> bool:
        return self._parsed(key, default, boolean, "true or false")

    def duration_ns(self, key: str, default_s: float) -> int:
        """Nanoseconds, so that precision can be checked exactly."""
        return self._parsed(key, round(default_s * 1e9), duration_ns, "a duration such as 90s or 1h30m")

    def duration_s(self, key: str, default_s: float) -> float:
        return self.duration_ns(key, default_s) / 1e9

    def choice(self, key: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of some words, whatever the case of their letters; returned as spelt in `allowed`."""
        value = self.text(key, default) or default
        found = next((word for word in allowed if word.lower() == value.lower()), None)
        if found is None:
            self.refuse(key, ", ".join(allowed))
        return found

    def _parsed(self, key: str, default: T, parse: Callable[[str], T | None], allowed: str) -> T:
        if key not in self.data:
            return default
        value = parse(self.data[key].strip())
        if value is None:
            self.refuse(key, allowed)
        return value
