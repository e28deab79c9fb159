"""ConfigMap config-defaults (spec api 2.2), and our own key for the token that pods get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from swell.api.naming_template import TemplateError, render_name
from swell.api.numbers import INT32_MAX, boolean, is_quantity
from swell.api.settings import Defaults
from swell.config.reading import Reader

NAME: Final = "config-defaults"
AUTOMOUNT_TOKEN: Final = "swell.automount-service-account-token"
RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")


def parse(data: Mapping[str, str]) -> Defaults:
    """Read the map; unknown keys are ignored. Raises `SettingsError` at the first bad value."""
    reader = Reader(NAME, data)
    timeout_s = reader.integer("revision-timeout-seconds", 300)
    defaults = Defaults(
        revision_timeout_s=timeout_s,
        max_revision_timeout_s=reader.integer("max-revision-timeout-seconds", 600),
        revision_response_start_timeout_s=reader.integer("revision-response-start-timeout-seconds", timeout_s),
        revision_idle_timeout_s=reader.integer("revision-idle-timeout-seconds", 0),
        requests=_quantities(reader, "request"),
        limits=_quantities(reader, "limit"),
        container_name_template=_name_template(reader, "container-name-template", "user-container"),
        init_container_name_template=_name_template(reader, "init-container-name-template", "init-container"),
        container_concurrency=reader.integer("container-concurrency", 0),
        container_concurrency_max=reader.integer("container-concurrency-max-limit", 1000),
        allow_container_concurrency_zero=reader.flag("allow-container-concurrency-zero", True),
        enable_service_links=boolean(reader.text("enable-service-links", "false").lower()),
        automount_token=reader.flag(AUTOMOUNT_TOKEN, True),
    )
    _check(reader, defaults)
    return defaults


def _check(reader: Reader, defaults: Defaults) -> None:
    timeout_s, timeout_max_s = defaults.revision_timeout_s, defaults.max_revision_timeout_s
    allowed = f"at most max-revision-timeout-seconds, which is {timeout_max_s}"
    reader.check(timeout_s <= timeout_max_s, "revision-timeout-seconds", allowed, timeout_s)
    allowed = f"0 (off) to revision-timeout-seconds, which is {timeout_s}"
    for key, value in (
        ("revision-response-start-timeout-seconds", defaults.revision_response_start_timeout_s),
        ("revision-idle-timeout-seconds", defaults.revision_idle_timeout_s),
    ):
        reader.check(value <= timeout_s, key, allowed, value)
    most = defaults.container_concurrency_max
    reader.check(most >= 1, "container-concurrency-max-limit", f"1 to {INT32_MAX}")
    within = 0 <= defaults.container_concurrency <= most
    reader.check(within, "container-concurrency", f"0 to container-concurrency-max-limit, which is {most}")


def _quantities(reader: Reader, side: str) -> dict[str, str]:
    found = {}
    for resource in RESOURCES:
        key = f"revision-{resource}-{side}"
        if value := reader.text(key, ""):
            reader.check(is_quantity(value), key, "a quantity such as 250m or 1.5Gi")
            found[resource] = value
    return found


def _name_template(reader: Reader, key: str, default: str) -> str:
    template = reader.text(key, default) or default
    try:
        render_name(template, {})
    except TemplateError as exc:
        reader.refuse(key, str(exc))
    return template
