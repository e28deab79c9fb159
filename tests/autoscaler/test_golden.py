"""The reference autoscaler's recordings, replayed: every number must be the same."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from swell.testing.golden import main, read_scenarios, replay

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDED = {"decisions": (247, 33731), "windows": (149, 39425), "endtoend": (108, 76125)}


@pytest.mark.timeout(600)  # 76,125 steps: a minute, or more beside others
@pytest.mark.parametrize("name", RECORDED)
def test_the_recordings_of_the_reference_come_out_number_for_number(name: str) -> None:
    report = replay(read_scenarios(GOLDEN / f"{name}.jsonl.gz"))
    assert report.mismatches == 0, "\n".join(report.examples)
    assert (report.scenarios, report.steps) == RECORDED[name]


def test_what_is_replayed_is_counted_and_a_mismatch_is_exit_code_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    right = read_scenarios(GOLDEN / "decisions.jsonl.gz")[:2]
    wrong = json.loads(json.dumps(right))
    wrong[0]["expected"]["desired_pod_count"][0] += 1
    files = [_written(tmp_path / name, found) for name, found in (("right.gz", right), ("wrong.gz", wrong))]
    ticks = replay(right).steps
    assert main(files[:1]) == 0
    assert f"right.gz: 2 scenarios, {ticks} ticks, 0 mismatches" in capsys.readouterr().out
    assert main(files) == 1
    told = capsys.readouterr().out.splitlines()
    assert f"wrong.gz: 2 scenarios, {ticks} ticks, 1 mismatches" in told[1]
    assert "tick 0 desired_pod_count: expected" in told[2]


def _written(path: Path, scenarios: list[dict[str, Any]]) -> str:
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(f"{json.dumps(scenario)}\n" for scenario in scenarios)
    return str(path)


def test_a_wrong_number_is_found_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    scenario = read_scenarios(GOLDEN / "decisions.jsonl.gz")[0]
    scenario["expected"]["desired_pod_count"][0] += 1
    report = replay([scenario])
    assert report.mismatches == 1
    assert report.examples[0].startswith(f"{scenario['id']} tick 0 desired_pod_count: expected")
    assert main([]) == 2
    assert "FILE" in capsys.readouterr().err
