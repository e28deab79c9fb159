"""What the headers of a request mean to the front door. Found out once for requests with the same headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activator.tracing import is_traceparent
from swell.wire import headers

if TYPE_CHECKING:
    from activator.proxy.headers import Extra, Named

# What only the front door may say: whatever a caller says of it is dropped (spec dataplane 1.2 and 6).
OURS: Final = frozenset(
    {
        headers.PROXY_REQUEST,
        headers.KUBELET_PROBE,
        headers.NETWORK_PROBE,
        headers.NETWORK_HASH,
        headers.ORIGINAL_HOST,
        headers.SERVING_NAMESPACE,
        headers.SERVING_REVISION,
    }
)
# An ingress in front of an activator may say these; callers may not: they are labels of metrics.
MARKS: Final = frozenset({headers.SERVING_TAG, headers.SERVING_DEFAULT_ROUTE})
TRACE: Final = frozenset({headers.TRACEPARENT, headers.TRACESTATE})
PROXIED: Final = ((headers.PROXY_REQUEST, headers.PROXY_REQUEST_ACTIVATOR),)
# Nobody has said how the caller came here, and our ports speak plain HTTP.
PLAIN: Final = ((headers.FORWARDED_PROTO, b"http"),)
LOW: Final = b"low"

# Where a trace goes on, and where one begins.
_DROPPED: Final = (OURS | MARKS, OURS | MARKS | TRACE)
_DROPPED_BEHIND_INGRESS: Final = (OURS, OURS | TRACE)


class Reading:
    """`set_headers` and `drop_headers` are for the proxy. `marks` are those of the site that it was asked for.

    `traced`: a trace goes on with it; else one begins. `low`: it is the first to go when the waiting room is full.
    """

    __slots__ = ("drop_headers", "low", "marks", "set_headers", "traced")

    def __init__(self, named: Named, disbelieved: frozenset[bytes], marks: Extra, *, behind_ingress: bool) -> None:
        self.marks = marks
        self.traced = is_traceparent(named.get(headers.TRACEPARENT, b""))
        self.low = named.get(headers.PRIORITY, b"").lower() == LOW
        said = headers.FORWARDED_PROTO in named and headers.FORWARDED_PROTO not in disbelieved
        self.set_headers = (*PROXIED, *(() if said else PLAIN), *marks)
        self.drop_headers = (_DROPPED_BEHIND_INGRESS if behind_ingress else _DROPPED)[not self.traced]
