"""uvloop, loaded for a program that has to start fast."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Coroutine
from functools import partial
from types import FunctionType, GeneratorType, MethodType, ModuleType, SimpleNamespace
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

# inspect.CO_COROUTINE
_CO_COROUTINE: Final = 0x80


def run(main: Coroutine[Any, Any, T], *, tls: bool) -> T:
    """Run `main` on uvloop; returns its result. Without `tls` no context of `ssl` may be used on the loop."""
    result: T = _load_uvloop(tls).run(main)
    return result


def _load_uvloop(tls: bool) -> ModuleType:
    """Import uvloop, with stand-ins for what is dear and not loaded yet: `inspect`, and `ssl` unless `tls`.

    uvloop asks these modules for names when it is imported, and keeps them. What it needs of `inspect` is small, what
    it needs of `ssl` is for TLS only: a loop loaded without refuses a context with a `TypeError`. The two are a sixth
    of what a queue-proxy takes to start, if they wait to be loaded, as out of the image's bundle.
    """
    stand_ins = {"inspect": _INSPECT} if tls else {"inspect": _INSPECT, "ssl": _ssl()}
    kept = {name: sys.modules[name] for name in stand_ins if _waits(name, vars(stand_ins[name]))}
    sys.modules.update({name: cast("Any", stand_ins[name]) for name in kept})
    try:
        return importlib.import_module("uvloop")
    finally:
        sys.modules.update(kept)


def _waits(name: str, wanted: dict[str, object]) -> bool:
    """Whether the module is there, and still to be loaded when something of it is asked for."""
    return name in sys.modules and not wanted.keys() <= vars(sys.modules[name]).keys()


def _isgenerator(found: object) -> bool:
    return isinstance(found, GeneratorType)


def _iscoroutinefunction(found: object) -> bool:
    while isinstance(found, (MethodType, partial)):
        found = found.__func__ if isinstance(found, MethodType) else found.func
    return isinstance(found, FunctionType) and bool(found.__code__.co_flags & _CO_COROUTINE)


_INSPECT: Final = SimpleNamespace(isgenerator=_isgenerator, iscoroutinefunction=_iscoroutinefunction)


def _ssl() -> SimpleNamespace:
    errors = ("CertificateError", "SSLError", "SSLSyscallError", "SSLWantReadError", "SSLZeroReturnError")
    return SimpleNamespace(
        **{name: type(name, (OSError,), {}) for name in errors},
        **{name: type(name, (), {}) for name in ("MemoryBIO", "SSLContext", "create_default_context")},
        **{f"SSL_ERROR_{name}": 0 for name in ("SYSCALL", "WANT_READ", "WANT_WRITE")},
    )
