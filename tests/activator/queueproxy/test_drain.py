"""When a pod may go, in virtual time with the real 30 s: spec dataplane 3.8, C61-C66."""

from __future__ import annotations

import pytest

from activator.queueproxy.drain import NEXT, Drain, Event, State
from swell.testing.clock import ManualClock


class World:
    """A drain, the number of requests in flight, and when each caller of /wait-for-drain was answered."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.in_flight = 0
        self.drain = Drain(self.clock, lambda: self.in_flight)
        self.answered: list[float] = []

    def ask(self) -> None:
        self.drain.ask(lambda: self.answered.append(round(self.clock.now(), 3)))

    def delete_pod(self) -> None:
        """The preStop hook and SIGTERM, as the kubelet sends them."""
        self.ask()
        self.drain.terminate()

    def arrive(self) -> None:
        self.in_flight += 1
        self.drain.arrived()

    def leave(self) -> None:
        self.in_flight -= 1
        self.drain.finished()


def test_case_61_an_idle_pod_may_go_after_thirty_seconds() -> None:
    world = World()
    world.delete_pod()
    assert world.drain.draining
    world.clock.advance(100)
    assert world.answered == [30]
    assert world.drain.state is State.DRAINED


def test_case_62_a_request_in_flight_holds_the_drain_until_it_is_over() -> None:
    world = World()
    world.arrive()
    world.delete_pod()
    world.clock.advance(35)
    assert world.answered == []
    world.leave()
    assert world.answered == [35]


def test_case_64_each_arrival_restarts_the_quiet_time() -> None:
    world = World()
    world.delete_pod()
    for _ in range(100):
        world.clock.advance(1)
        world.arrive()
        world.leave()
    assert world.answered == []
    world.clock.advance(60)
    assert world.answered == [130]


def test_case_65_without_a_sigterm_it_is_undone_after_a_second_and_everybody_told() -> None:
    world = World()
    world.ask()
    world.clock.advance(0.5)
    world.ask()
    assert world.drain.draining
    world.clock.advance(10)
    assert world.answered == [1, 1]
    assert not world.drain.draining
    world.delete_pod()
    world.clock.advance(100)
    assert world.answered == [1, 1, 40.5]


def test_a_sigterm_in_time_keeps_the_drain_and_its_beginning() -> None:
    world = World()
    world.ask()
    world.clock.advance(0.9)
    world.drain.terminate()
    world.clock.advance(100)
    assert world.answered == [30]


def test_case_66_the_last_to_end_after_the_quiet_time_ends_the_drain() -> None:
    world = World()
    world.arrive()
    world.arrive()
    world.delete_pod()
    world.clock.advance(40)
    world.leave()
    world.clock.advance(20)
    assert (world.answered, world.clock.pending) == ([], 0)
    world.leave()
    assert world.answered == [60]


def test_after_the_end_the_answer_comes_at_once_and_probes_go_on_failing() -> None:
    world = World()
    world.delete_pod()
    world.clock.advance(30)
    world.arrive()
    world.ask()
    assert world.answered == [30, 30]
    assert world.drain.draining
    assert world.clock.pending == 0


def test_who_has_left_is_not_answered() -> None:
    world = World()
    answered: list[float] = []

    def done() -> None:
        answered.append(world.clock.now())

    world.drain.ask(done)
    world.drain.forget(done)
    world.clock.advance(5)
    assert answered == []
    assert not world.drain.draining


@pytest.mark.parametrize("state", State)
def test_the_table_knows_each_state_and_a_drained_pod_stays_so(state: State) -> None:
    assert NEXT[state][Event.TERMINATE] in (State.DRAINING, State.DRAINED)
    assert set(NEXT[State.DRAINED].values()) == {State.DRAINED}
