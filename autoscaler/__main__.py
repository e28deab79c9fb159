"""Run the autoscaler on Kubernetes: `python -P -m autoscaler`. How it starts is in `swell.kube.entry`."""

from __future__ import annotations

import sys

from autoscaler.program import Settings, run
from swell.kube.entry import run_program

if __name__ == "__main__":
    sys.exit(run_program("autoscaler", Settings.parse, run))
