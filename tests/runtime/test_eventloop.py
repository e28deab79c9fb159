"""What uvloop is told of modules that are not loaded yet is what they would have said."""

from __future__ import annotations

import functools
import inspect
import ssl
from collections.abc import Iterator

import pytest

from swell.runtime import eventloop


class Thing:
    async def later(self) -> None: ...

    def now(self) -> None: ...

    async def __call__(self) -> None: ...


async def later() -> None: ...


def some() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    "found",
    (
        *(
            later,
            later.__call__,
            functools.partial(later),
            functools.partial(Thing().later),
            Thing().later,
            Thing.later,
        ),
        *(Thing().now, functools.partial(Thing().now), Thing, Thing(), print, len, some, some(), iter(()), None, 1),
    ),
)
def test_the_stand_in_for_inspect_answers_as_it_does(found: object) -> None:
    for name, stand_in in vars(eventloop._INSPECT).items():
        assert stand_in(found) == getattr(inspect, name)(found), name


def test_the_stand_in_for_ssl_has_what_it_has() -> None:
    for name, stand_in in vars(eventloop._ssl()).items():
        real = getattr(ssl, name)
        if isinstance(real, type):
            assert issubclass(stand_in, Exception) == issubclass(real, Exception), name
        else:
            assert callable(stand_in) == callable(real), name


def test_the_loop_runs_to_its_result() -> None:
    async def main() -> str:
        return "done"

    assert eventloop.run(main(), tls=False) == "done"
