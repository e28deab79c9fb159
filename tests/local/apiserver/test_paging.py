"""Lists in pages."""

from __future__ import annotations

import pytest

from swell.api.meta import Obj
from swell.kube.errors import Invalid
from swell.local.apiserver.paging import Page, cut


def objects(*names: str) -> list[Obj]:
    return [{"metadata": {"namespace": "n", "name": name}} for name in names]


def names(items: list[Obj]) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def test_pages_follow_each_other_under_the_version_of_the_first() -> None:
    first = cut(objects("a", "b", "c", "d", "e"), Page(limit=2), 7)
    assert names(first.items) == ["a", "b"]
    assert first.metadata()["remainingItemCount"] == 3
    # Meanwhile c goes and bb comes.
    second = cut(objects("a", "b", "bb", "d", "e"), Page(2, first.token), 9)
    assert names(second.items) == ["bb", "d"]
    last = cut(objects("a", "b", "bb", "d", "e"), Page(2, second.token), 9)
    assert names(last.items) == ["e"]
    assert last.metadata() == {"resourceVersion": "7"}


def test_without_a_limit_all_come_at_once() -> None:
    assert names(cut(objects("a", "b"), Page(), 3).items) == ["a", "b"]


@pytest.mark.parametrize("token", ["x", "e30=", "WzEsMl0="])
def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(Invalid, match="continue key is not valid"):
        cut(objects("a"), Page(1, token), 1)
