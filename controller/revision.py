"""Revision -> Deployment and PodAutoscaler, and what their statuses and pods say of it (spec api 5.4, 6.5, 6.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from controller import trouble
from controller.apply import Applier
from controller.caches import Caches
from controller.images import container_statuses
from controller.ownership import is_leftover
from controller.plan import Child, News, Plan, begin, finish
from controller.resources.deployment import make_deployment, renewed
from controller.resources.meta import deployment_name, exactly
from controller.resources.pod_settings import PodSettings
from controller.resources.podautoscaler import make_podautoscaler, reachability
from controller.status_rules import CONTAINER_HEALTHY, RESOURCES_AVAILABLE, REVISION_RULES
from swell.api.autoscaling import ACTIVE, SCALE_TARGET_INITIALIZED, PodAutoscaler
from swell.api.conditions import READY, Condition, Conditions
from swell.api.kinds import DEPLOYMENT, POD_AUTOSCALER, REVISION
from swell.api.meta import Key, Obj, is_controlled_by
from swell.api.serving import Revision, is_ready
from swell.api.statuses import RevisionStatus

_RULES = REVISION_RULES
DEPLOYING: Final = "Deploying"


@dataclass(frozen=True, slots=True)
class Seen:
    """A Revision, what has its children's names, and its pods."""

    revision: Revision
    settings: PodSettings
    deployment: Obj | None = None
    podautoscaler: Obj | None = None
    pods: tuple[Obj, ...] = ()


def see(key: Key, caches: Caches) -> Seen | None:
    """What the caches have; None if there is nothing to do."""
    obj = caches.revisions.get(*key)
    if obj is None:
        return None
    revision = Revision.parse(obj)
    if revision.meta.deleting:
        return None
    return Seen(
        revision,
        caches.config.pods,
        caches.deployments.get(key.namespace, deployment_name(key.name)),
        caches.podautoscalers.get(*key),
        caches.pods_of(key),
    )


def plan(seen: Seen, now_s: float) -> Plan:
    """Children to have, and the status that follows from theirs. `now_s` is unix seconds."""
    before = seen.revision
    containers, init_containers = container_statuses(before.spec)
    status = replace(
        before.status,
        container_statuses=before.status.container_statuses or containers,
        init_container_statuses=before.status.init_container_statuses or init_containers,
        log_url=seen.settings.observability.revision_url_template.replace("${REVISION_UID}", before.meta.uid),
    )
    revision = replace(before, status=status)
    conditions = begin(_RULES, revision.meta, status, now_s)
    deployment = seen.deployment
    if any(_is_leftover(obj, revision) for obj in (deployment, seen.podautoscaler)):
        conditions = _of_deployment(replace(seen, deployment=None), conditions, now_s)
        return Plan(status=finish(before.status, status, conditions, revision.meta))
    if deployment is not None and not is_controlled_by(deployment, revision.meta.uid):
        return _not_owned(before, status, conditions, "Deployment", deployment["metadata"]["name"], now_s)
    children: tuple[Child, ...] = _deployment(revision, seen)
    conditions = _of_deployment(seen, conditions, now_s)
    podautoscaler = seen.podautoscaler
    if podautoscaler is not None and not is_controlled_by(podautoscaler, revision.meta.uid):
        name = podautoscaler["metadata"]["name"]
        found = _not_owned(before, status, conditions, "PodAutoscaler", name, now_s)
        return replace(found, ensure=children)
    reachable = reachability(revision, hopeless=_failed(conditions) and _none_ready(deployment))
    wanted = exactly(make_podautoscaler(revision, reachable, podautoscaler), podautoscaler)
    children = (*children, Child(POD_AUTOSCALER, wanted, podautoscaler))
    status, conditions = _of_podautoscaler(podautoscaler, status, conditions, now_s)
    after = finish(before.status, status, conditions, revision.meta)
    return Plan(ensure=children, status=after, news=_news(before, after))


async def reconcile(key: Key, caches: Caches, applier: Applier, now_s: float) -> float | None:
    """Look at one Revision, and do what is to be done."""
    seen = see(key, caches)
    obj = caches.revisions.get(*key)
    if seen is None or obj is None:
        return None
    return await applier.apply(REVISION, obj, plan(seen, now_s))


def _deployment(revision: Revision, seen: Seen) -> tuple[Child, ...]:
    """The Deployment, where it is missing or made from something else than is wanted now."""
    wanted = make_deployment(revision, seen.settings)
    if seen.deployment is None:
        return (Child(DEPLOYMENT, wanted),)
    change = renewed(wanted, seen.deployment)
    return () if change is None else (Child(DEPLOYMENT, change, seen.deployment),)


