"""One request to a resource, parsed: what it is about, who asks, how the answer should look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web

from swell.api.meta import Obj
from swell.local.apiserver.bodies import decode
from swell.local.apiserver.failures import bad_request
from swell.local.apiserver.registry import Registry
from swell.local.apiserver.tables import Presenter, shape_of
from swell.local.apiserver.targets import Target, is_dry_run, validation_of
from swell.local.apiserver.writes import Caller

USER: Final = "system:admin"
JSON_TYPE: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """`warnings` are collected while it is served; `respond` sends them along."""

    request: web.BaseRequest
    target: Target
    caller: Caller
    presenter: Presenter
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, request: web.BaseRequest, target: Target) -> Call:
        """Raises `Invalid` for parameters that are not understood."""
        query = request.query
        warnings: list[str] = []
        caller = Caller(
            USER,
            dry_run=is_dry_run(query.getall("dryRun", [])),
            validation=validation_of(query),
            warn=warnings.append,
        )
        shape = shape_of(request.headers.get("Accept", ""))
        presenter = Presenter(target.resource, shape, query.get("includeObject", ""))
        return cls(request, target, caller, presenter, warnings)

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def namespace(self) -> str:
        return self.target.namespace or ""

    async def body(self, registry: Registry) -> Any:
        """The decoded body; fields that are there twice are refused, or warned of, as the caller asked."""
        content = await self.request.read()
        content_type = self.request.headers.get("Content-Type", "")
        twice: list[str] = []
        found = decode(content, content_type, registry, None if self.caller.validation == "Ignore" else twice.append)
        texts = [f'duplicate field "{path}"' for path in twice]
        if texts and self.caller.validation == "Strict":
            kind = self.target.resource.kind
            raise bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
                f"strict decoding error: {', '.join(texts)}"
            )
        self.warnings.extend(texts)
        return found

    def respond(self, obj: Obj, status: int = 200) -> web.Response:
        response = json_response(obj, status)
        for text in self.warnings:
            response.headers.add("Warning", f'299 - "{_quoted(text)}"')
        return response


def json_response(obj: Obj, status: int = 200, content_type: str = JSON_TYPE) -> web.Response:
    """`content_type` may have parameters."""
    headers = {"Content-Type": content_type, "Cache-Control": "no-cache, private"}
    return web.Response(body=orjson.dumps(obj), status=status, headers=headers)


def _quoted(text: str) -> str:
    """As the inside of a quoted string in a header: one line, ASCII."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(plain.encode("ascii", "replace").decode().split())
