"""What is wrong with a message from another program."""

from __future__ import annotations


class WireError(ValueError):
    """Bytes that are no message of ours: drop them and say so, the connection may go on."""