def _of_deployment(seen: Seen, conditions: Conditions, now_s: float) -> Conditions:
    """What Deployment and pods say of resources and containers."""
    deployment = seen.deployment
    if deployment is None:
        conditions = _RULES.mark_unknown(conditions, RESOURCES_AVAILABLE, DEPLOYING, "", now_s)
        return _RULES.mark_unknown(conditions, CONTAINER_HEALTHY, DEPLOYING, "", now_s)
    healthy = _condition(conditions, CONTAINER_HEALTHY)
    if healthy.is_unknown and not healthy.reason:
        # What was written when it was made is not in the cache yet.
        conditions = _RULES.mark_unknown(conditions, CONTAINER_HEALTHY, DEPLOYING, "", now_s)
    progress = trouble.progress_of(deployment)
    conditions = _marked(conditions, RESOURCES_AVAILABLE, progress, now_s)
    status = deployment.get("status") or {}
    if _replicas(deployment) > 0 and not status.get("availableReplicas"):
        always = seen.settings.deployment.pod_is_always_schedulable
        for found in trouble.of_pod(_first(seen.pods), deadline_passed=trouble.is_overdue(progress)):
            if found.reason and not (found.unscheduled and always):
                mark = _RULES.mark_false if found.fatal else _RULES.mark_unknown
                conditions = mark(conditions, found.condition, found.reason, found.message, now_s)
    if status.get("readyReplicas"):
        conditions = _RULES.mark_true(conditions, CONTAINER_HEALTHY, now_s)
    return conditions


def _of_podautoscaler(
    obj: Obj | None, status: RevisionStatus, conditions: Conditions, now_s: float
) -> tuple[RevisionStatus, Conditions]:
    """What the PodAutoscaler says: replicas, whether the revision is in use, and whether it ever started."""
    failed = _failed(conditions)
    seen = PodAutoscaler.parse(obj) if obj is not None else None
    ready = seen.status.condition(READY) if seen is not None else None
    if seen is not None:
        status = replace(
            status,
            actual_replicas=_known(seen.status.actual_scale),
            desired_replicas=_known(seen.status.desired_scale),
        )
    if seen is None or ready is None:
        conditions = _RULES.mark_unknown(conditions, ACTIVE, DEPLOYING, "", now_s)
        if not failed:
            conditions = _still_deploying(conditions, now_s)
        return status, conditions
    initialized = seen.status.condition(SCALE_TARGET_INITIALIZED)
    started = initialized is not None and initialized.is_true
    if started and not failed:
        conditions = _RULES.mark_true(conditions, RESOURCES_AVAILABLE, now_s)
        conditions = _RULES.mark_true(conditions, CONTAINER_HEALTHY, now_s)
    elif not started:
        conditions = _still_deploying(conditions, now_s, only_if_true=True)
    conditions = _marked(conditions, ACTIVE, ready, now_s)
    if ready.is_false and not started and not failed:
        message = "Initial scale was never achieved"
        conditions = _RULES.mark_false(conditions, RESOURCES_AVAILABLE, trouble.DEADLINE_EXCEEDED, message, now_s)
    return status, conditions


def _still_deploying(conditions: Conditions, now_s: float, *, only_if_true: bool = False) -> Conditions:
    """Resources are Unknown until the autoscaler calls the revision started; a cause that is known stays."""
    resources = _condition(conditions, RESOURCES_AVAILABLE)
    if resources.is_true or not (only_if_true or resources.message):
        return _RULES.mark_unknown(conditions, RESOURCES_AVAILABLE, DEPLOYING, "", now_s)
    return conditions


def _marked(conditions: Conditions, type: str, like: Condition, now_s: float) -> Conditions:
    """Give the condition of that type the status, reason and message of `like`."""
    if like.is_true:
        return _RULES.mark_true(conditions, type, now_s)
    mark = _RULES.mark_false if like.is_false else _RULES.mark_unknown
    return mark(conditions, type, like.reason, like.message, now_s)


def _failed(conditions: Conditions) -> bool:
    return any(_condition(conditions, type).is_false for type in (RESOURCES_AVAILABLE, CONTAINER_HEALTHY))


def _condition(conditions: Conditions, type: str) -> Condition:
    return next(condition for condition in conditions if condition.type == type)


def _none_ready(deployment: Obj | None) -> bool:
    """Pods are wanted, and not one is ready."""
    if deployment is None:
        return False
    return _replicas(deployment) > 0 and not (deployment.get("status") or {}).get("readyReplicas")


def _replicas(deployment: Obj) -> int:
    return int((deployment.get("spec") or {}).get("replicas", 1))


def _known(scale: int | None) -> int | None:
    return scale if scale is not None and scale >= 0 else None


def _first(pods: Sequence[Obj]) -> Obj | None:
    """The pod to ask what is wrong: the first by name of those that are not on their way out."""
    staying = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return min(staying, key=lambda pod: str(pod["metadata"]["name"]), default=None)


def _is_leftover(obj: Obj | None, revision: Revision) -> bool:
    return obj is not None and is_leftover(obj, REVISION, revision.meta)


def _not_owned(
    before: Revision, status: RevisionStatus, conditions: Conditions, kind: str, name: str, now_s: float
) -> Plan:
    message = f'There is an existing {kind} "{name}" that we do not own.'
    conditions = _RULES.mark_false(conditions, RESOURCES_AVAILABLE, "NotOwned", message, now_s)
    return Plan(
        status=finish(before.status, status, conditions, before.meta),
        error=f'revision: "{before.meta.name}" does not own {kind}: "{name}"',
    )


def _news(before: Revision, after: RevisionStatus) -> tuple[News, ...]:
    if is_ready(before) or not is_ready(replace(before, status=after)):
        return ()
    return (News("Normal", "RevisionReady", "Revision becomes ready upon all resources being ready"),)
