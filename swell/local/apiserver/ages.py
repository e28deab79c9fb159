"""Durations as `kubectl get` shows them."""

from __future__ import annotations

from swell.api.meta import parse_rfc3339

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
_YEAR_S = 365 * _DAY_S


def age_of(timestamp: str | None, now_s: float) -> str:
    """The time since an RFC 3339 timestamp, such as `5m3s`."""
    if not timestamp:
        return "<unknown>"
    try:
        return human_duration(now_s - parse_rfc3339(timestamp))
    except ValueError:
        return "<invalid>"


def human_duration(seconds: float) -> str:
    """Two units at most; the second one is left out where it no longer matters."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    if whole < 2 * _MINUTE_S:
        return f"{whole}s"
    if whole < 10 * _MINUTE_S:
        return _two(whole, _MINUTE_S, "m", 1, "s")
    if whole < 3 * _HOUR_S:
        return f"{whole // _MINUTE_S}m"
    if whole < 8 * _HOUR_S:
        return _two(whole, _HOUR_S, "h", _MINUTE_S, "m")
    if whole < 2 * _DAY_S:
        return f"{whole // _HOUR_S}h"
    if whole < 8 * _DAY_S:
        return _two(whole, _DAY_S, "d", _HOUR_S, "h")
    if whole < 2 * _YEAR_S:
        return f"{whole // _DAY_S}d"
    if whole < 8 * _YEAR_S:
        return _two(whole, _YEAR_S, "y", _DAY_S, "d")
    return f"{whole // _YEAR_S}y"


def _two(whole: int, unit_s: int, unit: str, part_s: int, part: str) -> str:
    units, rest = divmod(whole, unit_s)
    parts = rest // part_s
    return f"{units}{unit}{parts}{part}" if parts else f"{units}{unit}"
