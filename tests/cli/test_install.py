"""`swell install`, `uninstall` and `status` as far as they are decisions: what is written, refused, asked and told."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api import kinds
from swell.cli.installation import manifests, rights
from swell.cli.installation.install import to_yaml
from swell.cli.installation.programs import programs
from swell.cli.installation.refusals import Refused, Seen, check
from swell.cli.installation.render import BadOption, Options, keeping, kind_of, remembered, render
from swell.cli.installation.report import Snapshot, addresses, report
from swell.cli.installation.uninstall import told
from swell.cli.manifests import read_manifests

Obj = dict[str, Any]


def rendered(**options: Any) -> dict[str, Obj]:
    objects = render(manifests.base(), manifests.disruption_budgets(), Options(**options))
    return {f"{obj['kind']}/{obj['metadata']['name']}": obj for obj in objects}


def test_what_others_refer_to_is_written_before_them_and_webhooks_last() -> None:
    order = list(dict.fromkeys(obj["kind"] for obj in rendered(replicas=2).values()))
    assert order[:2] == ["Namespace", "CustomResourceDefinition"]
    assert order.index("ConfigMap") < order.index("Deployment")
    assert order[-2:] == ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]


def test_the_image_is_that_of_all_programs_and_of_the_sidecar() -> None:
    found = rendered(image="registry.example/swell:2")
    for name in ("activator", "autoscaler", "controller"):
        (container,) = found[f"Deployment/{name}"]["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "registry.example/swell:2"
    assert found["ConfigMap/config-deployment"]["data"]["queue-sidecar-image"] == "registry.example/swell:2"


def test_several_replicas_come_with_disruption_budgets() -> None:
    assert "PodDisruptionBudget/activator" not in rendered()
    found = rendered(replicas=3)
    assert found["Deployment/activator"]["spec"]["replicas"] == 3
    assert "PodDisruptionBudget/activator" in found


def test_an_external_port_that_can_be_a_node_port_is_one() -> None:
    def port(**options: Any) -> Any:
        return rendered(**options)["Service/activator"]["spec"]["ports"][0].get("nodePort")

    assert port(service_type="NodePort", external_port=30080) == 30080
    assert port(service_type="NodePort", external_port=80) is None
    assert port(external_port=30080) is None
    assert rendered(external_port=8080)["ConfigMap/config-network"]["data"]["swell.external-port"] == "8080"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"replicas": 0}, "--replicas 0: want 1 or more"),
        ({"service_type": "loadbalancer"}, "want LoadBalancer, NodePort, ClusterIP"),
        ({"external_port": 70000}, "want 1 to 65535"),
        ({"domain": "no domain"}, "want a domain such as example.com"),
        ({"image": ""}, "want the name of an image"),
    ],
)
def test_a_bad_option_is_told_with_what_is_allowed(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadOption, match=says):
        rendered(**options)


def test_the_next_installation_knows_what_this_one_was_told() -> None:
    namespace = rendered(replicas=2, service_type="NodePort", external_port=30080, image="x")["Namespace/swell-system"]
    again = Options(external_port=30081).after(remembered(namespace))
    assert again == Options(replicas=2, service_type="NodePort", external_port=30081)


def test_what_a_user_set_in_a_config_map_stays() -> None:
    wanted = rendered()["ConfigMap/config-autoscaler"]
    live = {"data": {"scale-to-zero-grace-period": "20s", "stable-window": "30s", "_example": "old"}}
    data = keeping(wanted, live, Options())["data"]
    assert data["scale-to-zero-grace-period"] == "20s"
    assert data["stable-window"] == "30s"
    assert data["_example"] == wanted["data"]["_example"]


def test_the_image_of_the_sidecar_moves_with_the_version() -> None:
    wanted = rendered(image="s:2")["ConfigMap/config-deployment"]
    assert keeping(wanted, {"data": {"queue-sidecar-image": "s:1"}}, Options())["data"]["queue-sidecar-image"] == "s:2"


def test_a_new_default_domain_takes_the_place_of_the_old_one() -> None:
    options = Options(domain="new.example")
    wanted = rendered(domain="new.example")["ConfigMap/config-domain"]
    live = {"data": {"old.example": "", "shop.example": "selector:\n  team: shop\n"}}
    data = keeping(wanted, live, options)["data"]
    assert set(data) == {"_example", "new.example", "shop.example"}


def test_the_printed_objects_are_the_written_ones(tmp_path: Any) -> None:
    objects = list(rendered().values())
    (tmp_path / "all.yaml").write_text(to_yaml(objects))
    assert read_manifests([str(tmp_path / "all.yaml")]) == objects


def definition(name: str = "services.serving.knative.dev", version: str = "0.1.0", **changes: Any) -> Obj:
    labels = {"app.kubernetes.io/name": "swell", "app.kubernetes.io/version": version}
    spec = {"group": name.partition(".")[2], "versions": [{"name": "v1"}], **changes}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def binding(namespace: str) -> Obj:
    subject = {"kind": "ServiceAccount", "name": "controller", "namespace": namespace}
    return {"metadata": {"labels": {"app.kubernetes.io/part-of": "swell"}}, "subjects": [subject]}


FOREIGN = {**definition(), "metadata": {"name": "services.serving.knative.dev", "labels": {}}}
UNRELATED = {**definition("widgets.example.com", "9.9.9"), "metadata": {"name": "widgets.example.com"}}


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (Seen(definitions=[FOREIGN]), "definitions that Swell did not make: services.serving.knative.dev"),
        (Seen(bindings=[binding("elsewhere")]), "installed in this cluster already, in namespace elsewhere"),
        (Seen(definitions=[definition(version="0.10.0")]), "has Swell 0.10.0, and this is the older 0.9.1"),
        (Seen(definitions=[definition(versions=[{"name": "v1"}, {"name": "v2"}])]), "has v2, which Swell 0.9.1"),
        (Seen(namespace={"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), "is being deleted"),
    ],
)
def test_what_would_be_harmed_is_a_reason_to_refuse(seen: Seen, says: str) -> None:
    with pytest.raises(Refused, match=says):
        check(seen, list(rendered().values()), "0.9.1")


def test_an_older_installation_and_others_objects_are_no_reason_to_refuse() -> None:
    seen = Seen(definitions=[definition(version="0.1.0"), UNRELATED], bindings=[binding("swell-system")])
    check(seen, list(rendered().values()), "0.2.0")


def test_rights_are_asked_for_every_kind_that_is_written() -> None:
    objects = list(rendered(replicas=2).values())
    asked = rights.to_write(objects)
    for obj in objects:
        kind = kind_of(obj)
        namespace = "swell-system" if kind.namespaced else ""
        for verb in ("get", "create", "patch"):
            assert rights.Right(kind.group, kind.plural, namespace, "", verb) in asked


def test_what_roles_give_away_is_asked_for_with_its_names() -> None:
    free, granted = rights.to_pass_on(rendered().values())
    assert rights.Right("rbac.authorization.k8s.io", "clusterroles", "", "", "escalate") in free
    assert rights.Right("", "secrets", "swell-system", "swell-webhook-certs", "update") in granted
    assert rights.Right("apps", "deployments/scale", "", "", "patch") in granted


def test_a_right_asks_for_its_subresource_as_such() -> None:
    right = rights.Right("apps", "deployments/scale", "", "", "patch")
    attributes = {"group": "apps", "resource": "deployments", "subresource": "scale", "verb": "patch"}
    assert right.to_review() == {"spec": {"resourceAttributes": attributes}}


def test_missing_rights_are_told_by_resource() -> None:
    kind = kinds.CLUSTER_ROLE
    missing = {rights.Right(kind.group, kind.plural, "", "", verb) for verb in ("patch", "create")}
    assert rights.describe(missing) == "  create, patch clusterroles.rbac.authorization.k8s.io"


def deployment(name: str, *, ready: int = 1, **status: Any) -> Obj:
    counts = {"updatedReplicas": 1, "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1}
    return {"metadata": {"name": name, "generation": 1}, "spec": {"replicas": 1}, "status": {**counts, **status}}


def pod(app: str, **status: Any) -> Obj:
    return {"metadata": {"name": f"{app}-x", "labels": {"app": app}}, "status": status}


def container(reason: str, message: str = "", **more: Any) -> list[Obj]:
    return [{"state": {"waiting": {"reason": reason, "message": message}}, **more}]


@pytest.mark.parametrize(
    ("sick", "says"),
    [
        (
            pod("activator", containerStatuses=container("ImagePullBackOff", "no such image")),
            "ImagePullBackOff: no such",
        ),
        (
            pod("activator", conditions=[{"type": "PodScheduled", "status": "False", "message": "too little memory"}]),
            "has no node: too little memory",
        ),
        (
            pod(
                "activator",
                containerStatuses=container(
                    "CrashLoopBackOff", lastState={"terminated": {"reason": "Error", "exitCode": 1}}
                ),
            ),
            "ended with Error (exit code 1): kubectl --namespace swell-system logs activator-x --previous",
        ),
    ],
)
def test_a_program_that_does_not_run_is_told_with_its_pods_own_reason(sick: Obj, says: str) -> None:
    found = programs([deployment("activator", ready=0)], [sick])
    assert not found[0].rolled_out
    assert says in str(found[0])


def test_a_program_whose_pods_cannot_be_made_is_told_why() -> None:
    failure = [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]
    (found, *_) = programs([deployment("activator", ready=0, conditions=failure)], [])
    assert found.troubles == ("no pod can be made: exceeded quota",)


def test_an_update_that_is_not_seen_yet_is_not_rolled_out() -> None:
    before = deployment("activator")
    before["metadata"]["generation"] = 2
    assert not programs([before], [])[0].rolled_out
    # The old pod is the available one.
    assert not programs([deployment("activator", replicas=2)], [])[0].rolled_out
    assert programs([deployment("activator")], [])[0].rolled_out


def healthy() -> dict[str, Any]:
    webhook = {"metadata": {"name": "w"}, "webhooks": [{"clientConfig": {"caBundle": "eA=="}}]}
    return {
        "definitions": [definition()],
        "deployments": [deployment(name) for name in ("activator", "autoscaler", "controller")],
        "leases": {name: {"spec": {"holderIdentity": f"{name}-1"}} for name in ("autoscaler", "controller")},
        "webhooks": [webhook],
        "gateway": {"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "ports": [{"port": 80}]}},
        "revisions": [{"status": {"actualReplicas": 2}}, {"status": {}}],
    }


def test_a_healthy_installation_has_no_problems() -> None:
    found = report(Snapshot(**healthy()))
    assert found.problems == ()
    assert "controller  1/1 ready, controller-1 leads" in found.lines
    assert "revisions   2, 1 running and 1 at zero" in found.lines


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"leases": {}}, "nobody leads"),
        ({"webhooks": [{"metadata": {"name": "w"}, "webhooks": [{"clientConfig": {}}]}]}, "has no caBundle"),
        ({"webhook_fault": "connection refused"}, "writes of Services are refused, running ones are untouched"),
        ({"gateway": None}, "nothing reaches the front door"),
        ({"deployments": []}, "the Deployment controller is not there"),
    ],
)
def test_what_is_wrong_is_a_problem_in_plain_words(change: dict[str, Any], says: str) -> None:
    found = report(Snapshot(**{**healthy(), **change}))
    assert any(says in problem for problem in found.problems)


def test_the_gateway_is_told_as_it_can_be_reached() -> None:
    ports = [{"port": 80, "nodePort": 30080}]
    given = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    waiting = {"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "ports": ports}}
    assert addresses({**waiting, "status": given}) == "http://192.0.2.7"
    assert "port 30080 of every node" in addresses(waiting)
    assert "no address from a load balancer yet" in addresses(waiting)


def test_services_that_would_be_lost_are_counted_by_namespace() -> None:
    services = [{"metadata": {"namespace": name}} for name in ("shop", "default", "shop")]
    assert told(services) == "3 Services would be lost (1 in default, 2 in shop)"
