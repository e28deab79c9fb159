from __future__ import annotations

from pathlib import Path

from swell.local.host.rotation import older, rotate


def test_a_log_that_grew_too_large_moves_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"x" * 101)
        assert rotate(str(path), 100)
        writer.write(b"y")
    assert path.read_bytes() == b"y"
    assert Path(older(str(path))).read_bytes() == b"x" * 101


def test_a_small_log_and_one_that_is_not_there_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    assert not rotate(str(path), 100)
    path.write_bytes(b"x" * 100)
    assert not rotate(str(path), 100)
    assert path.stat().st_size == 100
