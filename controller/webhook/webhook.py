"""The webhook as every controller pod runs it: identity out of the Secret, caBundles kept right, then it serves.

Two reconcilers, whoever leads: what they write is the same in every pod, and a pod that cannot write reads.
"""

from __future__ import annotations

import asyncio
from typing import Final

from controller.settings import Settings
from controller.webhook import decisions
from controller.webhook.certificates import Identity, next_look_s, renewed
from controller.webhook.secret import NAME, bundle, identity_of, secret_of, serving_pem
from controller.webhook.server import Server
from controller.webhook.trust import CONFIGURATIONS, correction
from swell.api.kinds import SECRET
from swell.api.meta import Key, Obj, key_of
from swell.config.admission import LiveSettings
from swell.kube.client import KubeClient
from swell.kube.controller import Controller
from swell.kube.informer import Informer
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.tasks import Daemons

SERVICE: Final = "webhook"
DRAIN_S: Final = 3.0
"""How long it answers after the end of its pod was decided: until no API server is sent there any more."""

logger = log.get(__name__)


def dns_names(settings: Settings) -> tuple[str, ...]:
    """What API servers call the webhook."""
    name = f"{SERVICE}.{settings.system_namespace}"
    return (f"{name}.svc", f"{name}.svc.{settings.cluster_domain}", name)


class Webhook:
    """Admission as `settings` and the ConfigMaps want it; `close` it in the end."""

    def __init__(self, kube: KubeClient, settings: Settings, live: LiveSettings, clock: Clock) -> None:
        self._kube = kube
        self._settings = settings
        self._clock = clock
        self._identity: Identity | None = None
        self._has_identity = asyncio.Event()
        self._secret = self._informer(NAME, namespace=settings.system_namespace)
        self._configurations = {name: self._informer(name) for name in CONFIGURATIONS}
        self._certificates = Controller("webhook certificates", self._reconcile_identity, clock=clock, workers=1)
        self._trust = Controller("webhook trust", self._reconcile_trust, clock=clock, workers=1)
        self.server = Server(
            {
                "/defaulting": lambda review: decisions.defaulting(review, live.now),
                "/validation": lambda review: decisions.validation(review, live.now),
                "/config-validation": lambda review: decisions.config_validation(review, live.system_namespace),
            }
        )

    async def start(self, daemons: Daemons) -> None:
        """Returns once it serves, however long the Secret cannot be had. Raises `CannotListen`."""
        self._secret.add_handler(lambda old, new: self._certificates.enqueue(self._secret_key))
        for informer in self._configurations.values():
            informer.add_handler(lambda old, new: None if new is None else self._trust.enqueue(key_of(new)))
        await self._secret.start()
        self._certificates.enqueue(self._secret_key)
        daemons.spawn(self._certificates.run(), self._certificates.name)
        daemons.spawn(self._keep_trust(), self._trust.name)
        await self._has_identity.wait()
        await self.server.start(None, self._settings.webhook_port)
        logger.info("the webhook serves", port=self.server.port)

    async def _keep_trust(self) -> None:
        """Beside the serving, which others may have made possible before."""
        await asyncio.gather(*(informer.start() for informer in self._configurations.values()))
        await self._trust.run()

    async def close(self) -> None:
        """Answer for a little longer, then stop. What `start` spawned must have ended."""
        if self._has_identity.is_set():
            self.server.drain()
            await self._clock.sleep(DRAIN_S)
        await self.server.close()
        await asyncio.gather(*(each.close() for each in (self._secret, *self._configurations.values())))

    async def _reconcile_identity(self, key: Key) -> float:
        """Serve with what the Secret holds; make or renew that when it is due."""
        live = self._secret.get(*key)
        now_s = self._clock.wall()
        seen = identity_of(live)
        wanted = renewed(seen, dns_names(self._settings), now_s)
        if wanted is not seen:
            # Of several controllers that do so at once one succeeds; the others are called again and find it.
            await self._write(secret_of(wanted, key.namespace, live), live)
            logger.info("the webhook has a new certificate", until=str(wanted.serving.certificate.not_valid_after_utc))
        self._serve_with(wanted)
        return next_look_s(wanted, now_s)

    async def _write(self, secret: Obj, live: Obj | None) -> None:
        await (self._kube.create if live is None else self._kube.update)(SECRET, secret)

    def _serve_with(self, identity: Identity) -> None:
        self._identity = identity
        self.server.serve_with(serving_pem(identity))
        self._has_identity.set()
        for name in CONFIGURATIONS:
            self._trust.enqueue(Key("", name))

    async def _reconcile_trust(self, key: Key) -> None:
        """Have the API server trust who signed what is served."""
        configuration = self._configurations[key.name].get(*key)
        if configuration is None or self._identity is None:
            return
        if not correction(configuration, bundle(self._identity)):
            return
        # Another controller may know better already: ask, or the two would overwrite each other.
        identity = identity_of(await self._kube.get(SECRET, *self._secret_key))
        patch = correction(configuration, bundle(identity)) if identity is not None else []
        if patch:
            await self._kube.patch(CONFIGURATIONS[key.name], None, key.name, patch, patch_type="json")
            logger.info("a webhook configuration trusts the webhook", configuration=key.name)

    @property
    def _secret_key(self) -> Key:
        return Key(self._settings.system_namespace, NAME)

    def _informer(self, name: str, namespace: str | None = None) -> Informer:
        """Of that one object: so its rights need cover no other."""
        kind = CONFIGURATIONS.get(name, SECRET)
        selector = f"metadata.name={name}"
        return Informer(self._kube, kind, namespace=namespace, field_selector=selector, clock=self._clock)
