"""What can go wrong between two HTTP peers, named for who broke the rules."""

from __future__ import annotations


class LocalProtocolError(Exception):
    """Our own code asked an exchange for a step that its state does not allow. Nothing was changed."""


class RemoteProtocolError(Exception):
    """The peer sent what HTTP/1.1 does not allow. `status` is what a caller who did so is answered."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status
