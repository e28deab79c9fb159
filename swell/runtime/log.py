"""Logs: a constant message plus fields. A thin layer over `logging`."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Final, TextIO

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Logger:
    """Logs messages of one module; fields are given by keyword."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            self._logger.debug(message, extra={"fields": fields})

    def info(self, message: str, **fields: Any) -> None:
        self._logger.info(message, extra={"fields": fields})

    def warning(self, message: str, **fields: Any) -> None:
        self._logger.warning(message, extra={"fields": fields})

    def error(self, message: str, **fields: Any) -> None:
        self._logger.error(message, extra={"fields": fields})

    def exception(self, message: str, **fields: Any) -> None:
        """As `error`, with the traceback of the exception being handled."""
        self._logger.exception(message, extra={"fields": fields})


def get(name: str) -> Logger:
    """The logger of a module: `log.get(__name__)`."""
    return Logger(name)


def setup(program: str, level: str = "info", *, json: bool = False, stream: TextIO | None = None) -> None:
    """Send the logs of this process to `stream` (stderr), a line each; as JSON objects if asked."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json(program) if json else _Plain(program))
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)


class _Plain(logging.Formatter):
    def __init__(self, program: str) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        text = super().format(record)
        if not fields:
            return text
        first, newline, rest = text.partition("\n")
        return " ".join([first, *(f"{key}={value}" for key, value in fields.items())]) + newline + rest


class _Json(logging.Formatter):
    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "severity": record.levelname,
            "program": self._program,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)
