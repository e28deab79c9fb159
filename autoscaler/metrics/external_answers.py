"""What sources of metrics say, as numbers: pure. Every answer that is no number is a `SourceFailed`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import orjson

from swell.api.extra_metrics import ExtraMetric, MetricType
from swell.api.meta import Obj
from swell.api.values import quantity

SHOWN_CHARACTERS_MAX: Final = 200
_OK: Final = 200
_QUEUE_PROXY: Final = "queue-proxy"


class SourceFailed(Exception):
    """A source gave no number; the text says why, to whoever wrote the metric."""


class Answer(NamedTuple):
    """One answer over HTTP, its whole body."""

    status: int
    body: bytes


def address(metric: ExtraMetric) -> str:
    """The URL to ask for a metric of type prometheus or json."""
    if metric.type is MetricType.JSON:
        return metric.url
    return f"{metric.url.rstrip('/')}/api/v1/query?query={quote(metric.query, safe='')}"


def value_of(metric: ExtraMetric, answer: Answer) -> float:
    """The number in an answer to `address(metric)`. Raises `SourceFailed`."""
    if 300 <= answer.status < 400:
        raise SourceFailed(f"it answers {answer.status}, which leads elsewhere: redirects are not followed")
    if metric.type is MetricType.PROMETHEUS:
        return _finite(_prometheus(answer))
    if answer.status != _OK:
        raise SourceFailed(f"it answers {answer.status}")
    return _finite(_at(_decoded(answer), metric.path))


def _prometheus(answer: Answer) -> Any:
    """From an instant query; what Prometheus says of a bad one is passed on."""
    found = _decoded(answer)
    if not isinstance(found, dict) or found.get("status") != "success":
        said = found.get("error") if isinstance(found, dict) else None
        raise SourceFailed(f"it answers {answer.status}: {_shown(said or 'not as Prometheus does')}")
    data = found.get("data")
    kind = data.get("resultType") if isinstance(data, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if kind == "vector" and isinstance(result, list):
        if not result:
            raise SourceFailed("the query finds no series; with `or vector(0)` that counts as 0")
        if len(result) > 1:
            raise SourceFailed(f"the query finds {len(result)} series, allowed: one, such as sum(...) makes of them")
        sample = result[0].get("value") if isinstance(result[0], dict) else None
    elif kind == "scalar":
        sample = result
    else:
        raise SourceFailed(f"the query gives a {_shown(kind)}, allowed: vector, scalar")
    if not isinstance(sample, list) or len(sample) != 2 or not isinstance(sample[1], str):
        raise SourceFailed(f"{_shown(sample)} is no sample of Prometheus")
    try:
        return float(sample[1])
    except ValueError:
        raise SourceFailed(f"{_shown(sample[1])} is no number") from None


def _at(found: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901)."""
    for escaped in pointer.split("/")[1:]:
        key = escaped.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and key.isascii() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise SourceFailed(f"the document has nothing at {pointer}")
    return found


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SourceFailed(f"{_shown(value)} is no number")
    return float(value)


def _decoded(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError as exc:
        status = f"{answer.status}, and " if answer.status != _OK else ""
        raise SourceFailed(f"it answers {status}no JSON: {exc}") from None


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."


def resource_value(metric: ExtraMetric, pods: Iterable[Obj], measured: Mapping[str, Obj]) -> float:
    """What the ready pods of a revision use of cpu (cores) or memory (bytes) together, or with `of_request` the sum of
    their shares of what they request. `measured` are PodMetrics by name. Raises `SourceFailed`.

    A pod without numbers counts as a HorizontalPodAutoscaler counts it: as idle if the others ask for more pods, as
    on target if they ask for fewer, and if that turns it round as if nothing asked for a change. No pods use nothing.
    """
    ready = list(pods)
    if not ready:
        return 0.0
    resource = metric.type.value
    used = [
        _usage(found, resource) / (_request(pod, resource) if metric.of_request else 1.0)
        for pod in ready
        if (found := measured.get(pod["metadata"]["name"])) is not None
    ]
    if not used:
        raise SourceFailed("there are no numbers of its pods yet")
    total, target = sum(used), metric.target
    if total <= target * len(used):
        return total + target * (len(ready) - len(used))
    return max(total, target * len(ready)) if len(used) < len(ready) else total


def _usage(measured: Obj, resource: str) -> float:
    quantities = [(each.get("usage") or {}).get(resource, "") for each in measured.get("containers") or ()]
    found = [quantity(text) for text in quantities]
    numbers = [float(number) for number in found if number is not None]
    if len(numbers) < len(found) or not found:
        raise SourceFailed(f"the metrics of pod {measured['metadata']['name']} lack its {resource}")
    return sum(numbers)


def _request(pod: Obj, resource: str) -> float:
    """What a pod requests, its sidecar too if that requests any."""
    total = 0.0
    for container in pod["spec"]["containers"]:
        text = ((container.get("resources") or {}).get("requests") or {}).get(resource)
        number = quantity(text) if text is not None else None
        if number is not None:
            total += float(number)
        elif container["name"] != _QUEUE_PROXY:
            raise SourceFailed(
                f"container {container['name']} requests no {resource}, of which the target is a percentage"
            )
    if total <= 0:
        raise SourceFailed(f"its pods request no {resource}, of which the target is a percentage")
    return total
