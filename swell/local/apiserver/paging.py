"""Lists in pages: `limit` and `continue`."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

import orjson

from swell.api.meta import Obj, key_of
from swell.local.apiserver.failures import bad_request


@dataclass(frozen=True, slots=True)
class Page:
    """Which page: at most `limit` objects (0: all), after where the `token` of the page before it says."""

    limit: int = 0
    token: str = ""


WHOLE: Final = Page()


@dataclass(frozen=True, slots=True)
class Listing:
    """A page. `token` is "" on the last one; `remaining` counts what comes after it."""

    items: list[Obj]
    resource_version: str
    token: str = ""
    remaining: int = 0

    def metadata(self) -> Obj:
        """As the `metadata` of a list."""
        meta: Obj = {"resourceVersion": self.resource_version}
        if self.token:
            meta |= {"continue": self.token, "remainingItemCount": self.remaining}
        return meta


def cut(objects: list[Obj], page: Page, version: int) -> Listing:
    """The page of `objects`, which are in order of their keys.

    Later pages show later states under the version of the first: who watches from there sees all changes.
    """
    if page.token:
        version, after = _read(page.token)
        objects = [obj for obj in objects if key_of(obj) > after]
    if not page.limit or len(objects) <= page.limit:
        return Listing(objects, str(version))
    shown = objects[: page.limit]
    token = orjson.dumps([version, *key_of(shown[-1])])
    return Listing(shown, str(version), base64.urlsafe_b64encode(token).decode(), len(objects) - page.limit)


def _read(token: str) -> tuple[int, tuple[str, str]]:
    try:
        found: Any = orjson.loads(base64.urlsafe_b64decode(token))
        version, namespace, name = found
        return int(version), (str(namespace), str(name))
    except (ValueError, TypeError) as exc:
        raise bad_request("continue key is not valid: list again from the start") from exc
