"""Pods become addresses: readiness, announcements, probes, refusals. Spec dataplane 2.6."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from activator.admission.throttler import Address
from activator.backends import Backends
from activator.gateway import Target
from activator.pods import PodFacts
from swell.testing.clock import ManualClock
from swell.wire.announce import Announcement

Obj = dict[str, Any]
REVISION = Target("default", "hello-00001")


def pod(
    number: int = 1, *, ready: bool = False, ip: str | None = None, revision: str = REVISION.name, **meta: Any
) -> Obj:
    return {
        "metadata": {
            "name": f"pod-{number}",
            "namespace": "default",
            "uid": f"uid-{number}",
            "labels": {"serving.knative.dev/revision": revision},
            **meta,
        },
        "status": {
            "podIP": f"10.0.0.{number}" if ip is None else ip,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def announcement(number: int = 1, *, ip: str | None = None, revision: str = REVISION.name) -> Announcement:
    return Announcement("default", revision, f"pod-{number}", f"uid-{number}", f"{ip or f'10.0.0.{number}'}:8012")


class World:
    """Backends over pods whose probes are answered by hand, or by `healthy`."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.probes: list[tuple[float, Address, Callable[[bool], None]]] = []
        self.dropped: list[Address] = []
        self.proven: list[PodFacts] = []
        self.changes = 0
        self.seen: dict[str, Obj] = {}
        self.backends = Backends(
            self.clock,
            lambda address, done: self.probes.append((self.clock.now(), address, done)),
            self._changed,
            self.proven.append,
            self.dropped.append,
            probe_first_s=0.05,
            probe_last_s=0.2,
        )
        self.backends.revision_changed(REVISION, kubernetes_decides=False)

    def _changed(self, revision: Target) -> None:
        self.changes += 1

    def put(self, new: Obj) -> None:
        uid = new["metadata"]["uid"]
        self.backends.pod_changed(self.seen.get(uid), new)
        self.seen[uid] = new

    def remove(self, old: Obj) -> None:
        self.backends.pod_changed(old, None)
        del self.seen[old["metadata"]["uid"]]

    def answer(self, passed: bool) -> None:
        """Answer all probes under way."""
        probes, self.probes = self.probes, []
        for _, _, done in probes:
            done(passed)

    def usable(self) -> list[str]:
        return sorted(backend.name for backend in self.backends.usable(REVISION))


def test_case_15_a_pod_that_kubernetes_calls_ready_is_used_without_a_probe() -> None:
    world = World()
    world.put(pod(ready=True))
    assert world.usable() == ["pod-1"]
    assert world.probes == []


def test_a_pod_that_is_not_ready_is_not_probed_while_nobody_waits() -> None:
    world = World()
    world.put(pod())
    world.clock.advance(60)
    assert (world.usable(), world.probes) == ([], [])


def test_case_12_a_pod_that_passes_our_probe_counts_before_kubernetes_agrees() -> None:
    world = World()
    world.backends.wait(REVISION, True)
    world.put(pod())
    assert [address for _, address, _ in world.probes] == [("10.0.0.1", 8012)]
    world.answer(True)
    assert world.usable() == ["pod-1"]


def test_case_12_with_an_exec_readiness_probe_kubernetes_has_the_last_word() -> None:
    world = World()
    world.backends.revision_changed(REVISION, kubernetes_decides=True)
    world.backends.wait(REVISION, True)
    world.put(pod())
    world.backends.announced(announcement())
    world.clock.advance(5)
    assert (world.usable(), world.probes) == ([], [])
    world.put(pod(ready=True))
    assert world.usable() == ["pod-1"]


def test_case_5_while_requests_wait_pods_are_probed_from_50_ms_on_backing_off_to_200_ms() -> None:
    world = World()
    world.put(pod())
    world.backends.wait(REVISION, True)
    times: list[float] = []
    for _ in range(200):
        times += [at for at, _, _ in world.probes]
        world.answer(False)
        world.clock.advance(0.01)
    gaps = [round(after - before, 3) for before, after in pairwise(times)]
    assert times[0] == 0
    assert min(gaps) >= 0.05
    assert max(gaps) <= 0.21
    assert gaps[-1] >= 0.2


def test_probing_ends_when_nobody_waits_any_more() -> None:
    world = World()
    world.put(pod())
    world.backends.wait(REVISION, True)
    world.answer(False)
    world.backends.wait(REVISION, False)
    world.clock.advance(60)
    assert world.probes == []


def test_a_line_that_fills_and_empties_quickly_does_not_make_a_storm_of_probes() -> None:
    world = World()
    world.put(pod())
    count = 0
    for _ in range(100):
        world.backends.wait(REVISION, True)
        count += len(world.probes)
        world.answer(False)
        world.backends.wait(REVISION, False)
        world.clock.advance(0.001)
    assert count <= 3


def test_an_announced_pod_is_probed_at_once_though_nobody_waits() -> None:
    world = World()
    world.put(pod())
    assert world.backends.announced(announcement())
    assert len(world.probes) == 1
    assert world.usable() == []
    world.answer(True)
    assert world.usable() == ["pod-1"]


def test_a_pod_that_passes_before_kubernetes_calls_it_ready_is_told_of() -> None:
    world = World()
    world.put(pod(1, ready=False))
    world.backends.announced(announcement(1))
    world.answer(False)
    assert world.proven == []
    world.backends.announced(announcement(1))
    world.answer(True)
    assert [(facts.name, facts.uid, facts.revision) for facts in world.proven] == [("pod-1", "uid-1", REVISION)]


def test_a_pod_that_kubernetes_has_called_ready_meanwhile_is_no_news() -> None:
    world = World()
    world.put(pod(1, ready=False))
    world.backends.announced(announcement(1))
    world.put(pod(1, ready=True))
    world.answer(True)
    assert world.proven == []


