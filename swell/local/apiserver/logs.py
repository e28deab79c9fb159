"""The log subresource of pods: parameters in, a stream of text out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

from aiohttp import web

from swell.api.meta import Obj, parse_rfc3339
from swell.kube.errors import KubeError
from swell.local.apiserver.failures import bad_request
from swell.local.apiserver.podlogs import LogOptions, PodLogs
from swell.local.apiserver.targets import flag, number
from swell.runtime import log

logger = log.get(__name__)

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


async def serve_log(logs: PodLogs | None, pod: Obj, request: web.BaseRequest, now_s: float) -> web.StreamResponse:
    """The container's log as text; raises `KubeError` before the first byte only."""
    if logs is None:
        raise KubeError(501, "NotImplemented", "this server runs no pods, so there are no logs")
    container = container_of(pod, request.query.get("container", ""))
    options = options_of(request.query, now_s)
    bytes_max = number(request.query, "limitBytes")
    async with aclosing(_limited(logs.read(pod, container, options), bytes_max)) as text:
        first = await anext(text, b"")
        response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            await response.write(first)
            async for piece in text:
                await response.write(piece)
            await response.write_eof()
        except ConnectionError:
            # The client went: closing the text ends a follow.
            return response
        except KubeError as exc:
            # Too late for a status: what is there has been told.
            logger.info("a log ended early", pod=pod["metadata"]["name"], container=container, error=exc.message)
            await response.write_eof()
    return response


def options_of(query: Mapping[str, str], now_s: float) -> LogOptions:
    """Raises `Invalid` for parameters that are not understood."""
    since_s: float | None = None
    seconds = number(query, "sinceSeconds")
    if seconds is not None:
        since_s = now_s - seconds
    if query.get("sinceTime"):
        if seconds is not None:
            raise bad_request("at most one of sinceTime or sinceSeconds may be specified")
        try:
            since_s = parse_rfc3339(query["sinceTime"])
        except ValueError as exc:
            raise bad_request(f"invalid sinceTime: {exc}") from exc
    return LogOptions(
        follow=flag(query, "follow"),
        previous=flag(query, "previous"),
        tail_lines=number(query, "tailLines"),
        since_s=since_s,
        timestamps=flag(query, "timestamps"),
    )


def container_of(pod: Obj, asked: str) -> str:
    """The container asked for, or the pod's only one, or the one that its annotation names. Raises `Invalid`."""
    name = pod["metadata"]["name"]
    spec = pod["spec"]
    containers = [each["name"] for each in spec.get("containers") or ()]
    init = [each["name"] for each in spec.get("initContainers") or ()]
    if asked:
        if asked not in containers + init:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(containers) == 1:
        return str(containers[0])
    chosen = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER, "")
    if chosen in containers:
        return str(chosen)
    choice = f"[{' '.join(containers)}]" + (f" or one of the init containers: [{' '.join(init)}]" if init else "")
    raise bad_request(f"a container name must be specified for pod {name}, choose one of: {choice}")


async def _limited(pieces: AsyncIterator[bytes], bytes_max: int | None) -> AsyncGenerator[bytes, None]:
    left = bytes_max
    try:
        async for piece in pieces:
            if left is None:
                yield piece
                continue
            yield piece[:left]
            left -= len(piece)
            if left <= 0:
                return
    finally:
        closing = getattr(pieces, "aclose", None)
        if closing is not None:
            await closing()
