"""The API's refusals in the words that clients of Kubernetes know, and their `v1.Status` objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from swell.api.kinds import Kind
from swell.api.meta import Obj
from swell.kube.errors import AlreadyExists, Conflict, Expired, Forbidden, Invalid, KubeError, NotFound

FieldReason = Literal[
    "FieldValueInvalid",
    "FieldValueRequired",
    "FieldValueNotSupported",
    "FieldValueTypeInvalid",
    "FieldValueForbidden",
    "FieldValueDuplicate",
]


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field that is not as the schema wants it; `path` is like `spec.containers[0].image`."""

    path: str
    message: str
    reason: FieldReason = "FieldValueInvalid"


def qualified(kind: Kind) -> str:
    """`Deployment.apps`, or `Pod` for the core group: how messages name a kind."""
    return f"{kind.kind}.{kind.group}" if kind.group else kind.kind


def not_found(kind: Kind, name: str) -> NotFound:
    return NotFound(404, "NotFound", f'{kind} "{name}" not found', _details(kind, name))


def no_such_resource() -> NotFound:
    return NotFound(404, "NotFound", "the server could not find the requested resource")


def already_exists(kind: Kind, name: str) -> AlreadyExists:
    return AlreadyExists(409, "AlreadyExists", f'{kind} "{name}" already exists', _details(kind, name))


def conflict(kind: Kind, name: str, why: str) -> Conflict:
    message = f'Operation cannot be fulfilled on {kind} "{name}": {why}'
    return Conflict(409, "Conflict", message, _details(kind, name))


def modified(kind: Kind, name: str) -> Conflict:
    """Somebody wrote the object since the caller read it."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, why)


def forbidden(kind: Kind, name: str, why: str) -> Forbidden:
    return Forbidden(403, "Forbidden", f'{kind} "{name}" is forbidden: {why}', _details(kind, name))


def bad_request(message: str) -> Invalid:
    return Invalid(400, "BadRequest", message)


def method_not_allowed(message: str = "the server does not allow this method on the requested resource") -> KubeError:
    return KubeError(405, "MethodNotAllowed", message)


def unsupported_media(found: str, hint: str) -> KubeError:
    message = f"the body of the request was in an unknown format - {found or 'no Content-Type'}: {hint}"
    return KubeError(415, "UnsupportedMediaType", message)


def expired(since: int, oldest: int) -> Expired:
    return Expired(410, "Expired", f"too old resource version: {since} ({oldest})")


def invalid(kind: Kind, name: str, faults: Sequence[FieldFault]) -> Invalid:
    """422: each fault with its path, in the reference's grammar."""
    texts = [f"{fault.path}: {fault.message}" for fault in faults]
    what = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": fault.reason, "message": fault.message, "field": fault.path} for fault in faults]
    details: Obj = {"name": name, "group": kind.group, "kind": kind.kind, "causes": causes}
    return Invalid(422, "Invalid", f'{qualified(kind)} "{name}" is invalid: {what}', _without_empty(details))


def status_of(error: KubeError) -> Obj:
    """The `v1.Status` that tells of `error`."""
    status: Obj = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "code": error.status,
    }
    if error.details:
        status["details"] = error.details
    return status


def success(kind: Kind, name: str, uid: str) -> Obj:
    """The `v1.Status` that answers a completed delete."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**_details(kind, name), "uid": uid},
    }


def _details(kind: Kind, name: str) -> Obj:
    return _without_empty({"name": name, "group": kind.group, "kind": kind.plural})


def _without_empty(details: Obj) -> Obj:
    return {key: value for key, value in details.items() if value}
