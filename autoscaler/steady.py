"""Unix seconds that never jump: what windows and panic go by when somebody sets the clock."""

from __future__ import annotations

from typing import Final

from swell.runtime import log
from swell.runtime.clock import Clock

STEP_S: Final = 1.0
"""What the clock moves against monotonic time between two looks, if it was set; less is drift, and followed."""

logger = log.get(__name__)


class Steady:
    """Call it for the time: that of the wall, without the steps that it has made since the start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_s = clock.wall() - clock.now()
        self._steps_s = 0.0

    def __call__(self) -> float:
        wall_s = self._clock.wall()
        moved_s = wall_s - self._clock.now() - self._offset_s
        self._offset_s += moved_s
        if abs(moved_s) >= STEP_S:
            self._steps_s += moved_s
            logger.warning("the clock was set: windows do not follow", by_s=round(moved_s, 3))
        return wall_s - self._steps_s
