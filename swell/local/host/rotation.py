"""Keeps log files small while they are written to. The writer appends, and need not know."""

from __future__ import annotations

import os
import shutil
from typing import Final

LOG_BYTES_MAX: Final = 10 * 1024 * 1024
"""A log holds at most about twice this: the file and the older part beside it."""


def older(path: str) -> str:
    """Where what was cut off the front of a log lies."""
    return f"{path}.old"


def rotate(path: str, bytes_max: int = LOG_BYTES_MAX) -> bool:
    """Move the content of a log that has grown too large aside, replacing what was there; True if it did.

    Lines written between the copy and the cut are lost: the price of writers that keep their file open.
    """
    try:
        if os.stat(path).st_size <= bytes_max:
            return False
        shutil.copyfile(path, older(path))
        os.truncate(path, 0)
    except FileNotFoundError:
        return False
    return True
