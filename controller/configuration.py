"""Configuration -> Revision: one for each generation, and which of them is the latest (spec api 5.3, 6.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from controller.apply import Applier
from controller.caches import Caches
from controller.ownership import adopts
from controller.plan import Child, News, Plan, begin, finish
from controller.resources.serving import make_revision, revision_name
from controller.status_rules import CONFIGURATION_RULES
from swell.api import labels
from swell.api.conditions import READY, Condition, Conditions
from swell.api.kinds import CONFIGURATION, REVISION
from swell.api.meta import Key
from swell.api.serving import Configuration, Revision, is_ready
from swell.api.statuses import ConfigurationStatus

_RULES = CONFIGURATION_RULES
REVISION_FAILED = "RevisionFailed"


@dataclass(frozen=True, slots=True)
class Seen:
    """A Configuration, its Revisions, and whoever has the name that the template asks for.

    `refused`: what the API said when the Revision was to be created, or "".
    """

    configuration: Configuration
    revisions: tuple[Revision, ...] = ()
    named: Revision | None = None
    refused: str = ""


def see(key: Key, caches: Caches) -> Seen | None:
    """What the caches have; None if there is nothing to do."""
    obj = caches.configurations.get(*key)
    if obj is None:
        return None
    configuration = Configuration.parse(obj)
    if configuration.meta.deleting:
        return None
    name = configuration.template.name
    named = caches.revisions.get(key.namespace, name) if name else None
    return Seen(configuration, caches.revisions_of(configuration), Revision.parse(named) if named else None)


def plan(seen: Seen, now_s: float) -> Plan:
    """The Revision to have, and the status that follows from the Revisions. `now_s` is unix seconds."""
    configuration = seen.configuration
    conditions = begin(_RULES, configuration.meta, configuration.status, now_s)
    name = revision_name(configuration)
    created = _created(seen)
    if created is None and (seen.named is not None or seen.refused):
        return _creation_failed(seen, conditions, now_s)
    status = replace(configuration.status, latest_created_revision_name=name)
    if created is None:
        child = Child(REVISION, make_revision(configuration, now_s), None, f'Created Revision "{name}"')
        conditions = _waiting(status, None, conditions, now_s)
        return Plan(ensure=(child,), status=finish(configuration.status, status, conditions, configuration.meta))
    status = replace(status, latest_created_revision_name=created.meta.name)
    conditions, news = _judged(configuration, created, status, conditions, now_s)
    latest = next((each for each in _candidates(seen, created) if is_ready(each)), None)
    if latest is not None:
        status = replace(status, latest_ready_revision_name=latest.meta.name)
        if latest.meta.name == created.meta.name:
            conditions = _RULES.mark_true(conditions, READY, now_s)
        if latest.meta.name != configuration.status.latest_ready_revision_name:
            message = f'LatestReadyRevisionName updated to "{latest.meta.name}"'
            news = (*news, News("Normal", "LatestReadyUpdate", message))
    return Plan(status=finish(configuration.status, status, conditions, configuration.meta), news=news)


async def reconcile(key: Key, caches: Caches, applier: Applier, now_s: float) -> float | None:
    """Look at one Configuration, and do what is to be done."""
    seen = see(key, caches)
    obj = caches.configurations.get(*key)
    if seen is None or obj is None:
        return None
    wanted = plan(seen, now_s)
    return await applier.apply(CONFIGURATION, obj, wanted, lambda message: plan(replace(seen, refused=message), now_s))


def _created(seen: Seen) -> Revision | None:
    """The Revision of the present generation, if there is one."""
    if seen.configuration.template.name:
        adopted = seen.named is not None and adopts(seen.configuration, seen.named)
        return seen.named if adopted else None
    wanted = str(seen.configuration.meta.generation)
    found = (each for each in seen.revisions if each.meta.labels.get(labels.CONFIGURATION_GENERATION) == wanted)
    return next(found, None)


def _creation_failed(seen: Seen, conditions: Conditions, now_s: float) -> Plan:
    """The API refuses the Revision, or its name is another's: only a change can help against the latter."""
    configuration = seen.configuration
    cause = seen.refused or f'{REVISION} "{configuration.template.name}" already exists'
    message = f"Revision creation failed with message: {cause}."
    conditions = _RULES.mark_false(conditions, READY, REVISION_FAILED, message, now_s)
    status = finish(configuration.status, configuration.status, conditions, configuration.meta)
    if not seen.refused:
        return Plan(status=status)
    news = News("Warning", "CreationFailed", f"Failed to create Revision: {cause}")
    return Plan(status=status, news=(news,), error=f"failed to create Revision: {cause}")


def _judged(
    configuration: Configuration, created: Revision, status: ConfigurationStatus, conditions: Conditions, now_s: float
) -> tuple[Conditions, tuple[News, ...]]:
    """What the latest created Revision's Ready says of the Configuration."""
    ready = created.status.condition(READY) or Condition(READY)
    if ready.is_false:
        return _failed(configuration, created, ready, conditions, now_s)
    conditions = _waiting(status, ready, conditions, now_s)
    if ready.is_true and not status.latest_ready_revision_name:
        return conditions, (News("Normal", "ConfigurationReady", "Configuration becomes ready"),)
    return conditions, ()


def _failed(
    configuration: Configuration, created: Revision, ready: Condition, conditions: Conditions, now_s: float
) -> tuple[Conditions, tuple[News, ...]]:
    name = created.meta.name
    message = f'Revision "{name}" failed with message: {ready.message}.'
    conditions = _RULES.mark_false(conditions, READY, REVISION_FAILED, message, now_s)
    was = configuration.status.condition(READY)
    if was is not None and was.is_false and was.message == message:
        return conditions, ()
    if name == configuration.status.latest_ready_revision_name:
        return conditions, (News("Warning", "LatestReadyFailed", f'Latest ready revision "{name}" has failed'),)
    return conditions, (News("Warning", "LatestCreatedFailed", f'Latest created revision "{name}" has failed'),)


def _waiting(status: ConfigurationStatus, ready: Condition | None, conditions: Conditions, now_s: float) -> Conditions:
    """Unknown until the latest created Revision is ready; with the cause, if that Revision tells one.

    Once it was ready, that is not taken back although it may be Unknown again.
    """
    if status.latest_created_revision_name == status.latest_ready_revision_name:
        return conditions
    told = ready is not None and ready.is_unknown and bool(ready.message)
    reason, message = (ready.reason, ready.message) if ready is not None and told else ("", "")
    return _RULES.mark_unknown(conditions, READY, reason, message, now_s)


def _candidates(seen: Seen, created: Revision) -> Iterator[Revision]:
    """The Revisions that may become the latest ready one, best first (spec api 6.3, 4)."""
    named = created if seen.configuration.template.name else None
    if named is not None:
        yield named
    current = seen.configuration.status.latest_ready_revision_name
    lowest = next((_generation(each) for each in seen.revisions if each.meta.name == current), 0)
    highest = seen.configuration.meta.generation
    within = [each for each in seen.revisions if lowest <= _generation(each) <= highest]
    yield from sorted(within, key=_generation, reverse=True)


def _generation(revision: Revision) -> int:
    text = revision.meta.labels.get(labels.CONFIGURATION_GENERATION, "")
    return int(text) if text.isdecimal() else -1
