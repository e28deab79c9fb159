"""Which old revisions of a Configuration may go (spec api 6.8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.apply import Applier
from controller.caches import Caches
from controller.plan import NOTHING, Delete, Plan
from swell.api import labels
from swell.api.kinds import CONFIGURATION, REVISION
from swell.api.meta import Key, parse_rfc3339
from swell.api.serving import Configuration, Revision
from swell.config.gc import GcConfig


@dataclass(frozen=True, slots=True)
class Seen:
    """A Configuration and its Revisions."""

    configuration: Configuration
    revisions: tuple[Revision, ...] = ()
    config: GcConfig = field(default_factory=GcConfig)


def see(key: Key, caches: Caches) -> Seen | None:
    """What the caches have; None if there is nothing to do."""
    obj = caches.configurations.get(*key)
    if obj is None:
        return None
    configuration = Configuration.parse(obj)
    if configuration.meta.deleting:
        return None
    return Seen(configuration, caches.revisions_of(configuration), caches.config.gc)


def plan(seen: Seen, now_s: float) -> Plan:
    """The revisions to delete: those out of date beyond the least number, then the oldest beyond the most.

    `requeue_after_s` is when the next one may be out of date.
    """
    config = seen.config
    idle = _idle(seen)
    if len(seen.revisions) <= config.non_active_min or len(idle) <= config.non_active_min:
        return NOTHING
    spare = len(idle) - config.non_active_min
    stale = [each for each in idle if _stale_in_s(each, config, now_s) == 0.0][:spare]
    left = [each for each in idle if each not in stale]
    most = config.non_active_max
    over = left[: len(left) - most] if most is not None and len(left) > most else []
    gone = [*stale, *over]
    waits = [each_s for each in left if each not in over and (each_s := _stale_in_s(each, config, now_s)) is not None]
    again_s = min(waits, default=None) if len(gone) < spare else None
    if not gone and again_s is None:
        return NOTHING
    return Plan(deletes=tuple(_delete(each) for each in gone), requeue_after_s=again_s)


async def reconcile(key: Key, caches: Caches, applier: Applier, now_s: float) -> float | None:
    """Look at the revisions of one Configuration, and delete what is to go."""
    seen = see(key, caches)
    obj = caches.configurations.get(*key)
    if seen is None or obj is None:
        return None
    return await applier.apply(CONFIGURATION, obj, plan(seen, now_s))


def _idle(seen: Seen) -> list[Revision]:
    """The revisions that may go at all, those that were used longest ago first."""
    latest = seen.configuration.status.latest_ready_revision_name
    found: Iterable[Revision] = (
        each
        for each in seen.revisions
        if each.meta.name != latest
        and each.meta.labels.get(labels.ROUTING_STATE) == labels.ROUTING_RESERVE
        and each.meta.annotations.get(labels.NO_GC, "").lower() != "true"
        and not each.meta.deleting
    )
    return sorted(found, key=lambda each: (_last_active_s(each), each.meta.name))


def _last_active_s(revision: Revision) -> float:
    modified = revision.meta.annotations.get(labels.ROUTING_STATE_MODIFIED, "")
    try:
        return parse_rfc3339(modified)
    except ValueError:
        return parse_rfc3339(revision.meta.creation_timestamp)


def _stale_in_s(revision: Revision, config: GcConfig, now_s: float) -> float | None:
    """Seconds until the revision has passed every limit that is on; None if none is."""
    ends = []
    if config.retain_since_create_s is not None:
        ends.append(parse_rfc3339(revision.meta.creation_timestamp) + config.retain_since_create_s)
    if config.retain_since_last_active_s is not None:
        ends.append(_last_active_s(revision) + config.retain_since_last_active_s)
    return max(0.0, max(ends) - now_s) if ends else None


def _delete(revision: Revision) -> Delete:
    meta = revision.meta
    return Delete(REVISION, meta.namespace, meta.name, meta.uid)
