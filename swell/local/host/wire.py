"""What host and client say to each other: a JSON object per line. Knows the words, not who says them.

Calls carry an `id`, answers repeat it and hold `result` or `error`; `exit` messages come unasked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Message = dict[str, Any]

LINE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A longer line ends the connection."""
BACKLOG_BYTES_MAX: Final = 16 * 1024 * 1024
"""A client that leaves more than this unread is cut off; it lists anew when it comes back."""
PROCESSES_MAX: Final = 4096
"""Running processes; further starts are refused."""
ENDED_MAX: Final = 1024
"""Ended processes that are remembered for a client to ask about; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: `code` is its exit code, or 128 + `signal`; `at_s` is unix time."""

    code: int
    signal: int
    at_s: float


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process that the host started. `id` is never used twice by one host; `started_s` is unix time."""

    id: int
    pid: int
    labels: Mapping[str, str]
    started_s: float
    ended: Ended | None = None


def encode(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def info_to_obj(info: ProcessInfo) -> Message:
    ended = info.ended
    return {
        "id": info.id,
        "pid": info.pid,
        "labels": dict(info.labels),
        "started_s": info.started_s,
        "ended": None if ended is None else ended_to_obj(ended),
    }


def info_from_obj(obj: Message) -> ProcessInfo:
    ended = obj["ended"]
    return ProcessInfo(
        obj["id"], obj["pid"], obj["labels"], obj["started_s"], None if ended is None else ended_from_obj(ended)
    )


def ended_to_obj(ended: Ended) -> Message:
    return {"code": ended.code, "signal": ended.signal, "at_s": ended.at_s}


def ended_from_obj(obj: Message) -> Ended:
    return Ended(obj["code"], obj["signal"], obj["at_s"])
