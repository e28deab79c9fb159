"""What a waiting request is taken to hold is no less than it can hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from activator.footprint import BODY_BYTES_MAX, EXCHANGE_BYTES, size_of


@pytest.mark.parametrize(
    ("named", "has_body", "body_bytes"),
    [
        ({}, False, 0),
        ({b"content-length": b"17"}, True, 17),
        ({b"content-length": b"99999999999"}, True, BODY_BYTES_MAX),
        ({b"transfer-encoding": b"chunked"}, True, BODY_BYTES_MAX),
    ],
)
def test_a_body_counts_as_much_as_is_read_of_it(named: dict[bytes, bytes], has_body: bool, body_bytes: int) -> None:
    exchange: Any = SimpleNamespace(named=named, has_body=has_body, head_bytes=100)
    assert size_of(exchange) == EXCHANGE_BYTES + 300 + body_bytes
