"""Run the controller on Kubernetes: `python -P -m controller`. How it starts is in `swell.kube.entry`."""

from __future__ import annotations

import sys

from controller.program import Settings, run
from swell.kube.entry import run_program

if __name__ == "__main__":
    sys.exit(run_program("controller", Settings.parse, run))
