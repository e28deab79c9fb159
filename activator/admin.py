"""The admin port of a front door: health, metrics, state, and announcements of pods.

GET /livez (the process turns its loop), GET /healthz and /readyz (it should get traffic), GET /metrics,
GET /state, POST /announce.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from activator.answers import JSON
from swell.runtime.adminport import AdminPort, Answer
from swell.runtime.vitals import METRICS
from swell.wire import announce
from swell.wire.errors import WireError

if TYPE_CHECKING:
    from swell.wire.announce import Announcement


class Admin(AdminPort):
    """What the admin port answers. The callables are asked at each request."""

    def __init__(
        self,
        *,
        unready: Callable[[], str],
        announced: Callable[[Announcement], bool],
        state: Callable[[], dict[str, Any]],
        metrics: Callable[[], bytes],
    ) -> None:
        super().__init__(self.answer)
        self._unready = unready
        self._announced = announced
        self._state = state
        self._metrics = metrics

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The answer to one request."""
        match (method, path):
            case ("GET" | "HEAD", "/livez"):
                return Answer(200, b"ok\n")
            case ("GET" | "HEAD", "/healthz" | "/readyz"):
                unready = self._unready()
                return Answer(500, unready.encode() + b"\n") if unready else Answer(200)
            case ("GET", "/metrics"):
                return Answer(200, self._metrics(), METRICS)
            case ("GET", "/state"):
                return Answer(200, json.dumps(self._state(), indent=1).encode() + b"\n", JSON)
            case ("POST", announce.PATH):
                return self._announce(body)
        return Answer(404, f"no {method} {path} here\n".encode())

    def _announce(self, body: bytes) -> Answer:
        try:
            announcement = announce.decode(body)
        except WireError as error:
            return Answer(400, f"{error}\n".encode())
        if self._announced(announcement):
            return Answer(202)
        text = f"pod {announcement.uid} has another address than {announcement.address}\n"
        return Answer(409, text.encode())
