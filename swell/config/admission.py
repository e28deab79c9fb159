"""Admission by ConfigMaps: the settings that they hold for it, and whether what they hold can be used.

Knows ConfigMaps as objects, not how they are read or who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from swell.api.admission import Denied
from swell.api.kinds import CONFIG_MAP
from swell.api.meta import Obj
from swell.api.settings import ApiSettings
from swell.config import autoscaler, defaults, deployment, domain, features, gc, leader_election, network, observability
from swell.runtime import log
from swell.runtime.errors import SettingsError

_log = log.get(__name__)

Parse = Callable[[Mapping[str, str]], object]
PARSERS: Final[Mapping[str, Parse]] = {
    module.NAME: module.parse
    for module in (autoscaler, defaults, deployment, domain, features, gc, leader_election, network, observability)
}


def parse(maps: Mapping[str, Mapping[str, str]]) -> ApiSettings:
    """From the data of ConfigMaps by name; absent maps give stock values. Raises `SettingsError`."""
    return ApiSettings(
        defaults=defaults.parse(maps.get(defaults.NAME, {})),
        autoscaler=autoscaler.parse(maps.get(autoscaler.NAME, {})).limits,
        features=features.parse(maps.get(features.NAME, {})),
    )


class LiveSettings:
    """The settings of admission as the ConfigMaps of the system namespace have them. `update` tells it of those."""

    def __init__(self, system_namespace: str, maps: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.system_namespace = system_namespace
        self.now = ApiSettings()
        self._maps: dict[str, Mapping[str, str]] = {}
        for name, data in (maps or {}).items():
            self.update(name, data)

    def update(self, name: str, data: Mapping[str, str] | None) -> None:
        """Take the values of one ConfigMap; None: it is gone, stock values apply.

        A value that cannot be used leaves all settings as they were, and is logged.
        """
        maps = {key: value for key, value in self._maps.items() if key != name}
        if data is not None:
            maps[name] = data
        try:
            self.now = parse(maps)
        except SettingsError as exc:
            _log.warning("ConfigMap not usable: the settings before it stay", config_map=name, error=str(exc))
            return
        self._maps = maps

    def on_config_map(self, old: Obj | None, new: Obj | None) -> None:
        """As `update`, for an informer on ConfigMaps: any namespace, any map."""
        seen = new or old
        if seen is None or not is_config(seen, self.system_namespace):
            return
        self.update(seen["metadata"]["name"], None if new is None else new.get("data") or {})


def is_config(obj: Mapping[str, Any], system_namespace: str) -> bool:
    """Whether this ConfigMap is one of Swell's own."""
    meta = obj["metadata"]
    return meta.get("namespace") == system_namespace and meta.get("name") in PARSERS


def check_config_map(obj: Mapping[str, Any], system_namespace: str) -> None:
    """Refuse a ConfigMap of ours with a value that cannot be used. Raises `Denied`: key, value, what is allowed.

    What is no ConfigMap of ours is nobody's business.
    """
    is_map = obj.get("kind") == CONFIG_MAP.kind and obj.get("apiVersion") == CONFIG_MAP.api_version
    if not is_map or not is_config(obj, system_namespace):
        return
    try:
        PARSERS[obj["metadata"]["name"]](obj.get("data") or {})
    except SettingsError as exc:
        raise Denied(f"validation failed: {exc}") from exc
