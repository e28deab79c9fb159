"""What it costs to delete a pod, as Kubernetes reads it: of a ReplicaSet that shrinks, the cheapest go first."""

from __future__ import annotations

import re
from typing import Final

from swell.api.meta import Obj

DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
COST_MIN: Final = -(2**31)
COST_MAX: Final = 2**31 - 1
_NUMBER: Final = re.compile(r"0|-?[1-9][0-9]{0,9}")


def deletion_cost(pod: Obj) -> int:
    """What the annotation says; 0 where it says nothing that can be read. Source: Kubernetes, pkg/apis/core/helper."""
    text = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "")
    if not _NUMBER.fullmatch(text):
        return 0
    cost = int(text)
    return cost if COST_MIN <= cost <= COST_MAX else 0
