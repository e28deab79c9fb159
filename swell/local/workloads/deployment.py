"""Deployment -> ReplicaSets, one step at a time; each change of a ReplicaSet asks for the next step."""

from __future__ import annotations

from typing import Final

from swell.api.kinds import DEPLOYMENT, POD, REPLICA_SET
from swell.api.meta import Key, Obj, is_controlled_by, key_of
from swell.kube.errors import AlreadyExists
from swell.local.workloads import rollout
from swell.local.workloads.announcer import Announcer
from swell.local.workloads.cluster_cache import CONTROLLER, ClusterCache
from swell.local.workloads.deployment_status import is_complete, make_status
from swell.local.workloads.pods import has_ended
from swell.local.workloads.rollout import REVISION, Bounds, Sets

# Whole seconds are all that timestamps keep.
DEADLINE_SLACK_S: Final = 1.0


class Deployments:
    """Reconciles one Deployment at a time.

    A Deployment that is scaled amid a rollout gives and takes by the rules of the rollout, not in proportion.
    """

    def __init__(self, cache: ClusterCache, announcer: Announcer) -> None:
        self._cache = cache
        self._announcer = announcer

    async def reconcile(self, key: Key) -> float | None:
        deployment = self._cache.of(DEPLOYMENT).get(*key)
        if deployment is None:
            return None
        sets = Sets.of(deployment, await self._cache.settle(deployment, REPLICA_SET))
        # Where replicas changed, the ReplicaSet's own work comes first; its changes lead back here for the status.
        if "deletionTimestamp" not in deployment["metadata"] and await self._roll(deployment, sets):
            return None
        return await self._tell(deployment, sets)

    async def _roll(self, deployment: Obj, sets: Sets) -> bool:
        """Take the next step towards the present template; False when there is nothing to do now."""
        bounds = Bounds.of(deployment)
        if sets.new is None:
            if deployment["spec"].get("paused"):
                return await self._scale_paused(deployment, sets)
            if self._must_wait_for_old(deployment, sets):
                return await self._scale_all(deployment, [(each, 0) for each in sets.old])
            await self._create(deployment, sets)
            return True
        changes = [(sets.new, rollout.new_replicas(bounds, sets))]
        if self._must_wait_for_old(deployment, sets):
            changes = [(each, 0) for each in sets.old]
        elif not deployment["spec"].get("paused"):
            changes += rollout.old_replicas(bounds, sets)
        return await self._scale_all(deployment, changes)

    async def _scale_paused(self, deployment: Obj, sets: Sets) -> bool:
        """A paused Deployment can be scaled: its latest ReplicaSet takes what is wanted."""
        latest = sets.old[-1:]
        others = [(each, 0) for each in sets.old[:-1]]
        return await self._scale_all(
            deployment, [*((each, deployment["spec"].get("replicas", 1)) for each in latest), *others]
        )

    def _must_wait_for_old(self, deployment: Obj, sets: Sets) -> bool:
        """With the strategy Recreate, no new pod starts while an old one may still run."""
        if (deployment["spec"].get("strategy") or {}).get("type") != "Recreate":
            return False
        pods = self._cache.of(POD)
        return any(
            rollout.wanted(each) or any(not has_ended(pod) for pod in pods.indexed(CONTROLLER, each["metadata"]["uid"]))
            for each in sets.old
        )

    async def _create(self, deployment: Obj, sets: Sets) -> None:
        made = rollout.make_replica_set(deployment, sets)
        try:
            await self._cache.create(REPLICA_SET, made)
        except AlreadyExists:
            await self._collide(deployment, made)
            return
        name, replicas = made["metadata"]["name"], made["spec"]["replicas"]
        if replicas:
            self._announcer.tell(deployment, "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {replicas}")

    async def _collide(self, deployment: Obj, made: Obj) -> None:
        """Another object has the name: if it is not ours after all, take another name next time."""
        live = await self._cache.kube.get(REPLICA_SET, *key_of(made))
        same = rollout.same_template(live["spec"]["template"], made["spec"]["template"])
        if same and is_controlled_by(live, deployment["metadata"]["uid"]):
            return  # the cache will know of it, or of its end, in a moment
        status: Obj = deployment.get("status") or {}
        collisions = status.get("collisionCount", 0) + 1
        await self._cache.write_status(DEPLOYMENT, deployment, {**status, "collisionCount": collisions})

    async def _scale_all(self, deployment: Obj, changes: list[tuple[Obj, int]]) -> bool:
        changed = False
        for replica_set, replicas in changes:
            was = rollout.wanted(replica_set)
            if was != replicas:
                await self._cache.patch(REPLICA_SET, replica_set, {"spec": {"replicas": replicas}})
                way, name = "up" if replicas > was else "down", replica_set["metadata"]["name"]
                message = f"Scaled {way} replica set {name} from {was} to {replicas}"
                self._announcer.tell(deployment, "ScalingReplicaSet", message)
                changed = True
        return changed

    async def _tell(self, deployment: Obj, sets: Sets) -> float | None:
        if "deletionTimestamp" not in deployment["metadata"]:
            deployment = await self._number(deployment, sets)
        status, changes_in_s = make_status(deployment, sets, self._cache.clock.wall())
        deployment = await self._cache.write_status(DEPLOYMENT, deployment, status)
        if is_complete(deployment, status):
            for each in rollout.outdated(deployment, sets):
                await self._cache.delete(REPLICA_SET, each)
        return None if changes_in_s is None else changes_in_s + DEADLINE_SLACK_S

    async def _number(self, deployment: Obj, sets: Sets) -> Obj:
        """Keep the revision number on the new ReplicaSet and on the Deployment, for `kubectl rollout`."""
        if sets.new is None:
            return deployment
        annotation = {REVISION: str(rollout.next_revision(sets))}
        spec_changes = self._inherited(deployment, sets.new)
        if str(rollout.revision_of(sets.new)) != annotation[REVISION] or spec_changes:
            await self._cache.patch(REPLICA_SET, sets.new, {"metadata": {"annotations": annotation}, **spec_changes})
        if (deployment["metadata"].get("annotations") or {}).get(REVISION) == annotation[REVISION]:
            return deployment
        return await self._cache.patch(DEPLOYMENT, deployment, {"metadata": {"annotations": annotation}})

    def _inherited(self, deployment: Obj, new: Obj) -> Obj:
        """What of the Deployment's spec the ReplicaSet follows without a new template."""
        min_ready_s = deployment["spec"].get("minReadySeconds", 0)
        if new["spec"].get("minReadySeconds", 0) == min_ready_s:
            return {}
        return {"spec": {"minReadySeconds": min_ready_s}}
