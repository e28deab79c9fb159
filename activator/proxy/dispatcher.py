"""Who a proxy asks where requests go: the front door, a queue-proxy, or what answers by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange


class Dispatcher(Protocol):
    """Who decides where requests go. All calls come from the event loop and must not block."""

    def on_request(self, exchange: Exchange) -> None:
        """A head is complete. Must lead to exactly one of `forward`, `reply` and `abort`, sooner or later."""
        ...

    def on_unsent(self, exchange: Exchange, error: str) -> None:
        """`forward` failed before the app can have seen the request: forward it again, or reply."""
        ...

    def on_done(self, exchange: Exchange) -> None:
        """Once per exchange, however it ended; for a tunnel when both sides are closed."""
        ...
