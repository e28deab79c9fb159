"""What can go wrong with a node of the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from swell.runtime.errors import SwellError

TAIL_LINES: Final = 15
TAIL_BYTES: Final = 16384


class NodeError(SwellError):
    """A node cannot be made, or a part of it does not work."""


class MissingPrograms(NodeError):
    """This machine lacks what a node needs, and we may not install it."""


def tail(log: Path) -> str:
    """The last lines of a log; "" if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-TAIL_LINES:])
