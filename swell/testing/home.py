"""A cluster as the end-to-end tests see it: a gateway to call and an API to write to, wherever it runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from swell.api.kinds import DEPLOYMENT, EVENT, POD, POD_AUTOSCALER, REVISION, SERVICE, Kind
from swell.api.meta import condition_of, is_ready
from swell.kube.errors import AlreadyExists, NotFound
from swell.kube.rest import RestClient
from swell.local import images as local
from swell.local.launch import RunningCluster

Obj = dict[str, Any]
WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: status, headers with lower-case names, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Images(Protocol):
    """The images of a home. `complaint` is in what its pods say of an image that is not there."""

    @property
    def app(self) -> str:
        """tests/e2e/app.py"""
        ...

    @property
    def hello(self) -> str:
        """samples/hello"""
        ...

    @property
    def grpc(self) -> tuple[str, ...]:
        """The command that runs tests/e2e/grpc_app.py, in place of the e2e app's own."""
        ...

    @property
    def complaint(self) -> str: ...

    def named(self, name: str) -> str:
        """What manifests call an image of that name; it need not exist."""
        ...

    def provide(self, image: str) -> None:
        """Make the e2e app available under that name too."""
        ...


@dataclass(frozen=True, slots=True)
class LocalImages:
    """Those of an embedded cluster with this state; `script` is the e2e app, which our own interpreter runs."""

    state: Path
    script: Path | None = None
    app: str = "e2e-app"
    hello: str = "hello"
    complaint: str = "swell image add"

    @property
    def grpc(self) -> tuple[str, ...]:
        assert self.script is not None, "this home has no e2e app"
        return (sys.executable, str(self.script.with_name("grpc_app.py")))

    def named(self, name: str) -> str:
        return name

    def provide(self, image: str) -> None:
        assert self.script is not None, "this home has no e2e app"
        local.Images(self.state).add(image, command=f"{sys.executable} {self.script}")


