"""The tests that docs/specification.md names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA_PLANE_CASES = 75
AUTOSCALING_CASES = 96
TEXT = (ROOT / "docs" / "specification.md").read_text()


def test_every_test_that_a_promise_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert named - defined == set()
    assert len(named) > 50


def test_every_figure_that_a_promise_names_is_one_of_its_bench() -> None:
    benchmarks = (ROOT / "docs" / "benchmarks.md").read_text()
    named = re.findall(r"`bench\.(\w+)`: ((?:`\w+`(?:, )?)+)", TEXT)
    assert len(named) >= 5
    for bench, figures in named:
        _, _, told = benchmarks.partition(f"\n## bench.{bench}:")
        own = told.partition("\n## ")[0]
        missing = [figure for figure in re.findall(r"`(\w+)`", figures) if f"`{figure}`" not in own]
        assert missing == [], bench


def test_every_test_that_a_case_names_exists() -> None:
    named = re.findall(r"`([\w./]+\.py)::(\w+)`", TEXT)
    assert len(named) >= 90
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / "tests" / file).read_text()]
    assert missing == []


@pytest.mark.parametrize(("letter", "count"), [("C", DATA_PLANE_CASES), ("A", AUTOSCALING_CASES)])
def test_every_case_is_in_its_table(letter: str, count: int) -> None:
    assert [number for numbers, _ in rows(letter) for number in numbers] == list(range(1, count + 1))


def test_every_autoscaling_case_has_a_test_with_its_number_or_a_reason() -> None:
    for numbers, (_, tests, reason) in rows("A"):
        covered = {number for name in re.findall(r"::(\w+)`", tests) for number in numbers_of(name)}
        assert reason or tests != "none", numbers
        assert tests == "none" or set(numbers) <= covered, numbers


def rows(letter: str) -> list[tuple[list[int], list[str]]]:
    """The cases of each row of a table, and its other cells."""
    lines = [line.split("|")[1:-1] for line in TEXT.splitlines() if re.match(rf"\| {letter}\d", line)]
    return [
        ([int(number) for number in re.findall(rf"{letter}(\d+)", cells[0])], [cell.strip() for cell in cells[1:]])
        for cells in lines
    ]


def numbers_of(name: str) -> set[int]:
    """The cases in the name of a test: `test_case_8_...`, `test_cases_1_to_5_and_9_...`."""
    found = re.match(r"test_cases?_((?:\d+|to|and)(?:_(?:\d+|to|and)(?=_))*)", name)
    parts = re.findall(r"(\d+)(?:_to_(\d+))?", found[1]) if found else []
    return {number for low, high in parts for number in range(int(low), int(high or low) + 1)}
