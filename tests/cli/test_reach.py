"""Which autoscaler is asked, and at which port."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.buckets import bucket_of
from swell.api.kinds import CONFIG_MAP, Kind
from swell.cli.reach import NoAutoscaler, of_owners
from swell.kube.errors import NotFound

ONE = next(f"r-{n}" for n in range(99) if bucket_of("default", f"r-{n}", 2) == 1)


class Cluster:
    """Leases and the ConfigMap by name; pods answer with who they are."""

    def __init__(self, buckets: str | None, **holders: str) -> None:
        self._config = None if buckets is None else {"data": {"buckets": buckets}}
        self._holders = {name.replace("_", "-"): holder for name, holder in holders.items()}

    async def get(self, kind: Kind, namespace: str, name: str) -> Any:
        if kind is CONFIG_MAP:
            if self._config is None:
                raise NotFound(404, "NotFound", name)
            return self._config
        return {"spec": {"holderIdentity": self._holders[name]}}

    async def through_pod(self, namespace: str, pod: str, port: int, path: str) -> Any:
        return {f"{pod}:{port}": path}


def ask(cluster: Cluster) -> Any:
    return of_owners(cluster, "swell-system")  # type: ignore[arg-type]


async def test_without_buckets_the_one_that_leads_is_asked() -> None:
    cluster = Cluster(None, autoscaler_bucket_00_of_01="a")
    assert await ask(cluster)(f"/why/default/{ONE}") == {"a:8080": f"/why/default/{ONE}"}
    assert await ask(cluster)("/decisions") == {"a:8080": "/decisions"}


async def test_of_several_owners_that_of_the_revision_is_asked_and_all_for_all() -> None:
    cluster = Cluster("2", autoscaler_bucket_00_of_02="a", autoscaler_bucket_01_of_02="b")
    assert await ask(cluster)(f"/why/default/{ONE}?at=7") == {"b:8081": f"/why/default/{ONE}?at=7"}
    assert await ask(cluster)("/decisions") == {"a:8080": "/decisions", "b:8081": "/decisions"}


async def test_a_bucket_without_an_owner_is_told_of() -> None:
    cluster = Cluster("2", autoscaler_bucket_00_of_02="a", autoscaler_bucket_01_of_02="")
    with pytest.raises(NoAutoscaler, match="no autoscaler leads now"):
        await ask(cluster)(f"/why/default/{ONE}")
