"""Admission in the embedded cluster: Serving objects by the ConfigMaps of now, and the ConfigMaps themselves.

Implements `Admit` of `swell.local.apiserver.writes`; on Kubernetes the controller's webhook does the same job, and
the API server names the webhook in front of a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from swell.api.admission import Denied, admit
from swell.api.kinds import CONFIG_MAP
from swell.api.meta import Obj
from swell.api.settings import ApiSettings
from swell.config.admission import LiveSettings, check_config_map
from swell.local.bootstrap import SYSTEM_NAMESPACE

CONFIG_WEBHOOK: Final = "config.webhook.serving.knative.dev"
SERVING_WEBHOOK: Final = "validation.webhook.serving.knative.dev"


class Admission:
    """Defaults and validates what is written. `update` tells it what the ConfigMaps hold."""

    def __init__(self, maps: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._live = LiveSettings(SYSTEM_NAMESPACE, maps)
        self.update = self._live.update
        self.on_config_map = self._live.on_config_map

    @property
    def settings(self) -> ApiSettings:
        return self._live.now

    def __call__(
        self,
        obj: Obj,
        *,
        old: Obj | None,
        operation: str,
        user: str,
        subresource: str,
        warn: Callable[[str], None],
    ) -> Obj:
        """The object to store. Raises `Denied`; kinds that are nobody's business here pass as they are."""
        webhook = CONFIG_WEBHOOK if obj.get("kind") == CONFIG_MAP.kind else SERVING_WEBHOOK
        try:
            check_config_map(obj, SYSTEM_NAMESPACE)
            admitted = admit(obj, self.settings, old=old, operation=operation, user=user, subresource=subresource)
        except Denied as exc:
            raise Denied(f'admission webhook "{webhook}" denied the request: {exc}') from exc
        for text in admitted.warnings:
            warn(text)
        return admitted.obj
