"""The autoscaler's port: activators report, and are asked, by websocket; probes and people are answered by HTTP.

Knows frames and paths, not revisions' numbers. Source: spec autoscaling 2.3.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from autoscaler.forwarding import Forwarder
from swell.api.buckets import BUCKETS_HEADER
from swell.api.meta import Key
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.tasks import gather_within
from swell.wire.errors import WireError
from swell.wire.history import HISTORY_HEADER, History
from swell.wire.loads import ANSWERS_HEADER, ANSWERS_LOADS, PodLoads, encode_question
from swell.wire.report import ProvenPod, decode_report
from swell.wire.stats import Stat

MESSAGE_BYTES_MAX: Final = 16 * 2**20
# An activator pings every 3 s; one that says nothing for this long is asked, and then dropped.
SILENCE_S: Final = 15.0
CLOSE_S: Final = 5.0
# Reports come every second: whoever tells no history, but has been connected this long, has told what is in use.
HEARD_S: Final = 2.0
# How long activators have to say what they have in flight. Pods that are to go can wait that long; new ones never do.
LOADS_S: Final = 2.0
_KUBELET: Final = "kube-probe/"

Reports = list[tuple[Key, Stat]]

logger = log.get(__name__)


class Elsewhere(KeyError):
    """Another autoscaler has that document; on the same host, it answers at `port`."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.port = port


class _Activator:
    """One connection: since when, whether its history is in, and the answers it owes by revision; `questions` None:
    it answers none. `forwarder`, if it reports here of other owners' revisions too.
    """

    __slots__ = ("forwarder", "questions", "since_s", "told")

    def __init__(self, since_s: float, answers: bool, forwarder: Forwarder | None) -> None:
        self.since_s = since_s
        self.forwarder = forwarder
        self.told = False
        self.questions: dict[Key, asyncio.Future[dict[str, int]]] | None = {} if answers else None


