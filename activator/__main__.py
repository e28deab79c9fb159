"""Run the front door on Kubernetes: `python -P -m activator`. How it starts is in `swell.kube.entry`."""

from __future__ import annotations

import sys

from activator.program import Settings, run
from swell.kube.entry import run_program

if __name__ == "__main__":
    sys.exit(run_program("activator", Settings.parse, run))