@dataclass(frozen=True, slots=True)
class Home:
    """Where the tests run. `gateway` is "IP:PORT"; `domain` is what follows NAME.NAMESPACE.

    `caller` is the address that an app sees of a test that calls it.
    """

    gateway: str
    domain: str
    kubeconfig: Path
    images: Images
    namespace: str = "default"
    caller: str = "127.0.0.1"

    def host(self, name: str) -> str:
        return f"{name}.{self.namespace}.{self.domain}"

    def url(self, path: str = "/") -> str:
        return f"http://{self.gateway}{path}"

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run the real kubectl; returns stdout. With `check=False` stdout and stderr together."""
        done = subprocess.run(
            ["kubectl", *arguments],
            input=stdin,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if check else subprocess.STDOUT,
            text=True,
            timeout=WAIT_S + 30,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Objects]:
        kube = await RestClient.from_kubeconfig(str(self.kubeconfig))
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                yield Objects(self, kube, session)
        finally:
            await kube.close()


def embedded(cluster: RunningCluster, script: Path | None = None) -> Home:
    """The home that a `swell up` is; the e2e app is registered if its `script` is given."""
    config = cluster.config
    images = LocalImages(Path(config.state), script)
    if script is not None:
        images.provide(images.app)
    return Home(f"127.0.0.1:{config.gateway_port}", f"localhost:{config.gateway_port}", config.kubeconfig, images)


def have_kubectl() -> bool:
    return shutil.which("kubectl") is not None


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:6]}"


@dataclass(slots=True)
class Objects:
    """Objects and requests of one test; the Services it made are deleted at the end."""

    home: Home
    kube: RestClient
    session: aiohttp.ClientSession
    made: list[str] = field(default_factory=list)

    def service(
        self,
        name: str,
        *,
        env: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        image: str | None = None,
        command: Sequence[str] = (),
        **spec: Any,
    ) -> Obj:
        """A Service manifest. `command` runs instead of what the image starts; `spec`: fields of the revision."""
        container: Obj = {
            "image": image or self.home.images.app,
            "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
        }
        if command:
            container["command"] = [*command]
        template: Obj = {"spec": {"containers": [container], **spec}}
        if annotations:
            template["metadata"] = {
                "annotations": {f"autoscaling.knative.dev/{key}": value for key, value in annotations.items()}
            }
        return {
            "apiVersion": SERVICE.api_version,
            "kind": SERVICE.kind,
            "metadata": {"name": name, "namespace": self.home.namespace},
            "spec": {"template": template},
        }

    async def apply(self, service: Obj) -> Obj:
        """Create the Service, or replace its spec."""
        name = service["metadata"]["name"]
        try:
            self.made.append(name)
            return await self.kube.create(SERVICE, service)
        except AlreadyExists:
            return await self.kube.patch(
                SERVICE, self.home.namespace, name, {"spec": service["spec"]}, patch_type="merge"
            )

    async def until(self, kind: Kind, name: str, seen: Callable[[Obj], bool], *, timeout_s: float = WAIT_S) -> Obj:
        """The object once `seen` says so; the last state is in the error if it never does."""
        last: Obj = {}
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    listed = await self.kube.list(kind, self.home.namespace, field_selector=f"metadata.name={name}")
                    for obj in listed.items:
                        last = obj
                        if seen(obj):
                            return obj
                    async for event in self.kube.watch(
                        kind,
                        self.home.namespace,
                        resource_version=listed.resource_version,
                        field_selector=f"metadata.name={name}",
                    ):
                        if event.type == "BOOKMARK":
                            continue
                        last = event.object
                        if seen(last):
                            return last
        except TimeoutError:
            raise AssertionError(f"{kind} {name} never came to it:\n{json.dumps(last, indent=1)}") from None

    async def ready(self, name: str, *, timeout_s: float = WAIT_S) -> Obj:
        """The Service once it is Ready at its current generation; the error tells what it waits for."""
        try:
            return await self.until(SERVICE, name, is_ready, timeout_s=timeout_s)
        except AssertionError as never:
            raise AssertionError(f"{never}\n{await self._below(name)}") from None

    async def deploy(self, service: Obj) -> Obj:
        """Apply and wait until Ready."""
        await self.apply(service)
        return await self.ready(service["metadata"]["name"])

    async def pods(self, service: str) -> list[Obj]:
        """The pods of a Service that are not on their way out."""
        listed = await self.kube.list(POD, self.home.namespace, label_selector=f"serving.knative.dev/service={service}")
        return [pod for pod in listed.items if "deletionTimestamp" not in pod["metadata"]]

    async def until_pods(
        self, service: str, enough: Callable[[list[Obj]], bool], *, timeout_s: float = WAIT_S
    ) -> list[Obj]:
        """All pods of a Service (those going too) once `enough` says so."""
        return await self.until_selected(f"serving.knative.dev/service={service}", enough, timeout_s=timeout_s)

    async def until_selected(
        self, selector: str, enough: Callable[[list[Obj]], bool], *, timeout_s: float = WAIT_S
    ) -> list[Obj]:
        """All pods with these labels (those going too) once `enough` says so."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    listed = await self.kube.list(POD, self.home.namespace, label_selector=selector)
                    pods = {pod["metadata"]["uid"]: pod for pod in listed.items}
                    if enough(list(pods.values())):
                        return list(pods.values())
                    async for event in self.kube.watch(
                        POD,
                        self.home.namespace,
                        resource_version=listed.resource_version,
                        label_selector=selector,
                    ):
                        if event.type == "BOOKMARK":
                            continue
                        if event.type == "DELETED":
                            pods.pop(event.object["metadata"]["uid"], None)
                        else:
                            pods[event.object["metadata"]["uid"]] = event.object
                        if enough(list(pods.values())):
                            return list(pods.values())
        except TimeoutError:
            raise AssertionError(
                f"the pods with {selector} never came to it: {[_brief(p) for p in pods.values()]}"
            ) from None

    async def gone(self, service: str, *, timeout_s: float = WAIT_S) -> None:
        """Returns once the Service has no pod left, not even one going."""
        await self.until_pods(service, lambda pods: not pods, timeout_s=timeout_s)

    async def get(self, name: str, path: str = "/", **options: Any) -> Answer:
        """GET through the gateway from the Service (or tag, as TAG-NAME)."""
        return await self.request("GET", name, path, **options)

    async def until_answer(self, name: str, seen: Callable[[Answer], bool], *, timeout_s: float = 10.0) -> Answer:
        """GET until `seen` says so. Front doors follow a Route's status: Ready is written before they have read it."""
        answer: Answer | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    answer = await self.get(name)
                    if seen(answer):
                        return answer
        except TimeoutError:
            raise AssertionError(f"{name} never answered so; last: {answer}") from None

    async def request(self, method: str, name: str, path: str = "/", **options: Any) -> Answer:
        headers = {**options.pop("headers", {}), "Host": options.pop("host", self.home.host(name))}
        async with self.session.request(method, self.home.url(path), headers=headers, **options) as answer:
            body = await answer.read()
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, body)

    async def _below(self, service: str) -> str:
        """A line for each object of a Service, with what its status says, and for each event of theirs."""
        lines = []
        for kind in (REVISION, POD_AUTOSCALER, DEPLOYMENT, POD):
            listed = await self.kube.list(
                kind, self.home.namespace, label_selector=f"serving.knative.dev/service={service}"
            )
            lines += [f"{kind.kind} {obj['metadata']['name']}: {json.dumps(obj.get('status'))}" for obj in listed.items]
        for event in (await self.kube.list(EVENT, self.home.namespace)).items:
            if event["involvedObject"]["name"].startswith(service):
                lines.append(f"{event.get('lastTimestamp')} {event['involvedObject']['name']}: {event['message']}")
        return "\n".join(lines)

    async def clean(self) -> None:
        for name in self.made:
            try:
                await self.kube.delete(SERVICE, self.home.namespace, name)
            except NotFound:
                continue

    async def revisions(self, service: str) -> list[Obj]:
        listed = await self.kube.list(
            REVISION, self.home.namespace, label_selector=f"serving.knative.dev/service={service}"
        )
        return sorted(listed.items, key=lambda obj: str(obj["metadata"]["name"]))

    async def deployments(self, service: str) -> list[Obj]:
        listed = await self.kube.list(
            DEPLOYMENT, self.home.namespace, label_selector=f"serving.knative.dev/service={service}"
        )
        return listed.items


def pod_is_ready(pod: Obj) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and condition_of(pod).get("status") == "True"


def _brief(pod: Obj) -> str:
    status = pod.get("status", {})
    return f"{pod['metadata']['name']} {status.get('phase')} {condition_of(pod).get('status')}"
