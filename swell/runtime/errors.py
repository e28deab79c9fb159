"""The base of all errors that a user, rather than a developer, should read."""

from __future__ import annotations


class SwellError(Exception):
    """Something that the user can mend; the message says what was found and what to do."""


class SettingsError(SwellError):
    """A setting that cannot be used: which key, which value, what is allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key}={value!r} is not usable: {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed
