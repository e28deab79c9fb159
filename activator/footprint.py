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
# The event loop reads so much at once, and looks only then whether it was too much.
READ_BYTES_MAX: Final = 256 * 1024
BODY_BYTES_MAX: Final = BODY_AHEAD_BYTES_MAX + READ_BYTES_MAX


def size_of(exchange: Exchange) -> int:
    """Bytes that a waiting request may hold: its head, and as much of its body as is read ahead."""
    body_bytes = 0
    if exchange.has_body:
        length = exchange.named.get(b"content-length")
        body_bytes = BODY_BYTES_MAX if length is None else min(int(length), BODY_BYTES_MAX)
    return EXCHANGE_BYTES + HEAD_COPIES * exchange.head_bytes + body_bytes
