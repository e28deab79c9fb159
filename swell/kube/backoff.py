"""How long to wait before trying again. Knows no clock and waits for nothing."""

from __future__ import annotations

import random

# 2 ** this is beyond every limit in use; it keeps the arithmetic finite after a night of failures.
_DOUBLINGS_MAX = 32


def backoff_s(failures: int, first_s: float, last_s: float) -> float:
    """Seconds to wait after `failures` failures in a row (1 or more): doubling from `first_s` up to `last_s`.

    Between half of that and all of it, at random, so that those who failed together do not return together.
    """
    whole_s = min(last_s, first_s * 2.0 ** min(failures - 1, _DOUBLINGS_MAX))
    return random.uniform(whole_s / 2, whole_s)
