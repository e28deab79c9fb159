"""Run a program of the image: `start.py PROGRAM`, as `python -m PROGRAM` would.

What a program imports, Python's own modules too, comes out of the bundle beside this file if it has one: to look for
140 files and read them is a sixth of the time that a queue-proxy needs to start, and each new pod waits for one.
"""

from __future__ import annotations

import marshal
import sys

# As importlib.util has it, which needs a dozen modules itself.
from _frozen_importlib_external import spec_from_file_location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

# What asyncio and uvloop import and need for nothing that ours do: loaded when something of it is asked for.
LAZY = frozenset(("base64", "locale", "queue", "textwrap"))


class Bundle:
    """Finds and loads the modules in a file that image/bundle.py has made."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self._modules: dict[str, tuple[str, bool, bytes]] = marshal.loads(file.read())

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in self._modules:
            return None
        source, is_package, _ = self._modules[name]
        loader: Any = self
        if name in LAZY:
            from importlib.util import LazyLoader

            loader = LazyLoader(self)  # type: ignore[arg-type] # importlib.abc takes a millisecond
        folders = [source.rpartition("/")[0]] if is_package else None
        return spec_from_file_location(name, source, loader=loader, submodule_search_locations=folders)

    def create_module(self, spec: ModuleSpec) -> None:
        """A module like any other."""

    def exec_module(self, module: ModuleType) -> None:
        _, _, code = self._modules.pop(module.__name__)
        exec(marshal.loads(code), module.__dict__)


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
    sys.meta_path.insert(-1, bundle)  # what is built in or frozen needs no bundle
    import importlib

    sys.exit(importlib.import_module(f"{program}.__main__").main())


if __name__ == "__main__":
    main()
