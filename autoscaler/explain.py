"""What the numbers of a revision say, in plain words. Pure: documents (`why.py`) in, sentences out; no clock.

Durations only, no times of day: those are for whoever shows them, in the reader's time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from autoscaler.phrases import duration, number, pods
from autoscaler.zero import least, retention, to_zero

Doc = Mapping[str, Any]

_STAYS: Final = ("deactivating", "no_activator", "retention", "grace")
"""Clamps that keep the last pod although none is wanted."""


def words(row: Doc, live: Doc, now_s: float) -> dict[str, str]:
    """Sentences about a row, by what they answer. `live`: what is seen at `now_s`, {} if that is in the past."""
    return {
        "sees": _sees(row, live),
        "wants": _wants(row, live),
        "decided": _undecided(row, live, now_s) or _decided(row, now_s),
        "not_more": _not_more(row),
        "not_fewer": _not_fewer(row, now_s),
        "to_zero": to_zero(row, live, now_s),
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
        return "what there is"
    told = pods(want)
    if want == 0 and row["clamp"] in _STAYS:
        told += "; the last one stays for now"
    if desired is not None and desired != want:
        told += f"; {desired} before {reason(row)}"
    ready = live.get("ready_pods")
    if ready is not None and ready < want:
        told += f"; {number(ready)} ready so far"
    elif replicas is not None and replicas >= 0 and replicas != want:
        told += f"; the Deployment has {replicas} now"
    return told


def _undecided(row: Doc, live: Doc, now_s: float) -> str:
    """Why nothing is decided yet; "" if something is."""
    if row["clamp"] not in ("undecided", "starting") or row["desired"] is not None:
        return ""
    if not live.get("listens", True):
        return "nothing yet: it has not all the pods that it starts with"
    if live.get("silence_counts_s") is not None:
        left = duration(live["silence_counts_s"] - now_s)
        return f"nothing yet: no request came so far, and silence counts in {left} only"
    return "nothing yet: no report came since the autoscaler started"


def _decided(row: Doc, now_s: float) -> str:
    """The rule that decided, with its numbers."""
    bounds = row["bounds"]
    inactive = duration(now_s - (bounds["active_from_s"] or now_s))
    bound = {
        "min_scale": f"{least(row)}; {_load_asks(row)}",
        "initial_scale": f"initial-scale {bounds['initial_scale']}: so many must be ready once, before all else counts",
        "max_scale": f"max-scale {bounds['max_scale']}; {_load_asks(row)}",
        "zero_disabled": "enable-scale-to-zero is off in config-autoscaler: one pod stays",
        "start_given_up": "its pods did not come up in time: it goes back to zero",
        "starting": "nothing is asked, but whether its pods come up is not known yet",
        "stable_window": f"nothing is asked, but it has been active for {inactive} only: one pod stays",
        "deactivating": "nothing is asked: it is not active any more, and the last pod goes next",
        "no_activator": "nothing is asked, but no activator is connected to hold a request that comes later",
        "retention": f"nothing is asked; the last pod stays for the retention period of {retention(bounds)}",
        "grace": "nothing is asked; the last pod stays for the grace period",
    }.get(row["clamp"])
    if bound is None and _by_floor(row):
        return f"{least(row)}; {_load_asks(row)}"
    if bound is None and _by_policy(row):
        return f"the policy: it answers {pods(row['want'])}; the rules want {pods(row['desired'])}"
    return bound or _rule(row, now_s)


def _by_floor(row: Doc) -> bool:
    """Whether the scheduled floor is what is wanted, and the rules alone come to something else, or to nothing yet."""
    floor = row["extra"].get("floor") or 0
    bounded = row["clamp"] in ("none", "min_scale") and row["desired"] != row["want"]
    return bool(bounded and floor == row["want"] and floor > (row["bounds"]["min_scale"] or 0))


def _by_policy(row: Doc) -> bool:
    """Whether a policy's answer is what is wanted, and the rules alone come to something else."""
    answer = row["extra"].get("policy")
    return answer is not None and row["clamp"] == "none" and bool(answer == row["want"] != row["desired"])


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
        case "metric_hold":
            return "a metric gives no number (an Event says why): what was decided before stays"
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
    if _by_policy(row):
        return "the policy's answer counts"
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
        return _decided(row, now_s) if row["clamp"] in _STAYS else "there is nothing fewer"
    if row["clamp"] == "max_scale":
        return "more are asked for"
    if row["clamp"] != "none" or _by_policy(row) or rule not in ("stable", "panic", "up_limit", "metric"):
        return _decided(row, now_s)
    if want == 1:
        return (
            "requests need a pod" if row["seen"]["panic"] else f"the last {_window(row)} count, not this moment alone"
        )
    return _carry(want - 1, row)


def _window(row: Doc) -> str:
    return duration(row["targets"]["stable_window_s"])


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


def _load_asks(row: Doc) -> str:
    if row["desired"] is None or row["desired"] < 0:
        return "nothing is decided yet"
    return f"the load alone asks for {pods(row['desired'])}"


def reason(row: Doc) -> str:
    """What decided, in a word or two."""
    if _by_floor(row):
        return "schedule"
    if row["clamp"] != "none":
        return {
            "min_scale": "min-scale",
            "initial_scale": "initial-scale",
            "max_scale": "max-scale",
            "zero_disabled": "enable-scale-to-zero is off",
            "start_given_up": "its pods did not come up",
        }.get(row["clamp"], "the way to zero")
    if _by_policy(row):
        return "policy"
    if row["want"] == 0:
        return "nothing was asked"
    if row["kind"] == "scaled" and row["replicas_before"] == 0:
        return "a request came"
    return {
        "stable": "stable window",
        "panic": "panic window",
        "panic_hold": "panic mode",
        "up_limit": "max-scale-up-rate",
        "down_limit": "max-scale-down-rate",
        "activation": "activation-scale",
        "metric": "another metric",
        "metric_hold": "a metric without a number",
        "delay": "scale-down-delay",
    }.get(row["rule"], "no decision yet")
