"""What was asked, and how much was answered: the part of an exchange that is looked at. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from activator.proxy.downstream import Downstream
    from activator.proxy.headers import Address, Extra, Fields, Named
    from activator.proxy.heads import Request, RequestFields
    from activator.proxy.http2.downstream_stream import CallerStream
    from activator.proxy.states import State

TRACEPARENT: Final = b"traceparent"
# What may be sent again when it is not known whether the app has read it, as Go's client has it (spec dataplane 1.5).
RESENT_METHODS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
RESENT_HEADERS: Final = frozenset({b"idempotency-key", b"x-idempotency-key"})


class Asked:
    """A request, and the state of its answer. An exchange fills it in.

    `host` is in lower case and without port, "" if absent; `headers` are as received, `named` has the last
    value of each by lower-case name; `fields` is where both come from, but for a `traceparent` that ends the head, and
    has a `memo` for the dispatcher.
    `status` is the final one that was passed on or replied, 0 before; `informed` says that an interim (1xx)
    response was passed on. `sent_bytes` are those written to the caller so far, a tunnel's included, and
    `overhead_bytes` what of them is no body: heads, and once it is complete the framing of chunks. `gone`: the caller
    left first; `aborted`: it was cut; `hung_up`: whoever it went to closed the connection before a word of an answer.
    `started_s` is monotonic. `tag` is the dispatcher's. `head_fields`, if there is one, is asked for headers when the
    final head of the app is passed on.
    """

    __slots__ = (
        "aborted",
        "downstream",
        "fields",
        "gone",
        "head_fields",
        "host",
        "hung_up",
        "informed",
        "overhead_bytes",
        "request",
        "sent_bytes",
        "started_s",
        "state",
        "status",
        "tag",
    )

    downstream: Downstream | CallerStream
    request: Request
    fields: RequestFields
    host: str
    started_s: float
    state: State
    status: int
    gone: bool
    aborted: bool
    hung_up: bool
    informed: bool
    sent_bytes: int
    overhead_bytes: int
    tag: Any
    head_fields: Callable[[], Extra] | None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method.decode()} {self.host} {self.state.name} {self.status}>"

    @property
    def method(self) -> bytes:
        return self.request.method

    @property
    def target(self) -> bytes:
        return self.request.target

    @property
    def headers(self) -> Fields:
        trace = self.request.trace
        return [*self.fields.headers, (TRACEPARENT, trace)] if trace else self.fields.headers

    @property
    def named(self) -> Named:
        trace = self.request.trace
        return {**self.fields.named, TRACEPARENT: trace} if trace else self.fields.named

    @property
    def head_bytes(self) -> int:
        return len(self.request.head)

    @property
    def has_body(self) -> bool:
        return self.fields.has_body

    @property
    def disbelieved(self) -> frozenset[bytes]:
        """Headers of the caller that are not passed on, in lower case."""
        return self.downstream.origin.dropped

    @property
    def upgrade(self) -> bool:
        """The caller asks for another protocol."""
        return self.fields.upgrade

    @property
    def peer(self) -> Address:
        """The caller's IP address and port, as far as they are known: a trusted proxy may have named them."""
        return self.downstream.peer

    @property
    def http2(self) -> bool:
        """Whether the caller speaks HTTP/2."""
        return self.downstream.http2

    @property
    def body_sent_bytes(self) -> int:
        """What the caller got of the answer's body; of chunks only once the answer is complete."""
        return self.sent_bytes - self.overhead_bytes

    @property
    def repeatable(self) -> bool:
        """Whether it does no harm to the app to get it twice."""
        if self.fields.has_body or self.fields.upgrade:
            return False
        return self.method in RESENT_METHODS or not RESENT_HEADERS.isdisjoint(self.fields.named)

    def head_lines(self) -> bytes:
        """What `head_fields` come to, as lines."""
        return b"".join(b"%b: %b\r\n" % pair for pair in self.head_fields()) if self.head_fields is not None else b""
