"""The hand-written codec against the protobuf library, and against bytes that are no message."""

from __future__ import annotations

import itertools
import math
from array import array
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from swell.wire.errors import WireError
from swell.wire.history import History, RevisionHistory, encode_history
from swell.wire.loads import PodLoads, decode_question, encode_loads, encode_question
from swell.wire.report import ProvenPod, Report, decode_report, encode_messages, encode_proven
from swell.wire.stats import Stat, decode_stat, encode_stat

DOUBLES = (
    "average_concurrent_requests",
    "average_proxied_concurrent_requests",
    "request_count",
    "proxied_request_count",
    "process_uptime",
)
FIELD = descriptor_pb2.FieldDescriptorProto


def _reference() -> tuple[Any, Any]:
    """`Stat` and `WireStatMessages` as the protobuf library knows them (spec autoscaling 2.1)."""
    file = descriptor_pb2.FileDescriptorProto(name="stat.proto", package="metrics", syntax="proto3")
    stat = file.message_type.add(name="Stat")
    stat.field.add(name="pod_name", number=1, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL)
    for number, name in enumerate(DOUBLES, start=2):
        stat.field.add(name=name, number=number, type=FIELD.TYPE_DOUBLE, label=FIELD.LABEL_OPTIONAL)
    stat.field.add(name="timestamp", number=7, type=FIELD.TYPE_INT64, label=FIELD.LABEL_OPTIONAL)
    message = file.message_type.add(name="WireStatMessage")
    for number, name in enumerate(("namespace", "name"), start=1):
        message.field.add(name=name, number=number, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL)
    inner = message.field.add(name="stat", number=3, type=FIELD.TYPE_MESSAGE, label=FIELD.LABEL_OPTIONAL)
    inner.type_name = ".metrics.Stat"
    messages = file.message_type.add(name="WireStatMessages")
    all_ = messages.field.add(name="messages", number=1, type=FIELD.TYPE_MESSAGE, label=FIELD.LABEL_REPEATED)
    all_.type_name = ".metrics.WireStatMessage"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = [pool.FindMessageTypeByName(f"metrics.{name}") for name in ("Stat", "WireStatMessages")]
    return tuple(message_factory.GetMessageClass(each) for each in found)  # type: ignore[return-value]


ReferenceStat, ReferenceMessages = _reference()
doubles = st.floats(allow_nan=False)
stats = st.builds(
    Stat,
    st.text(max_size=200),
    doubles,
    doubles,
    doubles,
    doubles,
    doubles,
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
)


def _as_reference(stat: Stat) -> Any:
    return ReferenceStat(**{name: getattr(stat, name) for name in Stat.__slots__})


@given(stats)
def test_a_stat_is_the_bytes_that_protobuf_writes_and_reads_back(stat: Stat) -> None:
    encoded = encode_stat(stat)
    assert encoded == _as_reference(stat).SerializeToString(deterministic=True)
    assert decode_stat(encoded) == stat


@given(st.lists(st.tuples(st.text(max_size=70), st.text(max_size=70), stats), max_size=5))
def test_messages_are_the_bytes_that_protobuf_reads_and_writes(messages: list[tuple[str, str, Stat]]) -> None:
    encoded = encode_messages(messages)
    read = ReferenceMessages.FromString(encoded)
    assert [(each.namespace, each.name) for each in read.messages] == [message[:2] for message in messages]
    assert [each.stat for each in read.messages] == [_as_reference(message[2]) for message in messages]
    assert decode_report(read.SerializeToString()).messages == messages


def test_a_stat_of_zeros_is_no_bytes_and_still_a_stat_in_a_message() -> None:
    assert encode_stat(Stat()) == b""
    assert decode_report(encode_messages([("ns", "rev", Stat())])).messages == [("ns", "rev", Stat())]


@given(st.lists(st.builds(ProvenPod, *[st.text(max_size=70)] * 3), max_size=5))
def test_proven_pods_are_read_back_and_skipped_by_the_reference(pods: list[ProvenPod]) -> None:
    encoded = encode_proven(pods)
    assert decode_report(encoded) == Report([], pods, [], [])
    assert list(ReferenceMessages.FromString(encoded).messages) == []
    both = encode_messages([("ns", "rev", Stat("pod"))]) + encoded
    assert decode_report(both) == Report([("ns", "rev", Stat("pod"))], pods, [], [])


names = st.text(max_size=70)
loads = st.builds(PodLoads, names, names, st.dictionaries(names, st.integers(0, 2**40), max_size=5))


@given(loads)
def test_loads_are_read_back_and_skipped_by_the_reference(told: PodLoads) -> None:
    encoded = encode_loads(told)
    assert decode_report(encoded) == Report([], [], [told], [])
    assert list(ReferenceMessages.FromString(encoded).messages) == []
    assert decode_question(encode_question(*told[:2])) == told[:2]


finite = st.floats(0, allow_infinity=False)
samples = st.lists(st.tuples(finite, finite, finite), max_size=5).map(lambda all: array("d", itertools.chain(*all)))
histories = st.builds(History, names, finite, st.lists(st.builds(RevisionHistory, names, names, samples), max_size=5))


@given(histories)
def test_histories_are_read_back_and_skipped_by_the_reference(told: History) -> None:
    encoded = encode_history(*told)
    assert decode_report(encoded) == Report([], [], [], [told])
    assert list(ReferenceMessages.FromString(encoded).messages) == []


@pytest.mark.parametrize("sample", [(-1, 1, 1), (math.nan, 1, 1), (1, math.inf, 1)])
def test_a_history_with_numbers_that_are_none_is_refused(sample: tuple[float, ...]) -> None:
    with pytest.raises(WireError, match="not finite, or of the future"):
        decode_report(encode_history("activator", 1.0, [RevisionHistory("ns", "rev", array("d", sample))]))
    with pytest.raises(WireError, match="age is nan"):
        decode_report(encode_history("activator", math.nan, []))


def test_minus_zero_and_nan_survive() -> None:
    assert math.copysign(1, decode_stat(encode_stat(Stat(request_count=-0.0))).request_count) == -1
    assert math.isnan(decode_stat(encode_stat(Stat(request_count=math.nan))).request_count)


def test_fields_that_are_not_known_are_skipped() -> None:
    later = b"\x80\x02\x05" + b"\x8a\x02\x02hi" + b"\x8d\x02\0\0\0\0" + b"\x91\x02" + b"\0" * 8
    assert decode_stat(later + encode_stat(Stat("pod"))) == Stat("pod")


def test_an_entry_without_a_stat_is_left_out() -> None:
    assert decode_report(b"\x0a\x04\x0a\x02ns").messages == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x08", "ends inside a number"),
        (b"\x0a\x05ab", "field 1 wants 5 bytes, 2 are left"),
        (b"\x00\x01", "field number 0"),
        (b"\x0b", "wire type 3"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "more than 10 bytes"),
        (b"\x0a\x02\xff\xfe", "not UTF-8"),
    ],
)
def test_bytes_that_are_no_stat_say_why(data: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        decode_stat(data)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_wire_error(data: bytes) -> None:
    try:
        decode_report(data)
        decode_question(data)
    except WireError:
        return
