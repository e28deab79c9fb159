"""How much memory a waiting request holds, for the bounds of the waiting room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from activator.proxy.exchange import BODY_AHEAD_BYTES_MAX

if TYPE_CHECKING:
    from activator.proxy.exchange import Exchange

# Size of a waiting request beside the bytes of its head and body: the exchange and its connection.
EXCHANGE_BYTES: Final = 4096
# A head is held as it came and in its parts.
HEAD_COPIES: Final = 3


def size_of(exchange: Exchange) -> int:
    """Bytes that a waiting request may hold: its head, and as much of a body as is read ahead."""
    ahead = BODY_AHEAD_BYTES_MAX if exchange.has_body else 0
    return EXCHANGE_BYTES + HEAD_COPIES * exchange.head_bytes + ahead
