"""Answers the front door gives by itself: status, body and headers. Pure.

Bodies the reference has are its bytes (spec dataplane 2.3, 2.9, 2.12); ours never tell a caller which
hosts or revisions exist beside the one asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from activator.gateway import Target
from activator.network_probe import path_works
from activator.proxy.replies import PLAIN_ERROR, TEXT, Answer, Headers
from swell.wire import headers as names

JSON: Final[Headers] = ((b"content-type", b"application/json"),)
RETRY_AFTER_FULL_S: Final = 1
RETRY_AFTER_FAILED_S: Final = 5

# What Go's template.HTMLEscapeString replaces.
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"})


TIMEOUT: Final = Answer(504, b"activator request timeout", TEXT)
LINE_FULL: Final = Answer(
    503, b"pending request queue full\n", (*PLAIN_ERROR, (b"retry-after", b"%d" % RETRY_AFTER_FULL_S))
)
# For paths that wake nobody while there is no pod: nothing is wrong, and there is nothing to see.
ASLEEP: Final = Answer(204, b"", ((b"cache-control", b"no-store"),))
SHUTTING_DOWN: Final = Answer(
    503, b"the front door is shutting down\n", (*PLAIN_ERROR, (b"retry-after", b"%d" % RETRY_AFTER_FULL_S))
)


def unknown_host(host: str) -> Answer:
    """No Route answers at this host. Names what was asked, and nothing else."""
    return Answer(404, f"no route for host {json.dumps(host)}\n".encode(), PLAIN_ERROR)


def unknown_revision(name: str) -> Answer:
    """An activator behind an ingress was asked for a revision that does not exist (spec dataplane C3, C4)."""
    text = f'Error getting active endpoint: revision.serving.knative.dev "{name}" not found\n'
    return Answer(404, text.encode(), PLAIN_ERROR)


def no_traffic(route: Target, tag: str, as_json: bool) -> Answer:
    """The Route exists, but nothing is assigned to it yet: no revision of it has been ready."""
    what = f"route {route}" + (f", tag {tag}" if tag else "")
    return _unavailable(
        RETRY_AFTER_FULL_S,
        as_json,
        error="no revision is ready",
        route=str(route),
        cause=f"{what} has no traffic assigned: no revision was ready so far",
        look_at=f"kubectl -n {route.namespace} describe routes.serving.knative.dev {route.name}",
    )


def failed_revision(revision: Target, cause: str, as_json: bool) -> Answer:
    """The revision has no pod and cannot start one: why, and where to look."""
    return _unavailable(
        RETRY_AFTER_FAILED_S,
        as_json,
        error="the revision cannot start",
        revision=str(revision),
        cause=cause,
        look_at=_look_at(revision),
    )


def waited_too_long(revision: Target, wait_s: float, as_json: bool) -> Answer:
    """No pod had a slot within the time that a request may wait."""
    return _unavailable(
        RETRY_AFTER_FULL_S,
        as_json,
        error="no pod was free in time",
        revision=str(revision),
        cause=f"all pods were busy, or none was ready, for {wait_s:g} s",
        look_at=_look_at(revision),
    )


def body_too_large(bytes_max: int) -> Answer:
    """More than the revision, or the front door, takes."""
    return Answer(413, f"request body larger than {bytes_max} bytes\n".encode(), PLAIN_ERROR)


def prefers_json(named: Mapping[bytes, bytes]) -> bool:
    """Whether the caller would rather read JSON than text: it names it, and no text before it."""
    kinds = [kind.partition(b";")[0].strip() for kind in named.get(b"accept", b"").lower().split(b",")]
    readable = (kind for kind in kinds if kind == b"application/json" or kind.startswith(b"text/"))
    return next(readable, b"") == b"application/json"


def _look_at(revision: Target) -> str:
    return (
        f"kubectl -n {revision.namespace} describe revision {revision.name}; "
        f"kubectl -n {revision.namespace} get pods -l serving.knative.dev/revision={revision.name}"
    )


def _unavailable(retry_after_s: int, as_json: bool, **said: str) -> Answer:
    """`said` is the error first, then what there is to know of it."""
    retry_after = (b"retry-after", b"%d" % retry_after_s)
    if as_json:
        return Answer(503, json.dumps(said).encode() + b"\n", (*JSON, retry_after))
    error, *facts = said.items()
    lines = [error[1], *(f"{name.replace('_', ' ')}: {value}" for name, value in facts), ""]
    return Answer(503, "\n".join(lines).encode(), (*PLAIN_ERROR, retry_after))


def probe(headers: Mapping[bytes, bytes], unready: str) -> Answer | None:
    """The answer to a probe of this program (spec dataplane 2.12); None for any other request.

    `headers` by lower-case name; `unready` is why this program is not ready, or "".
    """
    if headers.get(names.USER_AGENT, b"").startswith(names.USER_AGENT_KUBE_PROBE) or headers.get(names.KUBELET_PROBE):
        return Answer(500, unready.encode() + b"\n", PLAIN_ERROR) if unready else Answer(200)
    wanted = headers.get(names.NETWORK_PROBE, b"")
    if wanted == names.NETWORK_PROBE_PROBE:
        return path_works(headers.get(names.NETWORK_HASH, b""))
    if wanted == b"activator":
        return Answer(200, b"activator", TEXT)
    if wanted:
        quoted = json.dumps(wanted.decode("latin-1").translate(_HTML), ensure_ascii=False)
        return Answer(400, f"unexpected probe header value: {quoted}\n".encode(), PLAIN_ERROR)
    return None
