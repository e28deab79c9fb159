"""`swell image`: the local images of a state."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from swell.local.images import Images


def add(state: Path, name: str, folder: Path | None, command: str | None) -> None:
    """Register a folder or a command under `name`, or change what the name stands for."""
    image = Images(state).add(name, folder=folder, command=command)
    print(f"image {image.name}: {image.describe()}")


def show(state: Path) -> None:
    """Print the images, one a line."""
    images = Images(state).list()
    if not images:
        print(f"no local images in {state}: register one with `swell image add NAME DIR`")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("NAME", no_wrap=True)
    table.add_column("RUNS")
    for image in images:
        table.add_row(image.name, image.describe())
    Console().print(table)


def remove(state: Path, name: str) -> None:
    """Forget the image; raises `SwellError` if there is none of that name."""
    Images(state).remove(name)
    print(f"image {name} removed")
