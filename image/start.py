"""Run a program of the image: `start.pyc PROGRAM`, as `python -m PROGRAM` would.

What a program imports, Python's own modules too, comes out of the bundle beside this file if it has one: to look for
140 files and read them is a sixth of the time that a queue-proxy needs to start, and each new pod waits for one.
"""

import _sre  # type: ignore[import-not-found]
import marshal
import os
import sys

# As importlib.machinery has them, which needs modules itself.
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any
else:
    ModuleType = type(sys)

# What asyncio and uvloop import and need for nothing that ours do: loaded when something of it is asked for.
LAZY = frozenset(
    (
        "asyncio.sslproto",
        "asyncio.staggered",
        "asyncio.trsock",
        "base64",
        "inspect",
        "linecache",
        "locale",
        "queue",
        "ssl",
        "textwrap",
        "tokenize",
    )
)


class Lazy(ModuleType):
    """A module that is there and not loaded yet. (That of importlib.util is loaded when it is imported once more.)"""

    def __getattr__(self, name: str) -> "Any":
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__loader__.load(self)  # type: ignore[union-attr]
        return getattr(self, name)


class Bundle:
    """Finds and loads the modules in a file that image/bundle.py has made."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        size = int.from_bytes(os.pread(self._file, 4, 0), "little")
        self._begin = 4 + size
        head = marshal.loads(os.pread(self._file, size, 4))
        self._modules: dict[str, tuple[str, bool, int, int]] = head[0]
        self._patterns: list[tuple[Any, int, tuple[Any, ...]]] = head[1]

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in self._modules:
            return None
        source, is_package, _, size = self._modules[name]
        loader: Any = self if size else ExtensionFileLoader(name, source)
        spec = ModuleSpec(name, loader, origin=source)
        if is_package:
            spec.submodule_search_locations = [source.rpartition("/")[0]]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """A module like any other."""

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._modules[module.__name__][0]
        if module.__name__ in LAZY:
            module.__class__ = Lazy
        else:
            self.load(module)

    def load(self, module: ModuleType) -> None:
        _, _, place, size = self._modules[module.__name__]
        exec(marshal.loads(os.pread(self._file, size, self._begin + place)), module.__dict__)
        if module.__name__ == "re":
            # To compile them takes more than most modules.
            for text, flags, how in self._patterns:
                module._cache[type(text), text, flags] = _sre.compile(*how)


def main() -> None:
    """Run the program that the first argument names; the others are its own."""
    del sys.argv[0]
    program = sys.argv[0]
    try:
        bundle = Bundle(f"{__file__.rpartition('/')[0]}/{program}.bundle")
    except FileNotFoundError:
        import runpy

        runpy.run_module(program, run_name="__main__", alter_sys=True)
        return
    sys.meta_path.insert(0, bundle)
    import importlib

    sys.exit(importlib.import_module(f"{program}.__main__").main())


if __name__ == "__main__":
    main()
