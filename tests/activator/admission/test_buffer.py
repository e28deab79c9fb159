"""The waiting room: bounded, first come first served, fair between revisions."""

from __future__ import annotations

from activator.admission.buffer import Line, Room


def fill(line: Line[str], prefix: str, count: int, size: int = 1) -> list[str]:
    turned_away: list[str] = []
    for i in range(count):
        turned_away += line.join(f"{prefix}{i}", size)
    return turned_away


def test_who_came_first_goes_first() -> None:
    line = Room[str]().line()
    fill(line, "r", 3)
    assert [line.pop() for _ in range(3)] == ["r0", "r1", "r2"]
    assert not line


def test_one_that_has_waited_before_goes_to_the_front() -> None:
    line = Room[str]().line()
    fill(line, "r", 2)
    line.join("again", 1, front=True)
    assert line.first() == "again"


def test_one_that_leaves_is_gone_and_leaving_twice_is_harmless() -> None:
    room = Room[str]()
    line = room.line()
    fill(line, "r", 3, size=10)
    assert line.leave("r1")
    assert not line.leave("r1")
    assert (room.count, room.bytes, len(line)) == (2, 20, 2)


def test_a_full_line_refuses_the_newcomer_and_no_one_else() -> None:
    room = Room[str](line_max=3)
    line, other = room.line(), room.line()
    assert fill(line, "r", 4) == ["r3"]
    assert fill(other, "o", 3) == []
    assert (len(line), len(other), room.count) == (3, 3, 6)


def test_one_that_comes_back_to_a_full_line_stays_and_the_newest_goes() -> None:
    line = Room[str](line_max=2).line()
    fill(line, "r", 2)
    assert line.join("again", 1, front=True) == ["r1"]
    assert [line.pop(), line.pop()] == ["again", "r0"]


def test_a_flood_for_one_revision_does_not_push_out_those_who_wait_for_another() -> None:
    room = Room[str](room_max=10)
    flood, quiet = room.line(), room.line()
    fill(flood, "f", 10)
    assert quiet.join("q0", 1) == ["f9"]
    assert fill(quiet, "more", 9) == ["f8", "f7", "f6", "f5", "more4", "more5", "more6", "more7", "more8"]
    assert (len(flood), len(quiet)) == (5, 5)


def test_the_room_is_bounded_in_bytes_and_the_largest_line_gives_way() -> None:
    room = Room[str](bytes_max=100)
    large, small = room.line(), room.line()
    fill(large, "l", 2, size=45)
    assert small.join("s", 20) == ["l1"]
    assert small.join("huge", 60) == ["huge"]
    assert room.bytes == 65


def test_an_empty_line_holds_nothing_in_the_room() -> None:
    room = Room[str](room_max=2)
    line = room.line()
    for i in range(100):
        assert line.join(f"r{i}", 5) == []
        line.pop()
    assert (room.count, room.bytes) == (0, 0)
