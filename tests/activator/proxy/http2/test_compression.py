"""Header blocks: RFC 7541's own examples, another implementation on random lists, and blocks that are none."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activator.proxy.http2.compression import Decoder, encode
from activator.proxy.http2.frames import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, ConnectionFault

PLENTY = 1024 * 1024
FIRST = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]
# RFC 7541 appendices C.3 and C.4: three requests of one connection, without and with the Huffman code.
PLAIN = (
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
)
CODED = (
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
)
THIRD = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":path", b"/index.html"),
    (b":authority", b"www.example.com"),
    (b"custom-key", b"custom-value"),
]

names = st.sampled_from([b":path", b":status", b"cookie", b"content-type", b"x-a", b"x-b" * 50]) | st.binary(
    min_size=1, max_size=40
)
fields = st.lists(st.tuples(names, st.sampled_from([b"", b"/", b"200", b"x" * 200]) | st.binary(max_size=150)))


@pytest.mark.parametrize("blocks", [PLAIN, CODED], ids=["plain", "huffman"])
def test_the_examples_of_the_rfc(blocks: tuple[str, ...]) -> None:
    decoder = Decoder()
    found = [decoder.decode(bytes.fromhex(block), PLENTY) for block in blocks]
    assert found == [FIRST, [*FIRST, (b"cache-control", b"no-cache")], THIRD]


@given(st.lists(fields, max_size=12), st.lists(st.integers(0, 4096), max_size=12), st.booleans())
def test_what_another_implementation_encodes_is_decoded(
    lists: list[list[tuple[bytes, bytes]]], sizes: list[int], huffman: bool
) -> None:
    encoder, decoder = hpack.Encoder(), Decoder()
    for number, wanted in enumerate(lists):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        assert decoder.decode(encoder.encode(wanted, huffman=huffman), PLENTY) == wanted


@given(st.lists(fields, max_size=5))
@example([[(b"x" * 127, b"y" * 128), (b"a", b"z" * 20_000)]])
def test_what_we_encode_another_implementation_decodes(lists: list[list[tuple[bytes, bytes]]]) -> None:
    decoder = hpack.Decoder(max_header_list_size=PLENTY)
    for wanted in lists:
        assert [tuple(pair) for pair in decoder.decode(encode(wanted), raw=True)] == wanted


@given(st.lists(fields, max_size=5))
def test_equal_blocks_mean_the_same_while_changes_do_not_count_up(lists: list[list[tuple[bytes, bytes]]]) -> None:
    encoder, decoder = hpack.Encoder(), Decoder()
    for wanted in lists:
        block = encoder.encode(wanted)
        before = decoder.changes
        decoder.decode(block, PLENTY)
        if decoder.changes == before:
            assert decoder.decode(block, PLENTY) == wanted


def test_a_secret_is_marked_as_such_for_all_hops() -> None:
    decoder = hpack.Decoder()
    found = decoder.decode(encode([(b"authorization", b"s"), (b"x", b"y")]), raw=True)
    assert [field.indexable for field in found] == [False, True]


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_any_bytes_are_fields_or_a_fault(block: bytes) -> None:
    decoder = Decoder()
    try:
        decoder.decode(block, 2000)
    except ConnectionFault as fault:
        assert fault.code in (COMPRESSION_ERROR, ENHANCE_YOUR_CALM)


NO_BLOCKS = {
    "index 0": "80",
    "index out of range": "ff8100",
    "empty table": "be",
    "table too large": "3fe21f",
    "late resize": "8220",
    "no name": "40",
    "half a name": "4001",
    "no value": "400161",
    "truncated": "0085f2b24a84ff84",
    "endless number": "7fffffffffffffff",
}


@pytest.mark.parametrize("block", NO_BLOCKS.values(), ids=NO_BLOCKS.keys())
def test_what_is_no_header_block(block: str) -> None:
    with pytest.raises(ConnectionFault) as caught:
        Decoder().decode(bytes.fromhex(block), PLENTY)
    assert caught.value.code == COMPRESSION_ERROR


def test_a_list_that_is_too_large_is_read_for_the_tables_sake_but_not_for_ever() -> None:
    encoder, decoder = hpack.Encoder(), Decoder()
    large = encoder.encode([(b"a", b"x" * 100), (b"b", b"y" * 100)])
    assert decoder.decode(large, 200) is None
    assert decoder.decode(encoder.encode([(b"a", b"x" * 100)]), 200) == [(b"a", b"x" * 100)]
    with pytest.raises(ConnectionFault) as caught:
        decoder.decode(encoder.encode([(b"a", b"x" * 100)]) * 10, 200)
    assert caught.value.code == ENHANCE_YOUR_CALM