class Receiver:
    """Serves the port. `on_reports` gets each message as it comes in, in the event loop; `on_proven` the pods in it
    that have passed a probe; `on_history` what an activator has reported before, which it tells first of all.

    `answer(path, query)` is the JSON document that a GET of that path gets; `KeyError`: there is none, `Elsewhere`:
    another has it, `ValueError`: the query cannot be understood. `forwarder`: there are `buckets` owners, and it gets
    what activators tell that do not know of the others.
    """

    def __init__(
        self,
        clock: Clock,
        on_reports: Callable[[Reports], object],
        on_proven: Callable[[list[ProvenPod]], object],
        on_history: Callable[[History], object],
        answer: Callable[[str, Mapping[str, str]], Any],
        buckets: int = 1,
        forwarder: Forwarder | None = None,
    ) -> None:
        self._clock = clock
        self._on_reports = on_reports
        self._on_proven = on_proven
        self._on_history = on_history
        self._name = uuid.uuid4().hex
        self._answer = answer
        self._buckets = buckets
        self._forwarder = forwarder
        self._activators: dict[web.WebSocketResponse, _Activator] = {}
        self._runner: web.AppRunner | None = None
        self._closing = False
        self.port = 0
        self.undecodable = 0

    @property
    def connected(self) -> bool:
        """Whether any activator is there, to report and to take requests."""
        return bool(self._activators)

    @property
    def activators(self) -> int:
        """How many are there."""
        return len(self._activators)

    @property
    def hears(self) -> bool:
        """Whether silence about a revision means that nothing is asked of it."""
        heard_s = self._clock.now() - HEARD_S
        return any(activator.told or activator.since_s <= heard_s for activator in self._activators.values())

    async def loads(self, revision: Key) -> Counter[str]:
        """Requests in flight now by the name of the pod, over all activators that say so within `LOADS_S`."""
        asked = (
            self._ask(socket, activator.questions, revision)
            for socket, activator in self._activators.items()
            if activator.questions is not None
        )
        found: Counter[str] = Counter()
        for answer in await gather_within(self._clock, LOADS_S, asked):
            if isinstance(answer, BaseException):
                logger.warning("an activator does not say what is in flight", revision=revision, error=repr(answer))
            else:
                found.update(answer)
        return found

    async def start(self, host: str, port: int) -> None:
        """Listen; `port` 0 takes a free one. Raises OSError if it is taken."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Tell every activator to come back (close code 1012), and stop listening."""
        self._closing = True
        closing = [
            socket.close(code=WSCloseCode.SERVICE_RESTART, message=b"the autoscaler restarts")
            for socket in self._activators
        ]
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*closing, return_exceptions=True)
        except TimeoutError:
            logger.warning("activators did not answer the close", connections=len(self._activators))
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """A websocket on any path; for all else see the class."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._take_reports(request)
        if request.headers.get("User-Agent", "").startswith(_KUBELET) or request.path == "/healthz":
            return web.Response(text="ok\n")
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="this port is read with GET\n", headers={"Allow": "GET, HEAD"})
        try:
            return _document(self._answer(request.path, request.query))
        except ValueError as exc:
            return web.Response(status=400, text=f"{exc}\n")
        except Elsewhere as exc:
            raise web.HTTPTemporaryRedirect(request.url.with_port(exc.port)) from exc
        except KeyError:
            told = f"there is no {request.path} here; there are /decisions and /why/NAMESPACE/REVISION\n"
            return web.Response(status=404, text=told)

    async def _take_reports(self, request: web.Request) -> web.StreamResponse:
        if self._closing:
            return web.Response(status=503, text="the autoscaler is shutting down\n")
        socket = web.WebSocketResponse(heartbeat=SILENCE_S, max_msg_size=MESSAGE_BYTES_MAX, compress=False)
        socket.headers[HISTORY_HEADER] = self._name
        socket.headers[BUCKETS_HEADER] = str(self._buckets)
        await socket.prepare(request)
        answers = request.headers.get(ANSWERS_HEADER) == ANSWERS_LOADS
        forwarder = self._forwarder if BUCKETS_HEADER not in request.headers else None
        activator = self._activators[socket] = _Activator(self._clock.now(), answers, forwarder)
        if forwarder is not None:
            forwarder.join()
        logger.info("an activator connected", peer=request.remote, connections=len(self._activators))
        try:
            async for frame in socket:
                if frame.type is WSMsgType.BINARY:
                    self._take(frame.data, activator, request.remote)
        finally:
            if forwarder is not None:
                forwarder.leave()
            del self._activators[socket]
            logger.info("an activator left", peer=request.remote, connections=len(self._activators))
        return socket

    async def _ask(
        self, socket: web.WebSocketResponse, questions: dict[Key, asyncio.Future[dict[str, int]]], revision: Key
    ) -> dict[str, int]:
        answer: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        questions[revision] = answer
        try:
            await socket.send_bytes(encode_question(*revision))
            return await answer
        finally:
            if questions.get(revision) is answer:
                del questions[revision]

    def _take(self, data: bytes, activator: _Activator, peer: str | None) -> None:
        try:
            report = decode_report(data)
        except WireError as exc:
            self.undecodable += 1
            logger.warning("a report cannot be read", peer=peer, bytes=len(data), error=str(exc))
            return
        forwarder = activator.forwarder
        for history in report.history:
            activator.told = True
            self._on_history(history)
        if report.messages:
            reports = [(Key(namespace, name), stat) for namespace, name, stat in report.messages]
            self._on_reports(reports if forwarder is None else forwarder.split(reports))
        if report.proven:
            self._on_proven(report.proven)
            if forwarder is not None:
                forwarder.proven(report.proven)
        for loads in report.loads:
            _answer(activator, loads)


def _answer(activator: _Activator, loads: PodLoads) -> None:
    """Give an answer to who waits for it; one that comes too late is for nobody."""
    asked = (activator.questions or {}).get(Key(loads.namespace, loads.revision))
    if asked is not None and not asked.done():
        asked.set_result(loads.pods)


def _document(found: Any) -> web.Response:
    return web.Response(text=json.dumps(found), content_type="application/json")
