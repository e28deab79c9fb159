"""Policies that the tests load by file, good ones and bad ones."""

from __future__ import annotations

import os
import sys
import time

from swell.policy import Policy, Seen

sys.stdout.write("whatever a policy prints goes nowhere\n")


class Two(Policy):
    def decide(self, seen: Seen) -> int | None:
        print("two")
        return 2


class More(Policy):
    """One more than the rules want, of what has load."""

    def decide(self, seen: Seen) -> int | None:
        return seen.want + 1 if seen.want else None


class Never(Policy):
    def decide(self, seen: Seen) -> int | None:
        return 0


class Hangs(Policy):
    def decide(self, seen: Seen) -> int | None:
        while True:
            pass


class HangsAfterOne(Policy):
    asked = 0

    def decide(self, seen: Seen) -> int | None:
        self.asked += 1
        while self.asked > 1:
            time.sleep(1)
        return 7


class Dies(Policy):
    def decide(self, seen: Seen) -> int | None:
        os._exit(3)


class Odd(Policy):
    """Answers what the revision is named for."""

    def decide(self, seen: Seen) -> int | None:
        odd: dict[str, object] = {
            "nan": float("nan"),
            "float": 3.0,
            "negative": -1,
            "huge": 2**31,
            "text": "3",
            "bool": True,
            "largest": 2**31 - 1,
            "nothing": None,
        }
        if seen.name == "raises":
            raise ValueError("no")
        if seen.name == "exits":
            sys.exit(1)
        return odd[seen.name]  # type: ignore[return-value]


class CannotBeMade(Policy):
    def __init__(self) -> None:
        raise RuntimeError("no database")

    def decide(self, seen: Seen) -> int | None:
        return None


class NoPolicy:
    pass
