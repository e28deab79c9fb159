"""docs/specification.md names tests: they must be there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CASES = 75


def test_every_test_that_the_specification_names_exists() -> None:
    text = (ROOT / "docs/specification.md").read_text()
    named = re.findall(r"`([\w./]+\.py)::(\w+)`", text)
    assert len(named) >= 90
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in _source(file)]
    assert missing == []


def test_every_case_of_the_data_plane_is_in_its_table() -> None:
    text = (ROOT / "docs/specification.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| C")]
    assert [int(number) for row in rows for number in re.findall(r"C(\d+)", row)] == list(range(1, CASES + 1))


def _source(file: str) -> str:
    return (ROOT / "tests" / file).read_text()
