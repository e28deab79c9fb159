"""What `swell up` tells of a program that does not start."""

from __future__ import annotations

from pathlib import Path

from swell.local.up import ProgramLog

END = "--- activator ended with code 1 after 0.1 s; starts again in 0 s"


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_a_program_that_ends_once_more_after_its_restart_is_told_of_with_its_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "activator.log"
    write(path, "from the last time", END, END)
    log = ProgramLog("activator", path)
    assert log.trouble() == ""
    write(path, "activator: cannot listen", END)
    assert log.trouble() == ""
    write(path, "activator: cannot listen", END)
    told = log.trouble()
    assert "the activator keeps ending" in told and "activator: cannot listen" in told
    assert "from the last time" not in told
    assert log.trouble() == "", "it is told once"


def test_a_log_that_is_not_there_yet_is_no_trouble(tmp_path: Path) -> None:
    assert ProgramLog("activator", tmp_path / "activator.log").trouble() == ""
