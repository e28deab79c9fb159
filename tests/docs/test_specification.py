"""The tests that docs/specification.md names exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CASES = 75
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


def test_every_test_that_a_case_names_exists() -> None:
    named = re.findall(r"`([\w./]+\.py)::(\w+)`", TEXT)
    assert len(named) >= 90
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / "tests" / file).read_text()]
    assert missing == []


def test_every_case_of_the_data_plane_is_in_its_table() -> None:
    rows = [line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| C")]
    assert [int(number) for row in rows for number in re.findall(r"C(\d+)", row)] == list(range(1, CASES + 1))
