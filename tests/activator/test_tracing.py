"""Traces: which go on, and what those that begin here look like."""

from __future__ import annotations

import itertools
import re

import pytest

from activator.tracing import BATCH, is_traceparent, new_traces

TRACE = b"0af7651916cd43dd8448eb211c80319c"
SPAN = b"b7ad6b7169203331"


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (b"00-%b-%b-01" % (TRACE, SPAN), True),
        (b"00-%b-%b-00" % (TRACE, SPAN), True),
        (b"cc-%b-%b-01-what-the-future-brings" % (TRACE, SPAN), True),
        (b"", False),
        (b"00-%b-%b-01-more" % (TRACE, SPAN), False),
        (b"ff-%b-%b-01" % (TRACE, SPAN), False),
        (b"00-%b-%b-01" % (TRACE.upper(), SPAN), False),
        (b"00-%b-%b-01" % (b"0" * 32, SPAN), False),
        (b"00-%b-%b-01" % (TRACE, b"0" * 16), False),
        (b"00-%b-%b" % (TRACE, SPAN), False),
        (b"00-%b-%b-01, 00-%b-%b-01" % (TRACE, SPAN, TRACE, SPAN), False),
    ],
)
def test_what_a_trace_can_go_on_with(value: bytes, good: bool) -> None:
    assert is_traceparent(value) is good


def test_traces_that_begin_here_are_new_each_and_not_sampled() -> None:
    lines = list(itertools.islice(new_traces(), 3 * BATCH))
    found = [re.fullmatch(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-00", line) for line in lines]
    assert all(match and is_traceparent(match[0]) for match in found)
    assert len({match[1] for match in found if match}) == len({match[2] for match in found if match}) == len(lines)


def test_the_share_to_be_sampled_is_a_setting() -> None:
    assert all(line.endswith(b"-01") for line in itertools.islice(new_traces(1.0), 100))
    half = [line.endswith(b"-01") for line in itertools.islice(new_traces(0.5), 2000)]
    assert 800 < sum(half) < 1200
