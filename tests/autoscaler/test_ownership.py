"""Who owns what: spec autoscaling cases 86 to 89, and what must hold of any choice."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.api.buckets import Share, angles, bucket_name, bucket_of, bucket_url, choose


@pytest.mark.parametrize(
    ("ordinal", "total", "name"), [(0, 10, "autoscaler-bucket-00-of-10"), (10, 1, "autoscaler-bucket-10-of-01")]
)
def test_case_86_bucket_names(ordinal: int, total: int, name: str) -> None:
    assert bucket_name(ordinal, total) == name


@pytest.mark.parametrize(("name", "owner"), [("succulent", "as-bucket-00-of-02"), ("plant", "as-bucket-01-of-02")])
def test_case_87_owner_among_two_buckets(name: str, owner: str) -> None:
    assert choose(["as-bucket-01-of-02", "as-bucket-00-of-02"], 1, f"knative-testing/{name}") == {owner}


@pytest.mark.parametrize(
    ("namespace", "name", "ordinal", "start", "step"),
    [
        ("default", "hello-00001", 0, 1630, 2006),
        ("default", "hello-00002", 1, 551, 277),
        ("prod", "api-00007", 0, 1822, 918),
    ],
)
def test_case_88_owner_among_three_autoscaler_buckets(
    namespace: str, name: str, ordinal: int, start: int, step: int
) -> None:
    assert angles(f"{namespace}/{name}") == (start, step)
    assert bucket_of(namespace, name, 3) == ordinal
    assert [Share(each, 3).owns(namespace, name) for each in range(3)] == [each == ordinal for each in range(3)]


def test_case_89_subsets_of_activators() -> None:
    eight = [f"10.0.0.{last}" for last in range(1, 9)]
    assert choose(eight, 3, "hello-00001") == {"10.0.0.4", "10.0.0.6", "10.0.0.8"}
    more = [f"10.1.{third}.{last}" for third in (1, 2) for last in range(1, 5)]
    found = choose(more, 5, "to-proxy-with-subset")
    assert found == {"10.1.1.1", "10.1.1.4", "10.1.2.2", "10.1.2.3", "10.1.2.4"}


names = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=40, unique=True)


@given(names, st.integers(1, 50), st.text(max_size=20), st.randoms())
def test_a_choice_has_the_right_size_and_does_not_depend_on_the_order(
    names: list[str], count: int, target: str, random: Random
) -> None:
    found = choose(names, count, target)
    assert found <= set(names)
    assert len(found) == min(count, len(names))
    random.shuffle(names)
    assert choose(names, count, target) == found


def test_revisions_are_spread_over_all_buckets() -> None:
    counts = Counter(bucket_of("default", f"service-{number}-00001", 10) for number in range(2000))
    assert len(counts) == 10
    assert max(counts.values()) < 5 * min(counts.values())


def test_one_bucket_has_everything() -> None:
    assert Share().owns("default", "hello")
    assert Share().name == "autoscaler-bucket-00-of-01"


@pytest.mark.parametrize(
    ("url", "ordinal", "found"),
    [
        (
            "ws://autoscaler.swell-system.svc.cluster.local:8080",
            0,
            "ws://autoscaler.swell-system.svc.cluster.local:8080",
        ),
        ("ws://autoscaler:8080/stats", 3, "ws://autoscaler:8083/stats"),
        ("ws://autoscaler", 1, "ws://autoscaler:81"),
        ("ws://[::1]:8080", 9, "ws://[::1]:8089"),
    ],
)
def test_each_owner_has_the_next_port(url: str, ordinal: int, found: str) -> None:
    assert bucket_url(url, ordinal) == found
