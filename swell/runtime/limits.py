"""Limits of this process that the system sets low by default."""

from __future__ import annotations

import resource


def raise_open_files() -> int:
    """Allow as many open files, connections above all, as the system lets us have; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            return soft  # some systems have an unlimited hard limit that they do not grant
    return hard
