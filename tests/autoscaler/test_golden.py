"""The reference autoscaler's recordings, replayed: every number must be the same."""

from __future__ import annotations

from pathlib import Path

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


def test_a_wrong_number_is_found_and_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    scenario = read_scenarios(GOLDEN / "decisions.jsonl.gz")[0]
    scenario["expected"]["desired_pod_count"][0] += 1
    report = replay([scenario])
    assert report.mismatches == 1
    assert report.examples[0].startswith(f"{scenario['id']} tick 0 desired_pod_count: expected")
    assert main([]) == 2
    assert "FILE" in capsys.readouterr().err
