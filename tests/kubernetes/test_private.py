"""A Service for the cluster only: nobody outside reaches it, by whatever name."""

from __future__ import annotations

from swell.testing.home import unique
from swell.testing.kubernetes import Installed

LABEL = "networking.knative.dev/visibility"


async def test_a_cluster_local_service_answers_inside_and_not_at_the_node_port(kubernetes_cluster: Installed) -> None:
    home = kubernetes_cluster.home
    async with home.client() as objects:
        name = unique("private")
        service = objects.service(name)
        service["metadata"]["labels"] = {LABEL: "cluster-local"}
        ready = await objects.deploy(service)
        host = f"{name}.{home.namespace}.svc.cluster.local"
        assert ready["status"]["url"] == f"http://{host}"

        for outside in (host, f"{name}.{home.namespace}", home.host(name)):
            assert (await objects.get(name, host=outside)).status == 404

        inside = home.kubectl("-n", "swell-system", "get", "svc", "activator-local", "-o", "jsonpath={.spec.clusterIP}")
        async with objects.session.get(f"http://{inside}/", headers={"Host": host}) as answer:
            assert answer.status == 200
        named = home.kubectl("get", "svc", name, "-o", "jsonpath={.spec.externalName}")
        assert named == "activator-local.swell-system.svc.cluster.local"
        await objects.clean()
