"""Put what a program imports into one file, for image/start.py: `bundle.py FILE PROGRAM[,MODULE...] ROOT...`.

Run by the Python that is to read it. Sources that lie below a root will lie at the same place below `/`. The modules
are what the program imports when it runs already. The file: 4 bytes of the index's length, the index, the code.
"""

# ruff: noqa: E402
import sys

# There before any module can come out of a bundle.
BEFORE = frozenset(sys.modules)

import importlib
import marshal
from importlib.machinery import ExtensionFileLoader, SourceFileLoader

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
    head = marshal.dumps(index)
    return b"".join((len(head).to_bytes(4, "little"), head, *codes))


def main() -> None:
    """Write the file."""
    file, modules, *roots = sys.argv[1:]
    program, *others = modules.split(",")
    made = bundle([f"{program}.__main__", *others], roots)
    with open(file, "wb") as out:
        out.write(made)


if __name__ == "__main__":
    main()
