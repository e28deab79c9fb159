"""Slots on pods and the line in front of them: spec dataplane 2.4, 2.5."""

from __future__ import annotations

import random
from collections import deque

from activator.admission.buffer import Room
from activator.admission.throttler import Backend, Throttler


def backend(number: int) -> Backend:
    return Backend((f"10.0.0.{number}", 8012), name=f"pod-{number}")


def throttler(container_concurrency: int, pods: int = 0) -> Throttler[str]:
    made: Throttler[str] = Throttler(Room[str]().line(), container_concurrency, random.Random(1).random)
    made.set_backends(backend(i) for i in range(pods))
    return made


def drain(subject: Throttler[str]) -> list[tuple[str, str]]:
    started = []
    while (pair := subject.next()) is not None:
        started.append((pair[0], pair[1].name))
    return started


def test_without_pods_everybody_waits_and_a_pod_lets_them_go_in_order() -> None:
    subject = throttler(0)
    assert subject.take() is None
    for name in ("a", "b", "c"):
        subject.line.join(name, 1)
    assert drain(subject) == []
    subject.set_backends([backend(1)])
    assert drain(subject) == [("a", "pod-1"), ("b", "pod-1"), ("c", "pod-1")]


def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    subject = throttler(1, pods=1)
    first = subject.take()
    assert first is not None
    subject.line.join("waiting", 1)
    subject.release(first)
    assert subject.take() is None
    assert drain(subject) == [("waiting", "pod-0")]


def test_pods_are_taken_in_the_byte_order_of_their_addresses() -> None:
    subject = throttler(1)
    subject.set_backends([Backend(("10.0.0.9", 1), "nine"), Backend(("10.0.0.10", 1), "ten")])
    taken = [subject.take(), subject.take()]
    assert [pod.name for pod in taken if pod] == ["ten", "nine"]


def test_a_pod_that_stays_keeps_its_count_and_one_that_goes_finishes_alone() -> None:
    subject = throttler(1)
    one, two = backend(1), backend(2)
    subject.set_backends([one, two])
    assert (subject.take(), subject.take()) == (one, two)
    subject.set_backends([two])
    assert subject.take() is None
    subject.release(one)
    assert subject.take() is None, "the slot of a pod that has gone is not given out"
    subject.release(two)
    assert subject.take() is two


def test_a_changed_limit_holds_at_once_and_cancels_nothing() -> None:
    subject = throttler(3, pods=1)
    for _ in range(3):
        assert subject.take() is not None
    subject.set_limit(1)
    pod = subject.backends[0]
    subject.release(pod)
    assert (subject.take(), pod.running) == (None, 2)
    subject.set_limit(0)
    assert subject.take() is pod


def test_case_19_one_slot_on_ten_pods_serves_a_hundred_in_ten_waves_without_refusal() -> None:
    subject = throttler(1, pods=10)
    running: deque[Backend] = deque()
    for i in range(100):
        taken = subject.take()
        if taken is None:
            assert subject.line.join(f"r{i}", 1) == []
        else:
            running.append(taken)
    waves = [len(running)]
    while running:
        for _ in range(len(running)):
            subject.release(running.popleft())
        while (pair := subject.next()) is not None:
            running.append(pair[1])
            assert pair[1].running == 1
        waves.append(len(running))
    assert waves == [10] * 10 + [0]


def test_case_20_an_activator_among_others_gives_out_only_its_share() -> None:
    subject = throttler(1, pods=5)
    subject.set_share(0, 2)
    assert [pod.name for pod in subject.backends] == ["pod-0", "pod-1", "pod-4"]
    assert [subject.take() is not None for _ in range(4)] == [True, True, True, False]
    subject.set_share(1, 2)
    assert [pod.name for pod in subject.backends] == ["pod-2", "pod-3"]


def test_without_a_limit_every_activator_uses_all_pods() -> None:
    subject = throttler(0, pods=5)
    subject.set_share(0, 2)
    assert len(subject.backends) == 5
