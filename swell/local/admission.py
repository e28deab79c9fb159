"""Admission in the embedded cluster: Serving objects by the ConfigMaps of now, and the ConfigMaps themselves.

Implements `Admit` of `swell.local.apiserver.writes`; on Kubernetes the controller's webhook does the same job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from swell.api.admission import Denied, admit
from swell.api.kinds import CONFIG_MAP
from swell.api.meta import Obj, key_of
from swell.api.settings import ApiSettings
from swell.config import admission, autoscaler, defaults, deployment, domain, features, gc, network
from swell.local.bootstrap import SYSTEM_NAMESPACE
from swell.runtime import log
from swell.runtime.errors import SettingsError

_log = log.get(__name__)

CONFIG_WEBHOOK: Final = 'admission webhook "config.webhook.serving.knative.dev" denied the request: '

Parse = Callable[[Mapping[str, str]], object]
PARSERS: Final[Mapping[str, Parse]] = {
    module.NAME: module.parse for module in (autoscaler, defaults, deployment, domain, features, gc, network)
}


class Admission:
    """Defaults and validates what is written. `update` tells it what the ConfigMaps hold."""

    def __init__(self, maps: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._maps: dict[str, Mapping[str, str]] = {}
        self.settings = ApiSettings()
        for name, data in (maps or {}).items():
            self.update(name, data)

    def __call__(self, obj: Obj, *, old: Obj | None, operation: str, user: str, subresource: str, dry_run: bool) -> Obj:
        """The object to store. Raises `Denied`; kinds that are nobody's business here pass as they are."""
        if obj.get("kind") == CONFIG_MAP.kind and obj.get("apiVersion") == CONFIG_MAP.api_version:
            check_config_map(obj)
            return obj
        return admit(obj, self.settings, old=old, operation=operation, user=user, subresource=subresource).obj

    def update(self, name: str, data: Mapping[str, str] | None) -> None:
        """Take the values of one ConfigMap; None: it is gone, stock values apply.

        A value that cannot be used leaves all settings as they were, and is logged.
        """
        maps = {key: value for key, value in self._maps.items() if key != name}
        if data is not None:
            maps[name] = data
        try:
            self.settings = admission.parse(maps)
        except SettingsError as exc:
            _log.warning("ConfigMap not usable: the settings before it stay", config_map=name, error=str(exc))
            return
        self._maps = maps

    def on_config_map(self, old: Obj | None, new: Obj | None) -> None:
        """As `update`, for an informer on ConfigMaps: any namespace, any map."""
        seen = new or old
        if seen is None or not is_config(seen):
            return
        self.update(seen["metadata"]["name"], None if new is None else new.get("data") or {})


def is_config(obj: Mapping[str, Any]) -> bool:
    """Whether this ConfigMap is one of Swell's own."""
    key = key_of(obj)
    return key.namespace == SYSTEM_NAMESPACE and key.name in PARSERS


def check_config_map(obj: Mapping[str, Any]) -> None:
    """Refuse a ConfigMap of ours with a value that cannot be used. Raises `Denied`: key, value, what is allowed."""
    if not is_config(obj):
        return
    try:
        PARSERS[obj["metadata"]["name"]](obj.get("data") or {})
    except SettingsError as exc:
        raise Denied(f"{CONFIG_WEBHOOK}validation failed: {exc}") from exc
