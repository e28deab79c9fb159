"""Scraping some pods and speaking for all: how many to ask, and what their answers come to (spec 2.7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

ALL_UP_TO: Final = 3
# 95 % confidence, variance 100, margin 5: (1.96 / 5)^2 * 100.
_LARGEST: Final = 15.3664


def sample_size(pods: int) -> int:
    """How many of so many pods to scrape: all of a few, never more than 16."""
    if pods <= ALL_UP_TO:
        return max(pods, 0)
    return math.ceil(pods * _LARGEST / (pods + _LARGEST - 1))


def extrapolate(pods: int, samples: Sequence[Sequence[float]]) -> list[float]:
    """Figures for all `pods` from those of some, figure by figure; `samples` must not be empty."""
    totals = [0.0] * len(samples[0])
    for sample in samples:
        for index, value in enumerate(sample):
            totals[index] += value
    return [total / len(samples) * pods for total in totals]
