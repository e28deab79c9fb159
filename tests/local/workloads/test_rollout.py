"""The arithmetic of rollouts, played out with pods that get ready when they please."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from swell.api.meta import Obj
from swell.local.workloads.rollout import (
    Bounds,
    Sets,
    new_replicas,
    old_replicas,
    same_template,
    template_hash,
)


class Simulated:
    """A ReplicaSet whose pods become ready, or fail, as the test says."""

    def __init__(self, name: str, replicas: int, available: int) -> None:
        self.name = name
        self.replicas = replicas
        self.available = min(available, replicas)

    def obj(self) -> Obj:
        return {
            "metadata": {"name": self.name},
            "spec": {"replicas": self.replicas},
            "status": {"replicas": self.replicas, "availableReplicas": self.available},
        }

    def scale(self, replicas: int) -> None:
        """Going down, those that are not available go first."""
        self.replicas = replicas
        self.available = min(self.available, replicas)


PERCENT_OR_COUNT = st.one_of(st.integers(0, 6), st.integers(0, 100).map(lambda value: f"{value}%"))


@settings(max_examples=150, deadline=None)
@given(
    replicas=st.integers(0, 12),
    surge=PERCENT_OR_COUNT,
    unavailable=PERCENT_OR_COUNT,
    old=st.lists(st.integers(0, 6), max_size=3),
    data=st.data(),
)
def test_a_rollout_keeps_its_bounds_and_comes_to_its_end(
    replicas: int, surge: int | str, unavailable: int | str, old: list[int], data: st.DataObject
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    bounds = Bounds.of({"spec": {"replicas": replicas, "strategy": {"rollingUpdate": rolling}}})
    assert bounds.surge + bounds.unavailable > 0
    olds = [Simulated(f"old-{number}", count, count) for number, count in enumerate(old)]
    new = Simulated("new", 0, 0)
    for _ in range(100):
        sets = Sets(new.obj(), [each.obj() for each in olds])
        before = sum(each.available for each in (*olds, new))
        new.scale(new_replicas(bounds, sets))
        by_name = {each.name: each for each in olds}
        for replica_set, count in old_replicas(bounds, sets):
            assert count >= 0
            by_name[replica_set["metadata"]["name"]].scale(count)
        available = sum(each.available for each in (*olds, new))
        assert available >= min(before, bounds.available_min)
        assert new.replicas <= bounds.replicas
        assert new.replicas + sum(each.replicas for each in olds) <= max(bounds.pods_max, sum(old))
        if new.available < new.replicas:
            new.available += data.draw(st.integers(1, new.replicas - new.available))
        if new.available == replicas and not any(each.replicas for each in olds):
            return
    raise AssertionError(f"stuck: {[(each.name, each.replicas, each.available) for each in (*olds, new)]}")


def template(**labels: str) -> Any:
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "one"}]}}


def test_templates_are_the_same_but_for_the_hash() -> None:
    assert same_template(template(app="a"), template(app="a", **{"pod-template-hash": "x"}))
    assert same_template({"spec": {}}, {"metadata": {}, "spec": {}})
    assert not same_template(template(app="a"), template(app="b"))


def test_a_hash_is_stable_is_a_label_and_moves_with_collisions() -> None:
    hashes = [template_hash(template(app="a"), collisions) for collisions in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[0] == template_hash(template(app="a", **{"pod-template-hash": hashes[0]}), 0)
    assert len(hashes[0]) == 10
    assert hashes[0].isalnum()
