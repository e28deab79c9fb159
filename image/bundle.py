"""Put what a program imports into one file, for image/start.py: `bundle.py FILE PROGRAM[,MODULE...] ROOT...`.

Run by the Python that is to read it. Sources that lie below a root will lie at the same place below `/`. The modules
are what the program imports when it runs already. The file: 4 bytes of the length of the head, the head, the code. The
head is a pair of the modules and of the patterns that they compile.
"""

# ruff: noqa: E402
import sys

# There before any module can come out of a bundle.
BEFORE = frozenset(sys.modules)

import _sre  # type: ignore[import-not-found]
import importlib
import marshal
import re
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from typing import Any

# Asserts of ours stay. Those of others do not, nor do their docstrings: a tenth of what is read.
OURS = frozenset(("activator", "swell"))


def bundle(modules: list[str], roots: list[str]) -> bytes:
    """By name: where a module is, whether it is a package, where its code begins and its size, 0 of an extension."""
    for name in modules:
        importlib.import_module(name)
    index: dict[str, tuple[str, bool, int, int]] = {}
    codes, size = [], 0
    for name, module in sorted(sys.modules.items()):
        spec = getattr(module, "__spec__", None)  # not all that is there is a module
        if name in BEFORE or spec is None or not isinstance(spec.loader, (SourceFileLoader, ExtensionFileLoader)):
            continue
        path = spec.loader.path
        place = next((path.removeprefix(root) for root in roots if path.startswith(f"{root}/")), path)
        code = b""
        if isinstance(spec.loader, SourceFileLoader):
            optimize = 0 if name.partition(".")[0] in OURS else 2
            source = spec.loader.get_data(path)
            code = marshal.dumps(compile(source, place, "exec", dont_inherit=True, optimize=optimize))
        index[spec.name] = (place, spec.submodule_search_locations is not None, size, len(code))
        codes.append(code)
        size += len(code)
    head = marshal.dumps((index, patterns()))
    return b"".join((len(head).to_bytes(4, "little"), head, *codes))


def patterns() -> list[tuple[Any, int, tuple[Any, ...]]]:
    """What is in re's cache: pattern, flags, and what makes it, as arguments of `_sre.compile`."""
    asked = [(pattern, flags) for _, pattern, flags in re._cache]  # type: ignore[attr-defined]
    made: list[tuple[Any, ...]] = []
    real, _sre.compile = _sre.compile, lambda *how: made.append(how)
    for pattern, flags in asked:
        re._compiler.compile(pattern, flags)  # type: ignore[attr-defined]
    _sre.compile = real
    # Flags and code are of ints with names.
    return [
        (*key, (pattern, int(flags), list(map(int, code)), *others))
        for key, (pattern, flags, code, *others) in zip(asked, made, strict=True)
    ]


def main() -> None:
    """Write the file."""
    file, modules, *roots = sys.argv[1:]
    program, *others = modules.split(",")
    made = bundle([f"{program}.__main__", *others], roots)
    with open(file, "wb") as out:
        out.write(made)


if __name__ == "__main__":
    main()
