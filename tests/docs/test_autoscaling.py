"""docs/autoscaling.md: its plot and table are what the code makes, its settings what the code allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from swell.api import labels
from swell.api.annotation_rules import validate_annotations
from swell.api.durations import format_duration
from swell.api.numbers import duration_ns
from swell.api.settings import AutoscalerLimits
from swell.config import autoscaler
from swell.runtime.errors import SettingsError
from swell.testing import spike

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "autoscaling.md").read_text()
PREFIX = f"{labels.AUTOSCALING_GROUP}/"
# What else must be set so that the key alone decides.
WITH: Mapping[str, dict[str, str]] = {
    "container-concurrency-target-percentage": {"container-concurrency-target-default": "1e9"},
    "container-concurrency-target-default": {"container-concurrency-target-percentage": "100"},
    "max-scale-limit": {"max-scale": "1"},
}
TINY = {"number": 1e-6, "integer": 1, "duration": 1e-3}


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: cells by the name in the first column."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


ANNOTATIONS, KEYS = rows("Settings of a revision"), rows("Settings of the cluster")


class Recording(dict[str, str]):
    """A ConfigMap that notes what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: str = "") -> str:  # type: ignore[override]
        self.asked.add(key)
        return default


def test_plot_and_table_are_what_the_code_makes() -> None:
    points = spike.simulate()
    assert spike.table(points) in TEXT
    assert (ROOT / spike.SVG).read_text() == spike.svg(points), "python -m swell.testing.spike writes it anew"


def test_every_annotation_is_in_the_table_with_its_older_spelling() -> None:
    known = {value for value in vars(labels).values() if isinstance(value, str) and value.startswith(PREFIX)}
    named = {f"{PREFIX}{name}" for name in ANNOTATIONS}
    older = {f"{PREFIX}{row[0].strip('`')}" for row in ANNOTATIONS.values() if row[0]}
    assert named | older == known


def test_every_key_of_the_config_map_is_in_the_table() -> None:
    asked = Recording()
    autoscaler.parse(asked)
    own = {key for key in asked.asked if key.startswith("swell.")}
    assert set(KEYS) == asked.asked - own
    others = "".join((ROOT / "docs" / page).read_text() for page in ("metrics.md", "policy.md"))
    assert {key for key in own if key not in others} == set()


@pytest.mark.parametrize("key", KEYS)
def test_the_default_of_a_key_is_the_one_in_the_table(key: str) -> None:
    assert autoscaler.parse({key: KEYS[key][1]}) == autoscaler.AutoscalerConfig()


@pytest.mark.parametrize("key", KEYS)
def test_a_key_takes_what_its_range_says(key: str) -> None:
    kind, _, allowed, _ = KEYS[key]

    def takes(value: str) -> bool:
        try:
            autoscaler.parse({**WITH.get(key, {}), key: value})
        except SettingsError as exc:
            assert key in str(exc)
            return False
        return True

    check(kind, allowed, takes)


@pytest.mark.parametrize("spelling", ["name", "older"])
@pytest.mark.parametrize("name", ANNOTATIONS)
def test_an_annotation_takes_what_its_range_says(name: str, spelling: str) -> None:
    older, kind, allowed, _, _ = ANNOTATIONS[name]
    if spelling == "older":
        if not older:
            assert name in ("class", "metric", "target", "window", "activation-scale")
            return
        name = older.strip("`")

    def takes(value: str) -> bool:
        notes = {labels.AUTOSCALER_CLASS: labels.CLASS_KPA, f"{PREFIX}{name}": value}
        return not validate_annotations(notes, AutoscalerLimits())

    check(kind, allowed, takes)


def check(kind: str, allowed: str, takes: Callable[[str], bool]) -> None:
    """What lies within the range is taken, what lies just outside of it, or is of another type, is not."""
    good, bad = probes(kind, allowed)
    assert [value for value in good if not takes(value)] == []
    assert [value for value in bad if takes(value)] == []
    if kind != "text":
        assert not takes("much") and not takes("NaN")


def probes(kind: str, allowed: str) -> tuple[list[str], list[str]]:
    """Values that the words of a range allow, and values that they do not."""
    if kind in ("text", "boolean"):
        words = re.findall(r"`([^`*]+)`", allowed)
        return [*words, *(["mine"] if "any" in allowed else [])], [] if "any" in allowed else ["mine"]
    if allowed == "any":
        return ["0", "-5", "1e9"], []
    first, whole = allowed.partition(", whole seconds")[:2]
    first, _, extra = first.partition(", or ")
    found = re.fullmatch(r"(more than )?(\S+)(?: to (\S+)| or more)?", first)
    assert found is not None, allowed
    more, low, high = found.groups()
    step = 1.0 if whole else TINY[kind]
    good = [text(kind, value(kind, low) + (step if more else 0))]
    bad = [text(kind, value(kind, low) - (0 if more else step))]
    if high:
        good.append(text(kind, value(kind, high)))
        bad.append(text(kind, value(kind, high) + step))
    else:
        good.append(text(kind, value(kind, low) + 86_400))
    if extra:
        good.append(extra)
        bad += [text(kind, value(kind, extra) + sign * step) for sign in (-1, 1)]
    if whole:
        bad.append(text(kind, value(kind, low) + 0.5))
    return good, bad


def value(kind: str, written: str) -> float:
    """The number that a range names."""
    if kind != "duration":
        return float(written)
    ns = duration_ns(written)
    assert ns is not None, written
    return ns / 1e9


def text(kind: str, number: float) -> str:
    if kind == "duration":
        return format_duration(number) if number >= 0 else f"-{format_duration(-number)}"
    return f"{number:.0f}" if kind == "integer" else repr(number)
