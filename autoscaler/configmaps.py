"""The cluster's settings that decisions go by, kept as the ConfigMaps of the system namespace have them.

A ConfigMap that cannot be used changes nothing: what it said before stays, and an Event on it says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from swell.api.meta import Obj
from swell.config import autoscaler, deployment, leader_election, network
from swell.kube.client import KubeClient
from swell.kube.events import Recorder
from swell.runtime import log
from swell.runtime.clock import Clock
from swell.runtime.errors import SettingsError

REFUSED: Final = "InvalidConfiguration"

logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Config:
    """All of it."""

    autoscaler: autoscaler.AutoscalerConfig = field(default_factory=autoscaler.AutoscalerConfig)
    deployment: deployment.DeploymentConfig = field(default_factory=deployment.DeploymentConfig)
    network: network.NetworkConfig = field(default_factory=network.NetworkConfig)
    leader_election: leader_election.LeaderElectionConfig = field(default_factory=leader_election.LeaderElectionConfig)

    @property
    def progress_deadline_s(self) -> float:
        return float(self.deployment.progress_deadline_s)


Readers = Mapping[str, tuple[str, Callable[[Mapping[str, str]], Any]]]

OF_DECISIONS: Final[Readers] = {
    autoscaler.NAME: ("autoscaler", autoscaler.parse),
    deployment.NAME: ("deployment", deployment.parse),
    network.NAME: ("network", network.parse),
}
OF_ELECTIONS: Final[Readers] = {leader_election.NAME: ("leader_election", leader_election.parse)}


class ConfigMaps:
    """Follows the ConfigMaps of `readers`; `on_change` is called when what is in use has changed."""

    def __init__(
        self, kube: KubeClient, clock: Clock, on_change: Callable[[], object], readers: Readers = OF_DECISIONS
    ) -> None:
        self.config = Config()
        self._readers = readers
        self._recorder = Recorder(kube, "autoscaler", clock)
        self._on_change = on_change
        self._telling: set[asyncio.Task[None]] = set()

    def seen(self, old: Obj | None, new: Obj | None) -> None:
        """A handler for an informer of the system namespace's ConfigMaps."""
        obj = new if new is not None else old
        assert obj is not None
        if obj["metadata"]["name"] not in self._readers:
            return
        part, parse = self._readers[obj["metadata"]["name"]]
        try:
            config = replace(self.config, **{part: parse((new or {}).get("data") or {})})
        except SettingsError as exc:
            self._refused(obj, exc)
            return
        if config != self.config:
            self.config = config
            self._on_change()

    async def close(self) -> None:
        """Give up on Events that are not written yet."""
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    def _refused(self, obj: Obj, exc: SettingsError) -> None:
        message = f"the settings stay as they were: {exc}"
        logger.error("a ConfigMap cannot be used, what it said before stays", error=str(exc))
        task = asyncio.create_task(self._recorder.event(obj, "Warning", REFUSED, message))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
