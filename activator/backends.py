"""Pods -> addresses we may send to, per revision (spec dataplane 2.6).

A pod is usable once Kubernetes calls it ready, or once it has passed our own probe: an announcement of
its queue-proxy asks for one at once, and while requests wait for the revision its other pods are probed
too. Knows pods and probes; does not know requests.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from activator.admission.throttler import Address, Backend
from activator.gateway import Target
from activator.pods import Group, Pod, PodFacts, read_pod

if TYPE_CHECKING:
    from swell.runtime.clock import Clock
    from swell.wire.announce import Announcement

# Announcements of pods that we have not heard of from Kubernetes yet.
EARLY_MAX: Final = 1024
BACKOFF_FACTOR: Final = 1.5
# A pod that refused a connection is looked after even when nobody waits, but not that often.
SUSPECT_LAST_S: Final = 2.0


StartProbe = Callable[[Address, Callable[[bool], None]], None]


class Backends:
    """The pods of all revisions.

    `probe(address, done)` starts a probe and calls `done` with its result, later. `on_change(revision)` is
    called when anything about its pods has changed; `on_proven(facts)` when a pod has passed a probe that
    Kubernetes does not call ready yet; `drop(address)` when the idle connections to an address are no longer
    worth keeping.
    """

    def __init__(
        self,
        clock: Clock,
        probe: StartProbe,
        on_change: Callable[[Target], None],
        on_proven: Callable[[PodFacts], None],
        drop: Callable[[Address], None],
        *,
        probe_first_s: float,
        probe_last_s: float,
    ) -> None:
        self._clock = clock
        self._probe = probe
        self._on_change = on_change
        self._on_proven = on_proven
        self._drop = drop
        self._first_s = probe_first_s
        self._last_s = probe_last_s
        self._groups: dict[Target, Group] = {}
        self._early: OrderedDict[str, Announcement] = OrderedDict()
        self.probes = 0

    def pod_changed(self, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        """An event of the pod informer; None for what did not exist before, or does no more."""
        before = read_pod(old) if old is not None else None
        facts = read_pod(new) if new is not None else None
        if before is not None and (facts is None or before.uid != facts.uid):
            self._remove(before)
        if facts is not None:
            self._update(facts)

    def announced(self, announcement: Announcement) -> bool:
        """Probe a pod that calls itself ready; False if the announcement contradicts Kubernetes.

        It is believed only for a pod that Kubernetes knows, in that revision and with that IP or none yet:
        nobody can announce himself into another revision. One that comes before the pod's own event is kept.
        """
        revision = Target(announcement.namespace, announcement.revision)
        group = self._groups.get(revision)
        pod = group.pods.get(announcement.uid) if group else None
        if group is None or pod is None:
            self._early[announcement.uid] = announcement
            if len(self._early) > EARLY_MAX:
                self._early.popitem(last=False)
            return True
        if not pod.take_announcement(announcement.host_port):
            return False
        pod.settle()
        self._changed(group)
        self._check(group, pod)
        return True

    def refused(self, backend: Backend) -> None:
        """A connection to it failed, or closed instead of an answer: not usable until it passes a probe."""
        pod = backend.pod
        if not isinstance(pod, Pod) or pod.backend is not backend or pod.suspect:
            return
        pod.suspect = True
        pod.proven = False
        group = self._groups.get(pod.facts.revision)
        if group is not None:
            self._changed(group)
            self._wake(group)

    def wait(self, revision: Target, waiting: bool) -> None:
        """Requests wait for a pod of this revision from now on, or no longer."""
        group = self._group(revision)
        group.waiting = waiting
        if waiting:
            self._wake(group)
        else:
            self._tidy(group)

    def revision_changed(self, revision: Target, kubernetes_decides: bool) -> None:
        """The Revision exists; with `kubernetes_decides` a pod counts only once Kubernetes calls it ready."""
        group = self._group(revision)
        group.known = True
        if group.kubernetes_decides != kubernetes_decides:
            group.kubernetes_decides = kubernetes_decides
            self._changed(group)

    def revision_removed(self, revision: Target) -> None:
        """The Revision is gone; its pods are forgotten as they go."""
        group = self._groups.get(revision)
        if group is not None:
            group.known = False
            self._tidy(group)

    def pods(self, revision: Target) -> list[Pod]:
        group = self._groups.get(revision)
        return list(group.pods.values()) if group else []

    def usable(self, revision: Target) -> list[Backend]:
        group = self._groups.get(revision)
        return group.published if group else []

    def loads(self, revision: Target) -> dict[str, int]:
        """Requests of ours in flight, tunnels included, by the name of the pod; only of pods that have any."""
        running = {pod.facts.name: pod.backend.running for pod in self.pods(revision) if pod.backend is not None}
        return {name: count for name, count in running.items() if count}

    def revisions(self) -> list[Target]:
        return sorted(self._groups)

    def close(self) -> None:
        for group in self._groups.values():
            self._stop_timer(group)

    def _group(self, revision: Target) -> Group:
        group = self._groups.get(revision)
        if group is None:
            group = self._groups[revision] = Group(revision)
        return group

    def _tidy(self, group: Group) -> None:
        """Forget a group that stands for nothing any more."""
        if not (group.known or group.pods or group.waiting):
            self._stop_timer(group)
            self._groups.pop(group.revision, None)

    def _stop_timer(self, group: Group) -> None:
        if group.timer is not None:
            group.timer.cancel()
            group.timer = None

    def _remove(self, facts: PodFacts) -> None:
        group = self._groups.get(facts.revision)
        if group is not None and group.pods.pop(facts.uid, None) is not None:
            self._changed(group)
            self._tidy(group)

    def _update(self, facts: PodFacts) -> None:
        group = self._group(facts.revision)
        pod = group.pods.get(facts.uid)
        if pod is None:
            pod = group.pods[facts.uid] = Pod(facts)
            asked = self._take_early(pod)
        else:
            was_ready, pod.facts = pod.facts.ready, facts
            asked = was_ready and not facts.ready
            if asked:
                pod.proven = False
            elif facts.ready and not was_ready:
                pod.suspect = False
        pod.settle()
        self._changed(group)
        if asked:
            self._check(group, pod)
        elif group.waiting:
            self._wake(group)

    def _take_early(self, pod: Pod) -> bool:
        early = self._early.pop(pod.facts.uid, None)
        if early is None or (early.namespace, early.revision) != pod.facts.revision:
            return False
        return pod.take_announcement(early.host_port)

    def _changed(self, group: Group) -> None:
        """Publish what is usable now, and drop the connections of what is not any more."""
        usable = group.usable()
        if usable != group.published:
            gone = [backend for backend in group.published if backend not in usable]
            group.published = usable
            for backend in gone:
                self._drop(backend.address)
        self._on_change(group.revision)

    def _wake(self, group: Group) -> None:
        """Probe what is worth it now, but no sooner than `probe_first_s` after the last round."""
        if not group.to_probe():
            return
        due_s = max(self._clock.now(), group.last_round_s + self._first_s)
        if group.timer is None or group.due_s > due_s:
            group.delay_s = self._first_s
            self._arm(group, due_s)

    def _arm(self, group: Group, due_s: float) -> None:
        self._stop_timer(group)
        group.due_s = due_s
        delay_s = due_s - self._clock.now()
        if delay_s <= 0:
            self._round(group)
        else:
            group.timer = self._clock.call_later(delay_s, lambda: self._round(group))

    def _round(self, group: Group) -> None:
        """Probe once, and again after a while until it passes or nobody waits."""
        group.timer = None
        group.last_round_s = self._clock.now()
        pods = group.to_probe()
        for pod in pods:
            self._check(group, pod)
        if pods:
            self._arm(group, group.last_round_s + group.delay_s)
            last_s = self._last_s if group.waiting else SUSPECT_LAST_S
            group.delay_s = min(group.delay_s * BACKOFF_FACTOR, last_s)

    def _check(self, group: Group, pod: Pod) -> None:
        """Start a probe, unless it could change nothing or one is under way."""
        backend = pod.backend
        if backend is None or pod.probing or not group.may_probe(pod):
            return
        pod.probing = True
        self.probes += 1
        self._probe(backend.address, lambda passed: self._checked(group, pod, backend, passed))

    def _checked(self, group: Group, pod: Pod, backend: Backend, passed: bool) -> None:
        pod.probing = False
        still_there = group.pods.get(pod.facts.uid) is pod and pod.backend is backend
        if passed and still_there:
            pod.proven = True
            pod.suspect = False
            self._changed(group)
            if not pod.facts.ready:
                self._on_proven(pod.facts)
