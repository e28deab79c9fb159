"""The waiting room: bounded, first come first served, fair between revisions."""

from __future__ import annotations

import random

import pytest

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


def test_a_line_is_bounded_in_bytes_and_no_other_gives_way() -> None:
    room = Room[str](line_bytes_max=100)
    line, other = room.line(), room.line()
    assert other.join("other", 90) == []
    assert line.join("a", 60) == []
    assert line.join("b", 60) == ["b"]
    assert (line.bytes, room.bytes) == (60, 150)


def test_of_low_priority_the_newest_goes_first_and_then_the_newest_of_all() -> None:
    line = Room[str](line_max=3).line()
    assert line.join("low", 1, low=True) == []
    assert line.join("low too", 1, low=True) == []
    assert line.join("a", 1) == []
    assert line.join("b", 1) == ["low too"]
    assert line.join("c", 1, low=True) == ["c"]
    assert line.join("d", 1) == ["low"]
    assert line.join("e", 1) == ["e"]
    assert [line.pop() for _ in range(3)] == ["a", "b", "d"]


def test_of_low_priority_one_has_its_turn_like_all_others() -> None:
    line = Room[str](line_max=2).line()
    line.join("low", 1, low=True)
    line.join("a", 1)
    assert line.pop() == "low"
    assert line.join("b", 1) == []
    assert line.join("c", 1) == ["c"], "who has left is not asked to leave"


@pytest.mark.parametrize("seed", range(20))
def test_whoever_waits_in_a_line_of_less_than_its_share_stays_whatever_comes_for_others(seed: int) -> None:
    choose = random.Random(seed)
    room_max, bytes_max, count = 60, 6000, choose.randrange(2, 7)
    room = Room[int](room_max=room_max, bytes_max=bytes_max)
    lines = [room.line() for _ in range(count)]
    weights = [choose.choice((1, 1, 5, 100)) for _ in lines]
    owner: dict[int, int] = {}
    evicted = 0
    for item in range(3000):
        number = choose.choices(range(count), weights)[0]
        line, size = lines[number], choose.choice((1, 50, 400))
        owner[item] = number
        before = [(len(each) + (each is line), each.bytes + size * (each is line)) for each in lines]
        for gone in line.join(item, size, low=choose.random() < 0.3):
            evicted += 1
            length, held = before[owner[gone]]
            assert length > room_max / count or held > bytes_max / count
        assert room.count <= room_max and room.bytes <= bytes_max
        if line and choose.random() < 0.05:
            line.pop()
    assert evicted
    assert room.count == sum(map(len, lines))


def test_an_empty_line_holds_nothing_in_the_room() -> None:
    room = Room[str](room_max=2)
    line = room.line()
    for i in range(100):
        assert line.join(f"r{i}", 5) == []
        line.pop()
    assert (room.count, room.bytes) == (0, 0)
