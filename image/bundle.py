"""Put the modules that a program imports into one file, for image/start.py: `bundle.py FILE PROGRAM ROOT...`.

Run by the Python that is to read it. Sources that lie below a root will lie at the same place below `/`.
"""

# ruff: noqa: E402
from __future__ import annotations

import sys

# There before any module can come out of a bundle.
BEFORE = frozenset(sys.modules)

import importlib
import marshal
from importlib.machinery import SourceFileLoader

# Asserts of ours stay. Those of others do not, nor do their docstrings: a tenth of what is read.
OURS = frozenset(("activator", "swell"))


def bundle(program: str, roots: list[str]) -> bytes:
    """By name: where the source of a module is, whether it is a package, and its code."""
    importlib.import_module(f"{program}.__main__")
    found: dict[str, tuple[str, bool, bytes]] = {}
    for name, module in sorted(sys.modules.items()):
        spec = getattr(module, "__spec__", None)  # not all that is there is a module
        if name in BEFORE or spec is None or not isinstance(spec.loader, SourceFileLoader):
            continue
        path = spec.loader.path
        place = next((path.removeprefix(root) for root in roots if path.startswith(f"{root}/")), path)
        optimize = 0 if name.partition(".")[0] in OURS else 2
        code = compile(spec.loader.get_data(path), place, "exec", dont_inherit=True, optimize=optimize)
        found[spec.name] = (place, spec.submodule_search_locations is not None, marshal.dumps(code))
    return marshal.dumps(found)


def main() -> None:
    """Write the file."""
    file, program, *roots = sys.argv[1:]
    made = bundle(program, roots)
    with open(file, "wb") as out:
        out.write(made)


if __name__ == "__main__":
    main()
