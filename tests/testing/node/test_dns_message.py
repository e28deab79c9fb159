"""DNS messages: what a resolver sends is understood, what it is sent it understands."""

from __future__ import annotations

import struct

import pytest

from swell.testing.node.dns.message import (
    AAAA,
    CNAME,
    A,
    Code,
    Malformed,
    Query,
    Question,
    Record,
    answers_of,
    make_answer,
    make_query,
    parse_query,
)

NAME = "web.default.svc.cluster.local"
# As glibc sends it: number 0x1234, recursion desired, one question for A in the Internet.
GLIBC = bytes.fromhex(
    "12340100000100000000000003776562076465666175 6c74037376630763 6c7573746572056c6f63616c0000010001"
)
EDNS = struct.pack("!BHHIH", 0, 41, 1232, 0, 0)


def with_edns(query: bytes) -> bytes:
    return query[:10] + b"\0\1" + query[12:] + EDNS


def test_a_plain_query_is_read() -> None:
    assert parse_query(GLIBC) == Query(0x1234, Question(NAME, A), recursion_desired=True, bytes_max=512)


def test_our_own_query_is_the_same_as_glibcs() -> None:
    assert make_query(0x1234, Question(NAME)) == GLIBC


def test_upper_and_lower_case_are_the_same() -> None:
    assert parse_query(GLIBC.replace(b"web", b"WeB")).question == Question(NAME, A)


def test_edns_tells_how_long_an_answer_may_be() -> None:
    assert parse_query(with_edns(GLIBC)).bytes_max == 1232


def test_an_answer_repeats_number_and_question_and_has_the_addresses() -> None:
    records = (Record(NAME, CNAME, "other.default.svc.cluster.local"), Record(NAME, A, "10.96.0.7"))
    answer = make_answer(parse_query(GLIBC), Code.NO_ERROR, records)
    number, flags, questions, answers, _, _ = struct.unpack_from("!6H", answer)
    assert (number, flags, questions, answers) == (0x1234, 0x8580, 1, 2)
    assert answer[12 : len(GLIBC)] == GLIBC[12:]
    assert answers_of(answer) == ["10.96.0.7"]


def test_a_name_that_does_not_exist_is_told_by_code_3_and_nothing_else() -> None:
    answer = make_answer(parse_query(GLIBC), Code.NO_SUCH_NAME)
    assert answer[3] & 0x0F == 3
    assert answers_of(answer) == []


@pytest.mark.parametrize("query", [GLIBC, with_edns(GLIBC)], ids=["plain", "edns"])
def test_an_answer_is_never_longer_than_the_asker_takes(query: bytes) -> None:
    records = tuple(Record(NAME, A, f"10.244.0.{number}") for number in range(1, 201))
    parsed = parse_query(query)
    answer = make_answer(parsed, Code.NO_ERROR, records)
    found = answers_of(answer)
    assert parsed.bytes_max - 60 < len(answer) <= parsed.bytes_max
    assert found == [record.value for record in records[: len(found)]]


@pytest.mark.parametrize("length", range(len(GLIBC)))
def test_a_query_that_is_cut_short_is_no_query(length: int) -> None:
    with pytest.raises(Malformed):
        parse_query(GLIBC[:length])


@pytest.mark.parametrize(
    "data",
    [
        make_answer(Query(1, Question(NAME, AAAA)), Code.NO_ERROR),
        GLIBC[:4] + b"\0\2" + GLIBC[6:],
        GLIBC[:12] + b"\xc0\x0c\0\1\0\1",
        GLIBC.replace(b"web", b"\xff\xff\xff"),
    ],
    ids=["an answer", "two questions", "a name that points at itself", "a name that is not ASCII"],
)
def test_what_is_no_query_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_query(data)
