"""Settings out of environment variables, and what is wrong with bad ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swell.runtime import environ as env
from swell.runtime.errors import SettingsError


@pytest.mark.parametrize(
    ("read", "want"),
    [
        (lambda: env.port({"P": "8080"}, "P"), 8080),
        (lambda: env.port({"P": ""}, "P", 80), 80),
        (lambda: env.port({"P": "0"}, "P", 80), 0),
        (lambda: env.integer({}, "N", 2), 2),
        (lambda: env.integer({"N": "0"}, "N", 2), 0),
        (lambda: env.seconds({"S": "1.5"}, "S", 9.0), 1.5),
        (lambda: env.flag({"F": "True"}, "F"), True),
        (lambda: env.flag({"F": ""}, "F"), False),
        (lambda: env.required({"R": "x"}, "R", "a name"), "x"),
    ],
)
def test_a_usable_value_is_read(read: Callable[[], Any], want: object) -> None:
    assert read() == want


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda: env.port({"P": "65536"}, "P"), "P='65536' is not usable: a port number 0..65535, 0 for a free one"),
        (lambda: env.port({"P": "0"}, "P", least=1), "a port number 1..65535"),
        (lambda: env.port({}, "P"), "P=None"),
        (lambda: env.port({"P": "²"}, "P"), "P='²'"),
        (lambda: env.integer({"N": "-1"}, "N"), "a whole number, 0 or more"),
        (lambda: env.integer({"N": "99"}, "N", least=1, most=64), "a whole number, 1 to 64"),
        (lambda: env.seconds({"S": "nan"}, "S"), "S='nan'"),
        (lambda: env.seconds({"S": "inf"}, "S"), "0 or more"),
        (lambda: env.seconds({"S": "soon"}, "S"), "S='soon'"),
        (lambda: env.flag({"F": "yes"}, "F"), "F='yes' is not usable: true or false"),
        (lambda: env.required({"R": ""}, "R", "a name"), "R='' is not usable: a name"),
    ],
)
def test_a_value_that_cannot_be_used_says_key_value_and_what_is_allowed(read: Callable[[], Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read()
    assert says in str(caught.value)
