"""What the numbers of a revision say, in plain words. Pure: documents (`why.py`) in, sentences out; no clock.

Durations only, no times of day: those are for whoever shows them, in the reader's time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Doc = Mapping[str, Any]


def words(row: Doc, live: Doc, now_s: float) -> dict[str, str]:
    """Sentences about a row, by what they answer. `live`: what is seen at `now_s`, {} if that is in the past."""
    return {
        "sees": _sees(row, live),
        "wants": _wants(row, live),
        "decided": _decided(row, now_s),
        "not_more": _not_more(row),
        "not_fewer": _not_fewer(row, now_s),
        "to_zero": _to_zero(row, live, now_s),
    }


def change_words(row: Doc) -> str:
    """What a row changed, in a line; "" if nothing that people call a change."""
    was, now = row["panic_before"]["since_s"], row["panic_after"]["since_s"]
    if row["kind"] == "scaled":
        return f"{row['replicas_before']} -> {pods(row['replicas'])}: {reason(row)}"
    if row["kind"] != "tick" or (was is None) == (now is None):
        return ""
    if now is None:
        return "panic mode ended"
    asked, seen = row["rules"]["asked_panic"], row["seen"]
    return f"panic mode began: {pods(asked)} asked for, {number(seen['ready_pods'])} ready"


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


def _unit(row: Doc, value: float | None) -> str:
    one = value == 1
    return ("request/s" if one else "requests/s") if row["metric"] == "rps" else "in flight"


def _sees(row: Doc, live: Doc) -> str:
    seen, targets = row["seen"], row["targets"]
    if row["rule"] == "undecided":
        return "no report of it yet since the autoscaler started"
    if seen["stable"] is None:
        return "no report of it for too short a time to mean that nothing is asked"
    windows = [f"over {duration(targets['stable_window_s'])}"]
    if targets["panic_window_s"] is not None:
        windows.append(f"over {duration(targets['panic_window_s'])}")
    values = [seen["stable"], seen["panic"]]
    parts = [f"{number(value)} {_unit(row, value)} {window}" for value, window in zip(values, windows, strict=False)]
    other = live.get("in_flight" if row["metric"] == "rps" else "requests_per_s") or {}
    if other.get("stable") is not None:
        what = "in flight" if row["metric"] == "rps" else "requests/s"
        parts.append(f"{number(other['stable'])} and {number(other['panic'])} {what}")
    return ", ".join([*parts, f"{pods(seen['ready_pods'])} ready"])


def _wants(row: Doc, live: Doc) -> str:
    want, desired, replicas = row["want"], row["desired"], row["replicas"]
    if want is None or want < 0:
        return "not known yet"
    told = pods(want)
    if desired is not None and desired != want:
        told += f"; {desired} before {reason(row)}"
    ready = live.get("ready_pods")
    if ready is not None and ready < want:
        told += f"; {number(ready)} ready so far"
    elif replicas is not None and replicas >= 0 and replicas != want:
        told += f"; the Deployment has {replicas} now"
    return told


def _decided(row: Doc, now_s: float) -> str:
    """The rule that decided, with its numbers."""
    bounds = row["bounds"]
    inactive = duration(now_s - (bounds["active_from_s"] or now_s))
    bound = {
        "min_scale": f"{_least(row)}: the load alone asks for {pods(row['desired'])}",
        "initial_scale": f"initial-scale {bounds['initial_scale']}: so many must be ready once, before all else counts",
        "max_scale": f"max-scale {bounds['max_scale']}: the load asks for {pods(row['desired'])}",
        "zero_disabled": "enable-scale-to-zero is off in config-autoscaler: one pod stays",
        "start_given_up": "its pods did not come up in time: it goes back to zero",
        "starting": "nothing is asked, but whether its pods come up is not known yet",
        "stable_window": f"nothing is asked, but it has been active for {inactive} only: one pod stays",
        "deactivating": "nothing is asked: it is not active any more, and the last pod goes next",
        "no_activator": "nothing is asked, but no activator is connected to hold a request that comes later",
        "retention": f"nothing is asked; the last pod stays for the retention period of {_period(bounds)}",
        "grace": "nothing is asked; the last pod stays for the grace period",
    }.get(row["clamp"])
    return bound or _rule(row, now_s)


def _rule(row: Doc, now_s: float) -> str:
    rules, targets, seen, panic = row["rules"], row["targets"], row["seen"], row["panic_after"]
    window_s = targets["stable_window_s"]
    match row["rule"]:
        case "stable" if rules["asked_stable"] == 0:
            return f"nothing was asked for {duration(window_s)}, the stable window"
        case "stable":
            return f"the stable window: {_division(row, seen['stable'], rules['asked_stable'])}"
        case "panic":
            return f"the panic window: {_division(row, seen['panic'], rules['asked_panic'])}"
        case "panic_hold":
            left = duration(panic["since_s"] + window_s - now_s)
            return f"panic mode: the {pods(panic['pods_max'])} that it came to stay, {left} more"
        case "up_limit":
            return f"max-scale-up-rate: {pods(_asked(row))} are asked for, one tick goes to {number(rules['up_limit'])}"
        case "down_limit":
            down = number(rules["down_limit"])
            return f"max-scale-down-rate: {pods(_asked(row))} would do, one tick goes down to {down}"
        case "activation":
            return f"activation-scale: if any, then {pods(targets['activation_pods'])} at least"
        case "metric":
            name, asked = _metric(row)
            return f"metric {name}: it asks for {pods(asked)}, more than the others"
        case "delay":
            return f"scale-down-delay: the most of the last {duration(targets['delay_s'])} counts"
        case "no_data":
            return "no data: what was decided before stands"
    return "nothing yet"


def _not_more(row: Doc) -> str:
    want, targets = row["want"], row["targets"]
    if want is None or want < 0 or row["desired"] is None:
        return "what was decided before stands"
    if row["clamp"] == "max_scale":
        return f"max-scale is {row['bounds']['max_scale']}"
    if row["rule"] == "up_limit":
        ready = pods(max(1, row["seen"]["ready_pods"]))
        return f"max-scale-up-rate {number(targets['up_rate_max'])} with {ready} ready; the next tick may go on"
    if not row["rules"]["asked_stable"] and not row["rules"]["asked_panic"]:
        return "nothing is asked"
    value = row["seen"]["panic" if row["rule"] == "panic" else "stable"]
    return f"{_carry(want, row)}; there {'is' if value == 1 else 'are'} {number(value)} {_unit(row, value)}"


def _not_fewer(row: Doc, now_s: float) -> str:
    want, rule = row["want"], row["rule"]
    if want is None or want < 0:
        return "what was decided before stands"
    if want == 0:
        return "there is nothing fewer"
    if row["clamp"] == "max_scale":
        return "more are asked for"
    if row["clamp"] != "none" or rule not in ("stable", "panic", "up_limit", "metric"):
        return _decided(row, now_s)
    if want == 1:
        return "requests need a pod"
    return _carry(want - 1, row)


def _to_zero(row: Doc, live: Doc, now_s: float) -> str:
    bounds, want = row["bounds"], row["want"]
    since_s = bounds["active_from_s"]
    if row["clamp"] == "undecided" or want is None:
        return "not before something is decided"
    if want == 0 and row["clamp"] in ("none", "start_given_up"):
        return "it is at zero; the next request starts a pod" if not row["replicas"] else "now"
    if least := _least(row):
        return f"never: {least}"
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
    window_s, delay_s, retention_s = targets["stable_window_s"], targets["delay_s"] or 0.0, bounds["retention_s"] or 0.0
    parts = [f"{duration(window_s)} after the last request"]
    if delay_s:
        parts.append(f"{duration(delay_s)} of scale-down-delay")
    if retention_s:
        parts.append(f"{_period(bounds)} of retention")
    told = ", then ".join(parts)
    if not live:
        return f"not then: {told}"
    if not live["listens"]:
        return "not before it has the pods that it starts with"
    ends = [live["last_use_s"], live["silence_counts_s"]]
    zero_s = max([now_s, *(end + window_s if end is ends[0] else end for end in ends if end is not None)])
    if row["panic_after"]["since_s"] is not None:
        zero_s = max(zero_s, row["panic_after"]["since_s"] + window_s)
    zero_s += delay_s
    if bounds["active_from_s"] is not None and row["active"] == "True":
        zero_s = max(zero_s, bounds["active_from_s"] + window_s)
    return f"in {duration(zero_s + retention_s - now_s)}, if nothing more comes: {told}"


def _carry(count: int, row: Doc) -> str:
    return f"{pods(count)} {'carries' if count == 1 else 'carry'} {number(count * row['targets']['per_pod'])}"


def _division(row: Doc, value: float, asked: float) -> str:
    return f"{number(value)} {_unit(row, value)} / {number(row['targets']['per_pod'])} per pod, so {pods(asked)}"


def _asked(row: Doc) -> float:
    rules = row["rules"]
    by_panic = row["panic_after"]["since_s"] is not None and rules["want_panic"] > rules["want_stable"]
    return float(rules["asked_panic" if by_panic else "asked_stable"])


def _metric(row: Doc) -> tuple[str, float]:
    """The other metric that asks for the most."""
    metrics = {name: count for name, count in row["extra"].items() if name not in ("floor", "policy")}
    name = max(metrics, key=lambda name: metrics[name])
    return name, metrics[name]


def _least(row: Doc) -> str:
    """What keeps a number of pods whatever is asked; "" for nothing."""
    least, floor = row["bounds"]["min_scale"] or 0, row["extra"].get("floor") or 0
    if floor > least:
        return f"swell.dev/schedule keeps {pods(floor)}"
    return f"min-scale keeps {pods(least)}" if least > 0 else ""


def _period(bounds: Doc) -> str:
    return duration(bounds["retention_s"] or 0.0)


def reason(row: Doc) -> str:
    """What decided, in a word or two."""
    if row["clamp"] != "none":
        return {
            "min_scale": "min-scale" if row["extra"].get("floor") is None else "min-scale or schedule",
            "initial_scale": "initial-scale",
            "max_scale": "max-scale",
            "zero_disabled": "enable-scale-to-zero is off",
            "start_given_up": "its pods did not come up",
        }.get(row["clamp"], "the way to zero")
    if row["want"] == 0:
        return "nothing was asked"
    return {
        "stable": "stable window",
        "panic": "panic window",
        "panic_hold": "panic mode",
        "up_limit": "max-scale-up-rate",
        "down_limit": "max-scale-down-rate",
        "activation": "activation-scale",
        "metric": "another metric",
        "delay": "scale-down-delay",
    }.get(row["rule"], "no decision yet")
