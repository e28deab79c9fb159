"""The process that one policy runs in: `python -m autoscaler.policies.worker NAME [FILE:CLASS]`.

It first writes whether the policy was loaded, then answers each line that it reads with a line, in JSON. What the
policy prints goes to stderr. It ends when its stdin does, also while the policy hangs.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import operator
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import orjson

from swell.api.numbers import INT32_MAX
from swell.policy import Policy, Seen

GROUP: Final = "swell.policies"
ERROR_CHARACTERS_MAX: Final = 300


def load(name: str, where: str) -> Policy:
    """The policy: of the class `FILE:CLASS`, or of the entry point of that name. Raises whatever goes wrong."""
    found = _from_file(where) if where else _from_entry_point(name)
    policy = found()
    if not isinstance(policy, Policy):
        raise TypeError(f"{found!r} makes no swell.policy.Policy")
    return policy


def answers(policy: Policy, asked: Iterable[Seen]) -> list[tuple[int | None, str]]:
    """For each, what the policy wants, and "" or what went wrong."""
    return [_answer(policy, seen) for seen in asked]


def read_seen(line: bytes) -> list[Seen]:
    """What is asked about in a line. JSON has no NaN: it writes null."""
    return [Seen(**{**one, **_known(one, "stable", "panic")}) for one in orjson.loads(line)]


def main(name: str, where: str) -> int:
    """Answer until stdin ends; 1 if the policy cannot be loaded."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever is printed must not stand among the answers
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, lines), daemon=True).start()
    try:
        policy = load(name, where)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - it is told to whoever asks
        _write(out, {"error": _told(exc)})
        return 1
    _write(out, {"error": ""})
    while True:
        _write(out, answers(policy, read_seen(lines.get())))


def _from_file(where: str) -> Any:
    path, _, name = where.rpartition(":")
    spec = importlib.util.spec_from_file_location("swell_policy", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules["swell_policy"] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def _from_entry_point(name: str) -> Any:
    found = tuple(importlib.metadata.entry_points(group=GROUP, name=name))
    if len(found) != 1:
        raise LookupError(f"{len(found)} installed packages have an entry point {name} in group {GROUP}; one must")
    return found[0].load()


def _answer(policy: Policy, seen: Seen) -> tuple[int | None, str]:
    try:
        found = policy.decide(seen)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - it is told to whoever asks
        return None, _told(exc)
    if found is None:
        return None, ""
    try:
        want = -1 if isinstance(found, bool) else operator.index(found)
    except TypeError:
        want = -1
    if not 0 <= want <= INT32_MAX:
        return None, f"answered {repr(found)[:ERROR_CHARACTERS_MAX]}; allowed: None, or an int from 0 to {INT32_MAX}"
    return want, ""


def _known(one: dict[str, Any], *keys: str) -> dict[str, float]:
    return {key: math.nan if one[key] is None else one[key] for key in keys}


def _told(exc: BaseException) -> str:
    """What was raised, and where in the policy."""
    frames = traceback.extract_tb(exc.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return f"{type(exc).__name__}: {exc}"[:ERROR_CHARACTERS_MAX] + where


def _read(stdin: BinaryIO, lines: queue.SimpleQueue[bytes]) -> None:
    for line in stdin:
        lines.put(line)
    os._exit(0)


def _write(out: Any, value: object) -> None:
    line = orjson.dumps(value) + b"\n"
    while line:
        line = line[out.write(line) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
