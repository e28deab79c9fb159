"""Errors of a Kubernetes API, named for what the caller can do about them."""

from __future__ import annotations

from typing import Any


class KubeError(Exception):
    """The API server refused or failed: its status code, machine reason, and message."""

    def __init__(self, status: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details or {}


class NotFound(KubeError):
    """404: no such object, or no such kind."""


class AlreadyExists(KubeError):
    """409 AlreadyExists: create met an object of that name."""


class Conflict(KubeError):
    """409 Conflict: read again, decide again, write again."""


class Expired(KubeError):
    """410: that resource version is no longer kept; list again."""


class Invalid(KubeError):
    """400 or 422: the object itself is refused; repeating the call cannot help."""


class Forbidden(KubeError):
    """401 or 403."""


class Unavailable(KubeError):
    """No answer, 429 or 5xx: the same call may succeed later."""


def from_status(status: dict[str, Any]) -> KubeError:
    """The error for a `v1.Status` object with `status: Failure`."""
    code = int(status.get("code") or 500)
    reason = str(status.get("reason") or "Unknown")
    message = str(status.get("message") or reason)
    return _class_for(code, reason)(code, reason, message, status.get("details"))


def _class_for(code: int, reason: str) -> type[KubeError]:
    if code == 409:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    if code == 429 or code >= 500:
        return Unavailable
    return _BY_CODE.get(code, KubeError)


_BY_CODE: dict[int, type[KubeError]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    410: Expired,
    422: Invalid,
}
