"""Whom the API server trusts: the caBundle of our webhook configurations. Pure."""

from __future__ import annotations

import base64
from typing import Final

from controller.webhook.jsonpatch import Operation
from swell.api.kinds import MUTATING_WEBHOOK, VALIDATING_WEBHOOK, Kind
from swell.api.meta import Obj

CONFIGURATIONS: Final[dict[str, Kind]] = {
    "webhook.serving.knative.dev": MUTATING_WEBHOOK,
    "validation.webhook.serving.knative.dev": VALIDATING_WEBHOOK,
    "config.webhook.serving.knative.dev": VALIDATING_WEBHOOK,
}


def correction(configuration: Obj, bundle: bytes) -> list[Operation]:
    """The JSON patch that has every webhook of the configuration trust `bundle`; [] if they do."""
    wanted = base64.b64encode(bundle).decode()
    patch: list[Operation] = []
    for index, webhook in enumerate(configuration.get("webhooks") or ()):
        if webhook["clientConfig"].get("caBundle") != wanted:
            at = f"/webhooks/{index}"
            # Somebody may have changed the list since it was read.
            patch.append({"op": "test", "path": f"{at}/name", "value": webhook["name"]})
            patch.append({"op": "add", "path": f"{at}/clientConfig/caBundle", "value": wanted})
    return patch
