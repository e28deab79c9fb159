"""What all benchmarks have in common: their command line, and how they print their figures."""

from __future__ import annotations

import argparse
import json

from rich.console import Console
from rich.table import Table


def parser_of(name: str, description: str | None) -> argparse.ArgumentParser:
    """The command line of `python -m bench.NAME`, to which it adds its own; the description is shown as written."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one flat JSON object")
    return parser


def report(figures: dict[str, float], *, as_json: bool) -> None:
    """Print the figures as a table, or as one flat JSON object."""
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, f"{value:g}")
    Console().print(table)
