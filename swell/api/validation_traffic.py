"""Faults of a traffic split (spec api 4.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from swell.api.field_errors import FieldError, disallowed, invalid_value, neither, out_of_bounds, several
from swell.api.meta import Obj
from swell.api.names import dns1035_faults
from swell.api.specs import TrafficTarget, parse_traffic
from swell.api.validation_metadata import listed

WHOLE: Final = 100
_PATH: Final = "spec.traffic"


def traffic_faults(spec: Obj, *, within_service: bool) -> list[FieldError]:
    """Every fault of `spec.traffic`; a Service's targets follow its own configuration, so they name none."""
    targets = parse_traffic(spec, "spec")
    errors: list[FieldError] = []
    for index, target in enumerate(targets):
        errors += _target_faults(target, f"{_PATH}[{index}]", within_service)
    errors += _tag_faults(targets)
    total = sum(target.percent or 0 for target in targets)
    if total != WHOLE:
        errors.append(FieldError(f"Traffic targets sum to {total}, want {WHOLE}", (_PATH,)))
    return errors


def _target_faults(target: TrafficTarget, path: str, within_service: bool) -> Iterator[FieldError]:
    if target.latest_revision is not None and target.latest_revision == bool(target.revision_name):
        said = f'"{target.revision_name}" when latestRevision is {str(target.latest_revision).lower()}'
        yield FieldError(f"may not set revisionName {said}", (f"{path}.latestRevision",))
    names = (f"{path}.configurationName", f"{path}.revisionName")
    if within_service and target.configuration_name:
        yield disallowed(names[0])
    elif target.configuration_name and target.revision_name:
        yield several(*names)
    elif not within_service and not target.configuration_name and not target.revision_name:
        yield neither(*names)
    if target.percent is not None and not 0 <= target.percent <= WHOLE:
        yield out_of_bounds(target.percent, 0, WHOLE, f"{path}.percent")
    if target.url:
        yield disallowed(f"{path}.url")


def _tag_faults(targets: tuple[TrafficTarget, ...]) -> Iterator[FieldError]:
    seen: dict[str, int] = {}
    for index, target in enumerate(targets):
        if not target.tag:
            continue
        if faults := dns1035_faults(target.tag):
            # The index stands after the tag: clients of the reference see it there.
            yield invalid_value(f"not a DNS 1035 label: {listed(faults)}", f"{_PATH}.tag[{index}]")
        first = seen.setdefault(target.tag, index)
        if first != index:
            paths = (f"{_PATH}[{first}].tag", f"{_PATH}[{index}].tag")
            yield FieldError(f'Multiple definitions for "{target.tag}"', paths)
