"""Local images: names for folders with a Procfile, and for commands. Knows files; runs nothing.

Each image is a small file in `images/` of the state, so that other processes see a change at once.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from swell.runtime.errors import SwellError

PROCFILE: Final = "Procfile"
PROCESS: Final = "web"
NAME_BYTES_MAX: Final = 200
# Outside of quotes, a line without any of these needs no shell; without operators it is a single command.
_SHELL_CHARACTERS: Final = frozenset("|&;<>()$`*?[]#~=!{}\n")
_SHELL_OPERATORS: Final = frozenset("|&;()`\n")
_IN_QUOTES: Final = frozenset("$`")
SHELL: Final = "/bin/sh"
# A shell that is waiting for a command takes a signal once the command has ended.
COMPOUND: Final = "trap 'exit 143' TERM; "
"""How a line of several commands begins: its whole process group is to be signalled."""


class ImageError(SwellError):
    """An image that cannot be registered or run as it is."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a name stands for: the `web:` line of the Procfile in `folder`, or `command`, which runs in `folder`."""

    name: str
    folder: str
    command: str = ""

    def describe(self) -> str:
        """For people: the folder, or the command."""
        return self.command or self.folder

    def line(self) -> str:
        """The command line, read anew from the Procfile each time; raises `ImageError`."""
        return self.command or _web_line(Path(self.folder), self.name)

    def argv(self) -> list[str]:
        """The command line as a program and its arguments; what needs a shell gets one. Raises `ImageError`."""
        return split_line(self.line(), self.name)


class Images:
    """The local images of one state."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "images"

    def add(self, name: str, *, folder: Path | None = None, command: str | None = None) -> Image:
        """Register a folder with a Procfile, or a command, under `name`; replaces what the name stood for.

        A command runs in the folder in which we are now. Raises `ImageError` for a name that cannot be one, and for
        a folder or command that cannot run.
        """
        _check_name(name)
        if (folder is None) == (command is None):
            raise ImageError(f"image {name!r} needs either a folder or --command, and not both")
        if folder is not None:
            image = Image(name, str(_usable_folder(folder, name)))
        else:
            image = Image(name, os.getcwd(), command=str(command).strip())
            if not image.command:
                raise ImageError(f"image {name!r}: --command is empty; give the command line that starts the app")
        image.argv()
        self._write(image)
        return image

    def list(self) -> list[Image]:
        """All images by name. Raises `ImageError` for a file that cannot be read."""
        found = (self._read(path) for path in self._folder.glob("*.json"))
        return sorted((image for image in found if image is not None), key=lambda image: image.name)

    def remove(self, name: str) -> None:
        """Forget the image; raises `ImageError` if there is none of exactly that name."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            names = ", ".join(image.name for image in self.list()) or "none"
            raise ImageError(f"no local image {name!r}; there are: {names}") from None

    def find(self, name: str) -> Image | None:
        """The image that a container's `image: name` means, or None.

        The exact name wins. Otherwise registry, tag and digest are left out: `dev.local/team/hello:1` finds `hello`.
        Raises `ImageError` if its file cannot be read.
        """
        return self._read(self._path(name)) or self._read(self._path(short_name(name)))

    def version(self) -> int:
        """A number that changes with every add and remove, in any process."""
        try:
            return self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')[:NAME_BYTES_MAX]}.json"

    def _read(self, path: Path) -> Image | None:
        """None if there is no such file; raises `ImageError` for one that cannot be read."""
        try:
            image = Image(**json.loads(path.read_bytes()))
            if not all(isinstance(part, str) for part in (image.name, image.folder, image.command)):
                raise TypeError("name, folder and command must be texts")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as exc:
            raise ImageError(
                f"{path} is no image's file ({exc}): delete it, or register the image anew with `swell image add`"
            ) from exc
        return image

    def _write(self, image: Image) -> None:
        """In one step, so that nobody reads half of it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(image.name)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        draft.write_text(json.dumps(asdict(image)) + "\n")
        draft.replace(path)


def short_name(name: str) -> str:
    """The last part of an image's name, without tag and digest."""
    return name.partition("@")[0].rpartition("/")[2].partition(":")[0]


def unknown_image(name: str) -> str:
    """What to tell someone whose image is not there."""
    short = short_name(name) or name
    return f'no local image "{name}": register it with `swell image add {short} DIR` (or --command)'


def split_line(line: str, name: str) -> list[str]:
    """A command line as a program and its arguments; raises `ImageError` naming the image.

    The app itself must be the process that is signalled and watched: a shell is used only where one is needed, and
    then it gives way to the app, unless the line has several commands.
    """
    special = _special(line)
    if not special:
        try:
            return shlex.split(line)
        except ValueError as exc:
            raise ImageError(f"image {name!r}: {line!r} is no command line: {exc}") from exc
    if special & _SHELL_OPERATORS or line.startswith("{"):
        return [SHELL, "-c", COMPOUND + line]
    prefix = "exec env" if "=" in line.split()[0] else "exec"
    return [SHELL, "-c", f"{prefix} {line}"]


def _special(line: str) -> set[str]:
    """The characters that mean something to a shell where they stand."""
    found, quote, escaped = set(), "", False
    for char in line:
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
            if char in _IN_QUOTES and quote == '"':
                found.add(char)
        elif char in "'\"":
            quote = char
        elif char in _SHELL_CHARACTERS:
            found.add(char)
    return found


def _check_name(name: str) -> None:
    allowed = name and name.isprintable() and not any(char.isspace() for char in name)
    if not allowed or len(quote(name, safe="")) > NAME_BYTES_MAX or not short_name(name):
        raise ImageError(f"{name!r} cannot be an image's name: use one such as hello, or dev.local/hello:1")


def _usable_folder(folder: Path, name: str) -> Path:
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise ImageError(f"image {name!r}: there is no folder {folder}")
    return folder


def _web_line(folder: Path, name: str) -> str:
    path = folder / PROCFILE
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise ImageError(
            f"image {name!r}: {folder} has no {PROCFILE}; make one with the line `{PROCESS}: COMMAND`, "
            f"or register the command itself with --command"
        ) from None
    except (OSError, UnicodeDecodeError) as exc:
        raise ImageError(f"image {name!r}: {path} cannot be read: {exc}") from exc
    for line in lines:
        process, colon, command = line.partition(":")
        if colon and process.strip() == PROCESS and command.strip():
            return command.strip()
    raise ImageError(f"image {name!r}: {path} has no line `{PROCESS}: COMMAND`")
