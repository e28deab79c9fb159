"""The table of states: whatever it leaves out raises and changes nothing."""

from __future__ import annotations

import itertools

import pytest

from activator.proxy.errors import LocalProtocolError
from activator.proxy.exchange import Exchange
from activator.proxy.states import NEXT, Event, State

PAIRS = list(itertools.product(State, Event))


def in_state(state: State) -> Exchange:
    exchange: Exchange = Exchange.__new__(Exchange)
    exchange.state = state
    return exchange


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=[f"{state.name}-{event.name}" for state, event in PAIRS])
def test_a_step_is_in_the_table_or_raises_and_changes_nothing(state: State, event: Event) -> None:
    exchange = in_state(state)
    if event in NEXT[state]:
        exchange.step(event)
        assert exchange.state is NEXT[state][event]
    else:
        with pytest.raises(LocalProtocolError, match=f"{event.name} is not possible in state {state.name}"):
            exchange.step(event)
        assert exchange.state is state


def test_every_state_has_its_row_can_be_reached_and_comes_to_an_end() -> None:
    assert set(NEXT) == set(State)
    reached = {State.HELD} | {after for row in NEXT.values() for after in row.values()}
    assert reached == set(State)
    for state in set(State) - {State.DONE}:
        assert NEXT[state][Event.ABORT] is NEXT[state][Event.GONE] is State.DONE
    assert NEXT[State.DONE] == {}


def test_nothing_that_was_answered_can_be_sent_or_answered_again() -> None:
    for state in (State.REPLYING, State.TUNNEL):
        assert {Event.FORWARD, Event.UNSENT, Event.REDIAL, Event.REPLY}.isdisjoint(NEXT[state])


def test_the_ways_that_most_requests_take_in_one_step_are_those_of_the_table() -> None:
    assert NEXT[NEXT[State.HELD][Event.FORWARD]][Event.CONNECTED] is State.SENT
    assert NEXT[NEXT[State.SENT][Event.HEAD]][Event.END] is State.DONE
