"""When a revision goes to zero, in words. Pure; `explain.py` has the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.phrases import duration, pods
from autoscaler.ticker import TICK_S

Doc = Mapping[str, Any]


def to_zero(row: Doc, live: Doc, now_s: float) -> str:
    """Whether, when and by which rule; `live` and `now_s` as for `explain.words`."""
    bounds, want = row["bounds"], row["want"]
    since_s = bounds["active_from_s"]
    if row["clamp"] == "undecided" or want is None:
        silence_s = live.get("silence_counts_s")
        if silence_s is None:
            return "not before something is decided"
        return f"in {duration(silence_s - now_s)}, if nothing is asked until then"
    if want == 0 and row["clamp"] in ("none", "start_given_up"):
        ready = live.get("ready_pods", row["seen"]["ready_pods"])
        return "now" if row["replicas"] and ready else "it is at zero; the next request starts a pod"
    if kept := least(row):
        return f"never: {kept}"
    if not bounds["scale_to_zero"]:
        return "never: enable-scale-to-zero is off in config-autoscaler"
    match row["clamp"]:
        case "starting":
            return f"when its pods are not there {duration(bounds['start_s_max'])} after they were asked for"
        case "initial_scale":
            return f"not before {pods(bounds['initial_scale'])} were ready once"
        case "no_activator":
            return "not before an activator is connected"
        case "stable_window":
            return f"in {duration(since_s + row['targets']['stable_window_s'] - now_s)}, if nothing is asked until then"
        case "retention":
            return f"in {duration(since_s + bounds['retention_s'] - now_s)}, if nothing is asked until then"
        case "deactivating" | "grace":
            return "next"
    return _when_silent(row, live, now_s)


def _when_silent(row: Doc, live: Doc, now_s: float) -> str:
    """While something is asked for: when it would go if nothing more came."""
    bounds, targets = row["bounds"], row["targets"]
    window_s, retention_s = targets["stable_window_s"], bounds["retention_s"] or 0.0
    delay_s = targets["delay_s"] or 0.0 if targets["reachable"] else 0.0
    parts = [f"{duration(window_s)} after the last request"]
    if delay_s:
        parts.append(f"{duration(delay_s)} of scale-down-delay")
    if retention_s:
        parts.append(f"{retention(bounds)} of retention")
    told = ", then ".join(parts)
    if not live:
        return f"not then: {told}"
    if not live["listens"]:
        return "not before it has the pods that it starts with"
    last_s, silence_s = live["last_use_s"], live["silence_counts_s"]
    zero_s = max(now_s, now_s if last_s is None else last_s + window_s, silence_s or now_s)
    if row["panic_after"]["since_s"] is not None:
        # What it has held goes from there, no faster than the down rate allows.
        zero_s = max(zero_s, row["panic_after"]["since_s"] + window_s) + TICK_S * _halvings(row)
    zero_s += delay_s * (1 + _halvings(row))
    if bounds["active_from_s"] is not None and row["active"] == "True":
        zero_s = max(zero_s, bounds["active_from_s"] + window_s)
    return f"in {duration(zero_s + retention_s - now_s)}, if nothing more comes: {told}"


def _halvings(row: Doc) -> int:
    """How many ticks the down rate makes of the way from the pods there are to none."""
    count, left = 0, (row["seen"]["ready_pods"] or 0) if row["targets"]["reachable"] else 0
    while (left := left // row["targets"]["down_rate_max"]) > 0:
        count += 1
    return count


def least(row: Doc) -> str:
    """What keeps a number of pods whatever is asked; "" for nothing."""
    min_scale, floor = row["bounds"]["min_scale"] or 0, row["extra"].get("floor") or 0
    if floor > min_scale:
        return f"swell.dev/schedule keeps {pods(floor)}"
    return f"min-scale keeps {pods(min_scale)}" if min_scale > 0 else ""


def retention(bounds: Doc) -> str:
    """The retention period that applies."""
    return duration(bounds["retention_s"] or 0.0)
