"""The front door's decisions over exchanges that only record what is done with them; virtual time."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from activator.activator import Activator, Health
from activator.admission.throttler import Address
from activator.backends import Backends
from activator.gateway import Gateway, Target
from activator.reporting.report import Reporter
from activator.requestlog.live import LiveLog
from activator.revision import read_revision
from activator.settings import Settings
from swell.testing.clock import ManualClock
from swell.wire.report import decode_report

Obj = dict[str, Any]
HELLO: Final = Target("default", "hello-00001")
HOST: Final = "hello.default.localhost"


class Exchange:
    """One request: `went` lists the addresses it was sent to, `status` and `body` are its answer."""

    def __init__(
        self,
        world: World,
        host: str = HOST,
        headers: dict[str, str] | None = None,
        *,
        method: bytes = b"GET",
        target: bytes = b"/",
        body_bytes: int = 0,
    ) -> None:
        self.world = world
        self.host = host
        self.method, self.target = method, target
        self.headers = [(k.encode(), v.encode()) for k, v in (headers or {}).items()]
        self.named = {name.lower(): value for name, value in self.headers}
        self.disbelieved: frozenset[bytes] = frozenset()
        self.fields = SimpleNamespace(memo=None)
        self.head_fields: Callable[[], tuple[tuple[bytes, bytes], ...]] | None = None
        self.body_bytes = body_bytes
        self.started_s = world.clock.now()
        self.tag: Any = None
        self.status = 0
        self.gone = False
        self.hung_up = False
        self.informed = False
        self.has_body = body_bytes > 0
        self.head_bytes = 100
        self.body = b""
        self.answer_headers: dict[bytes, bytes] = {}
        self.went: list[Address] = []
        self.options: dict[str, Any] = {}
        self.ended = 0
        self.aborted_at: float | None = None

    def limit_body(self, bytes_max: int) -> bool:
        return self.body_bytes > bytes_max

    def forward(self, address: Address, **options: Any) -> None:
        self.went.append(address)
        self.options = options
        if address in self.world.refusing:
            self.world.refused.append(self)

    def reply(self, status: int, body: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.status, self.body, self.answer_headers = status, body, dict(headers)
        self._end()

    def abort(self) -> None:
        self.aborted_at = self.world.clock.now()
        self._end()

    def finish(self, status: int = 200) -> None:
        """The pod answers."""
        self.status = status
        self._end()

    def cut_off(self) -> None:
        """The pod closes the connection instead."""
        self.hung_up = True
        self.finish(502)

    def hang_up(self) -> None:
        """The caller leaves."""
        self.gone = True
        self._end()

    def _end(self) -> None:
        self.ended += 1
        self.world.activator.on_done(self)  # type: ignore[arg-type]


class World:
    """An activator with routes, revisions and pods put in by hand."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.refusing: set[Address] = set()
        self.refused: list[Exchange] = []
        self.probes: list[tuple[Address, Callable[[bool], None]]] = []
        self.sent: list[tuple[str, float, float]] = []
        self.gateway = Gateway()
        self.pods: dict[str, Obj] = {}
        self.settings = Settings(**settings)
        self.health = Health()
        self.health.serving, self.health.looking = True, False
        self.reporter = Reporter("activator", self.clock, self._report, lambda: "")
        self.backends = Backends(
            self.clock,
            lambda address, done: self.probes.append((address, done)),
            lambda revision: self.activator.pods_changed(revision),
            lambda facts: None,
            lambda address: None,
            probe_first_s=0.05,
            probe_last_s=0.2,
        )
        self.activator = Activator(
            self.settings, self.clock, self.gateway, self.backends, self.reporter, self.health, LiveLog()
        )

    def _report(self, message: bytes) -> None:
        for _, name, stat in decode_report(message).messages:
            self.sent.append((name, stat.average_concurrent_requests, stat.request_count))

    def route(self, name: str = "hello", **percents: int) -> None:
        traffic = [
            {"revisionName": revision.replace("_", "-"), "percent": percent}
            for revision, percent in (percents or {f"{name}_00001": 100}).items()
        ]
        self.gateway.set_route(
            {
                "metadata": {"name": name, "namespace": "default"},
                "status": {"url": f"http://{name}.default.localhost", "traffic": traffic},
            }
        )

    def revision(
        self, name: str = HELLO.name, *, failed: str = "", annotations: dict[str, str] | None = None, **spec: Any
    ) -> None:
        conditions = [{"type": "Ready", "status": "False", "reason": failed}] if failed else []
        obj = {"metadata": {"annotations": annotations}, "spec": spec, "status": {"conditions": conditions}}
        self.activator.revision_changed(Target("default", name), read_revision(obj))

    def pod(self, number: int = 1, *, revision: str = HELLO.name, ready: bool = True, **status: Any) -> None:
        uid = f"{revision}-{number}"
        new = {
            "metadata": {
                "name": f"pod-{number}",
                "namespace": "default",
                "uid": uid,
                "labels": {"serving.knative.dev/revision": revision},
            },
            "status": {
                "podIP": f"10.0.0.{number}",
                "conditions": [{"type": "Ready", "status": str(ready)}],
                **status,
            },
        }
        self.backends.pod_changed(self.pods.get(uid), new)
        self.pods[uid] = new

    def no_pod(self, number: int = 1, revision: str = HELLO.name) -> None:
        self.backends.pod_changed(self.pods.pop(f"{revision}-{number}"), None)

    def request(self, host: str = HOST, **headers: str) -> Exchange:
        return self.ask(Exchange(self, host, {key.replace("_", "-"): value for key, value in headers.items()}))

    def ask(self, exchange: Exchange) -> Exchange:
        self.activator.on_request(exchange)  # type: ignore[arg-type]
        self.settle()
        return exchange

    def settle(self) -> None:
        """Tell the activator of the connections that were refused, as the proxy would a little later."""
        while self.refused:
            exchange = self.refused.pop(0)
            self.activator.on_unsent(exchange, "connection refused")  # type: ignore[arg-type]

    def pass_probes(self) -> None:
        probes, self.probes = self.probes, []
        for _, done in probes:
            done(True)

    def in_flight(self) -> int:
        return sum(len(lane.deadlines) for lane in self.activator.lanes.values())


def ready_world(container_concurrency: int = 0, pods: int = 1, **settings: Any) -> World:
    world = World(**settings)
    world.route()
    world.revision(containerConcurrency=container_concurrency)
    for number in range(1, pods + 1):
        world.pod(number)
    return world


def ip(number: int) -> Address:
    return (f"10.0.0.{number}", 8012)
