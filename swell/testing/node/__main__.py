"""A node from the command line, in the folder DIR:

python -m swell.testing.node up DIR                start one, and leave it running
python -m swell.testing.node load DIR TAR          have the images of a docker-archive on it
python -m swell.testing.node run DIR COMMAND...    run a command in its network, with its kubeconfig
python -m swell.testing.node down DIR              remove it
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from swell.runtime.errors import SwellError
from swell.testing.node import binaries
from swell.testing.node.node import Node, stop


def main(argv: list[str] | None = None) -> int:
    """Do what the words say; the exit code, 1 after an error that was printed."""
    options = _parser().parse_args(argv)
    try:
        return _do(options)
    except SwellError as error:
        print(f"node: {error}", file=sys.stderr)
        return 1


def _do(options: argparse.Namespace) -> int:
    match options.action:
        case "up":
            Node.start(options.folder)
        case "down":
            stop(options.folder)
        case "load":
            Node.at(options.folder).load(options.tar)
        case "run":
            _run(Node.at(options.folder), options.command)
    return 0


def _run(node: Node, command: list[str]) -> None:
    """Become the command."""
    binaries.provide_kubectl()
    os.environ["KUBECONFIG"] = str(node.kubeconfig)
    with node.enter():
        try:
            os.execvp(command[0], command)
        except OSError as exc:
            raise SwellError(f"{command[0]} cannot be run: {exc.strerror}") from exc


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m swell.testing.node")
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("up", "down", "load", "run"):
        action = actions.add_parser(name)
        action.add_argument("folder", type=Path, metavar="DIR")
        if name == "load":
            action.add_argument("tar", type=Path, metavar="TAR")
        if name == "run":
            action.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    return parser


if __name__ == "__main__":
    sys.exit(main())
