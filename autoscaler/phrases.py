"""Numbers as people read them. Pure."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Up to two decimals."""
    return "?" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def pods(count: float | None) -> str:
    return f"{number(count)} pod{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Whole seconds, with minutes and hours from a minute on."""
    left = max(0, round(seconds))
    hours, minutes, rest = left // 3600, left % 3600 // 60, left % 60
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{rest}s" if rest or not left else ""]
    return "".join(parts)
