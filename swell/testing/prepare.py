"""Have all that the tests on a real node need before any of them waits for it: `python -m swell.testing.prepare`.

Minutes on a machine that does it for the first time, seconds from then on.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from swell.runtime.errors import SwellError
from swell.testing import traefik
from swell.testing.kubernetes import KUBECONFIG, write_images
from swell.testing.node import binaries, packages
from swell.testing.node.errors import MissingPrograms


def main() -> int:
    """1 with a message if something cannot be had; a machine that cannot run nodes is told so, and tests skip."""
    if os.environ.get(KUBECONFIG):
        return 0
    try:
        packages.provide()
        binaries.node_programs()
        binaries.provide_kubectl()
        with tempfile.TemporaryDirectory() as folder:
            write_images(Path(folder))
        traefik.program()
        traefik.gateway_api_crds()
    except MissingPrograms as error:
        print(error)
    except SwellError as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
