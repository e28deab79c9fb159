from __future__ import annotations

import resource
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
    assert Path(older(str(path))).stat().st_mode & 0o777 == 0o600


def test_a_log_is_cut_even_where_there_is_no_room_for_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"x" * 101)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
    try:
        assert rotate(str(path), 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b""
    assert not Path(older(str(path))).exists()


def test_a_small_log_and_one_that_is_not_there_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    assert not rotate(str(path), 100)
    path.write_bytes(b"x" * 100)
    assert not rotate(str(path), 100)
    assert path.stat().st_size == 100
