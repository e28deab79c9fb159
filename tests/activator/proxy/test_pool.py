"""Idle connections: which one is taken, and how many are kept."""

from __future__ import annotations

from dataclasses import dataclass

from activator.proxy.pool import Pool

A, B = ("10.0.0.1", 80), ("10.0.0.2", 80)


@dataclass(frozen=True)
class Connection:
    name: str
    address: tuple[str, int] = A


def test_the_connection_that_was_used_last_is_taken_first() -> None:
    pool: Pool[Connection] = Pool()
    assert pool.put(Connection("old"), 1.0)
    assert pool.put(Connection("new"), 2.0)
    assert pool.put(Connection("other", B), 3.0)
    assert repr(pool) == "<Pool 10.0.0.1:80 2, 10.0.0.2:80 1>"
    assert [pool.take(A), pool.take(A), pool.take(A)] == [Connection("new"), Connection("old"), None]
    assert len(pool) == 1


def test_no_more_are_kept_than_allowed_per_address_and_in_all() -> None:
    pool: Pool[Connection] = Pool(idle_per_address_max=2, idle_max=3)
    assert [pool.put(Connection(str(n)), 0.0) for n in range(3)] == [True, True, False]
    assert [pool.put(Connection(str(n), B), 0.0) for n in range(3)] == [True, False, False]
    assert len(pool) == 3


def test_those_idle_for_too_long_are_swept_out() -> None:
    pool: Pool[Connection] = Pool(idle_s=90)
    pool.put(Connection("old"), 0.0)
    pool.put(Connection("new"), 50.0)
    pool.put(Connection("old", B), 0.0)
    assert pool.sweep(90.0) == [Connection("old"), Connection("old", B)]
    assert pool.sweep(90.0) == []
    assert repr(pool) == "<Pool 10.0.0.1:80 1>"


def test_an_address_can_be_dropped_and_a_connection_forgotten() -> None:
    pool: Pool[Connection] = Pool()
    for name in ("a", "b"):
        pool.put(Connection(name), 0.0)
    pool.put(Connection("c", B), 0.0)
    pool.discard(Connection("a"))
    pool.discard(Connection("a"))
    assert pool.drop(A) == [Connection("b")]
    assert pool.drop(A) == []
    assert pool.clear() == [Connection("c", B)]
    assert (len(pool), repr(pool)) == (0, "<Pool empty>")
