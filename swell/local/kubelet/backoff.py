"""When a container that ended is started again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST_S: Final = 1.0
LAST_S: Final = 30.0
STEADY_S: Final = 60.0
"""A container that ran this long starts with a clean slate."""
IMAGE_FIRST_S: Final = 10.0
IMAGE_LAST_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class CrashBackoff:
    """Kubernetes' shape, quicker: at once the first time, then 1 s, doubling up to 30 s."""

    ends: int = 0

    def after_end(self, ran_s: float) -> CrashBackoff:
        return CrashBackoff(1 if ran_s >= STEADY_S else self.ends + 1)

    @property
    def delay_s(self) -> float:
        """How long to wait before the next start."""
        return 0.0 if self.ends <= 1 else min(LAST_S, FIRST_S * 2.0 ** (self.ends - 2))


def image_delay_s(attempts: int) -> float:
    """How long an image that was not found `attempts` times stays in back-off."""
    return min(IMAGE_LAST_S, IMAGE_FIRST_S * 2.0 ** (attempts - 1))
