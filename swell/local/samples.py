"""Where the samples that come with Swell lie: in the wheel, or beside the packages in a checkout."""

from __future__ import annotations

from pathlib import Path

import swell
from swell.runtime.errors import SwellError


def sample(name: str) -> Path:
    """The folder of the sample `name`; `SwellError` if this installation has none."""
    package = Path(swell.__file__).parent
    for folder in (package / "samples" / name, package.parent / "samples" / name):
        if folder.is_dir():
            return folder
    raise SwellError(f"the sample {name!r} is not part of this installation ({package})")