def test_an_announcement_may_come_before_kubernetes_knows_the_ip_or_even_the_pod() -> None:
    world = World()
    world.put(pod(1, ip=""))
    world.backends.announced(announcement(1))
    world.backends.announced(announcement(2))
    world.put(pod(2, ip=""))
    assert [address for _, address, _ in world.probes] == [("10.0.0.1", 8012), ("10.0.0.2", 8012)]
    world.answer(True)
    world.put(pod(1))
    assert world.usable() == ["pod-1", "pod-2"], "the same IP from Kubernetes changes nothing"


def test_an_announcement_of_another_port_is_refused() -> None:
    world = World()
    world.put(pod())
    elsewhere = announcement()
    elsewhere.address = elsewhere.address.replace(":8012", ":6666")
    assert not world.backends.announced(elsewhere)


def test_nobody_can_announce_himself_into_a_revision_or_as_another_pod() -> None:
    world = World()
    world.put(pod(1))
    assert not world.backends.announced(announcement(1, ip="10.6.6.6"))
    assert world.backends.announced(announcement(3)), "kept, in case its pod is still to come"
    world.put(pod(3, revision="other-00001"))
    assert world.backends.pods(Target("default", "other-00001"))[0].announced is None
    assert world.probes == []


def test_early_announcements_are_bounded() -> None:
    world = World()
    for number in range(5000):
        world.backends.announced(announcement(number))
    world.put(pod(0, ip=""))
    world.put(pod(4999, ip=""))
    assert [address[0] for _, address, _ in world.probes] == ["10.0.0.4999"]


def test_a_pod_that_kubernetes_calls_unready_again_is_out_until_it_passes_a_new_probe() -> None:
    world = World()
    world.put(pod(ready=True))
    world.put(pod(ready=False))
    assert world.usable() == []
    assert len(world.probes) == 1
    world.answer(True)
    assert world.usable() == ["pod-1"]


def test_a_pod_that_is_deleted_is_out_at_once_and_its_idle_connections_go() -> None:
    world = World()
    world.put(pod(ready=True))
    world.put(pod(ready=True, deletionTimestamp="2026-01-01T00:00:00Z"))
    assert world.usable() == []
    assert world.dropped == [("10.0.0.1", 8012)]


def test_a_pod_that_is_gone_is_forgotten() -> None:
    world = World()
    world.put(pod(1, ready=True))
    world.put(pod(2, ready=True))
    world.remove(pod(1, ready=True))
    assert world.usable() == ["pod-2"]
    assert world.dropped == [("10.0.0.1", 8012)]


def test_a_probe_that_passes_for_a_pod_that_has_gone_changes_nothing() -> None:
    world = World()
    world.backends.wait(REVISION, True)
    world.put(pod())
    world.remove(pod())
    world.answer(True)
    assert world.usable() == []


def test_case_22_a_pod_that_refuses_is_out_until_it_passes_a_probe_even_if_kubernetes_calls_it_ready() -> None:
    world = World()
    world.put(pod(ready=True))
    world.backends.refused(world.backends.usable(REVISION)[0])
    assert world.usable() == []
    assert world.dropped == [("10.0.0.1", 8012)]
    world.put(pod(ready=True))
    assert world.usable() == []
    world.answer(True)
    assert world.usable() == ["pod-1"]


def test_a_pod_that_refuses_is_looked_after_even_when_nobody_waits_but_not_often() -> None:
    world = World()
    world.put(pod(ready=True))
    world.backends.refused(world.backends.usable(REVISION)[0])
    count = 0
    for _ in range(600):
        count += len(world.probes)
        world.answer(False)
        world.clock.advance(0.1)
    assert 28 < count < 45
    world.backends.wait(REVISION, True)
    world.clock.advance(0.05)
    assert len(world.probes) == 1, "but at once when somebody does"


def test_a_pod_that_kubernetes_calls_ready_anew_is_trusted_again() -> None:
    world = World()
    world.put(pod(ready=True))
    world.backends.refused(world.backends.usable(REVISION)[0])
    world.put(pod(ready=False))
    world.put(pod(ready=True))
    assert world.usable() == ["pod-1"]


def test_a_second_refusal_of_the_same_pod_changes_nothing() -> None:
    world = World()
    world.put(pod(ready=True))
    backend = world.backends.usable(REVISION)[0]
    world.backends.refused(backend)
    changes = world.changes
    world.backends.refused(backend)
    assert world.changes == changes


def test_what_was_found_out_about_an_address_does_not_hold_for_another() -> None:
    world = World()
    world.put(pod(1, ip=""))
    world.backends.announced(announcement(1, ip="10.0.0.8"))
    world.answer(True)
    assert world.usable() == ["pod-1"]
    world.put(pod(1, ip="10.0.0.9"))
    assert world.usable() == []


def test_a_revision_without_object_and_pods_leaves_nothing_behind() -> None:
    world = World()
    world.put(pod(ready=True))
    world.backends.revision_removed(REVISION)
    assert world.backends.revisions() == [REVISION]
    world.remove(pod(ready=True))
    assert world.backends.revisions() == []


def test_what_is_in_flight_is_told_by_pod_also_of_one_that_leaves() -> None:
    world = World()
    for number in (1, 2, 3):
        world.put(pod(number, ready=True))
    one, two, _ = sorted(world.backends.usable(REVISION), key=lambda backend: backend.name)
    one.running, two.running = 3, 1
    world.put(pod(2, ready=True, deletionTimestamp="now"))
    assert world.backends.loads(REVISION) == {"pod-1": 3, "pod-2": 1}
    assert world.backends.loads(Target("default", "other")) == {}
