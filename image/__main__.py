"""Write the project's images as docker-archive tars: `python -m image --output FOLDER`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from image.archive import write_archive
from image.recipes import IMAGES, Recipes
from swell.runtime.errors import SwellError


def main() -> int:
    """Writes FOLDER/NAME.tar for each image and prints its path; 1 with a message if something is missing."""
    parser = argparse.ArgumentParser(prog="python -m image", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="made if it is not there")
    parser.add_argument("--only", action="append", choices=IMAGES, help="this image; may be repeated (default: all)")
    arguments = parser.parse_args()
    folder: Path = arguments.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Recipes() as recipes:
            for name in arguments.only or IMAGES:
                path = folder / f"{name}.tar"
                write_archive(IMAGES[name](recipes), path)
                print(path, flush=True)
    except (SwellError, OSError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
