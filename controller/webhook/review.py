"""AdmissionReview v1 as an API server sends it and reads it. Knows its form, not what is admitted.

Source: Kubernetes, "Dynamic Admission Control"; k8s.io/api/admission/v1.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controller.webhook.jsonpatch import Operation
from swell.api.meta import Obj

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")


class BadReview(ValueError):
    """The body is no AdmissionReview that can be answered: which field, what was found, what is wanted."""


@dataclass(frozen=True, slots=True)
class Review:
    """What is asked: may `user` do that? `obj` is {} for DELETE; `old` is None for CREATE."""

    uid: str
    operation: str
    obj: Obj
    old: Obj | None = None
    subresource: str = ""
    user: str = ""


def parse(body: bytes) -> Review:
    """Raises `BadReview`."""
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadReview(f"the body is no JSON: {exc}") from exc
    if not isinstance(review, dict):
        raise BadReview(f"the body is no object: want an {KIND} of {API_VERSION}")
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if review.get(key) != wanted:
            raise BadReview(f"{key}: found {review.get(key)!r}, want {wanted!r}")
    request = _object(review, "request", "request") or {}
    uid = _text(request, "uid")
    if not uid:
        raise BadReview("request.uid: it is missing or empty")
    operation = _text(request, "operation")
    if operation not in OPERATIONS:
        raise BadReview(f"request.operation: found {operation!r}, want one of {', '.join(OPERATIONS)}")
    obj = _admitted(request, "object")
    if obj is None and operation in ("CREATE", "UPDATE"):
        raise BadReview(f"request.object: it is missing, and {operation} is about one")
    return Review(
        uid=uid,
        operation=operation,
        obj=obj or {},
        old=_admitted(request, "oldObject"),
        subresource=_text(request, "subResource"),
        user=_text(_object(request, "userInfo", "request.userInfo") or {}, "username"),
    )


def allowed(review: Review, *, patch: Sequence[Operation] = (), warnings: Sequence[str] = ()) -> Obj:
    """The answer that lets it pass, changed by `patch`; the writer is shown `warnings`."""
    response: Obj = {"uid": review.uid, "allowed": True}
    if patch:
        encoded = base64.b64encode(orjson.dumps(list(patch))).decode()
        response |= {"patchType": "JSONPatch", "patch": encoded}
    if warnings:
        response["warnings"] = list(warnings)
    return _answer(response)


def refused(review: Review, message: str) -> Obj:
    """The answer that refuses it; the API server puts the webhook's name in front of `message`."""
    status = {"status": "Failure", "message": message, "reason": "BadRequest", "code": 400}
    return _answer({"uid": review.uid, "allowed": False, "status": status})


def _answer(response: Obj) -> Obj:
    return {"apiVersion": API_VERSION, "kind": KIND, "response": response}


def _admitted(request: Obj, key: str) -> Obj | None:
    """An object with metadata, or None."""
    obj = _object(request, key, f"request.{key}")
    if obj is not None and not isinstance(obj.get("metadata"), dict):
        raise BadReview(f"request.{key}.metadata: found {obj.get('metadata')!r}, want an object")
    return obj


def _object(parent: Obj, key: str, path: str) -> Obj | None:
    value: Any = parent.get(key)
    if value is not None and not isinstance(value, dict):
        raise BadReview(f"{path}: found {value!r}, want an object")
    return value


def _text(parent: Obj, key: str) -> str:
    value = parent.get(key) or ""
    if not isinstance(value, str):
        raise BadReview(f"{key}: found {value!r}, want a string")
    return value
