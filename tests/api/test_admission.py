"""What is stored, and what is refused: the cases of the specification for whole objects."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from swell.api import labels
from swell.api.admission import Denied, admit
from swell.api.kinds import POD_AUTOSCALER
from swell.api.settings import ApiSettings, AutoscalerLimits, Defaults, Features, Flag, SecurePodDefaults
from swell.testing.objects import configuration, revision, revision_template, route, service

Obj = dict[str, Any]


def stored(obj: Obj, settings: ApiSettings | None = None, **options: Any) -> Obj:
    return admit(obj, settings or ApiSettings(), **options).obj


def refusal(obj: Obj, settings: ApiSettings | None = None, **options: Any) -> str:
    """Why it is refused; the text begins as clients know it."""
    with pytest.raises(Denied) as caught:
        admit(obj, settings or ApiSettings(), **options)
    text = str(caught.value)
    assert text.startswith("validation failed: ")
    return text.removeprefix("validation failed: ")


def updated(old: Obj, new: Obj, user: str = "bob", settings: ApiSettings | None = None) -> Obj:
    return stored(new, settings, old=old, operation="UPDATE", user=user)


def with_template(old: Obj, **template: Any) -> Obj:
    new = copy.deepcopy(old)
    new["spec"]["template"].update(template)
    return new


def test_case_1_a_service_of_one_container_is_stored_complete() -> None:
    made = stored(service(), user="alice")
    spec = made["spec"]["template"]["spec"]
    assert spec == {
        "containers": [
            {
                "image": "app",
                "name": "user-container",
                "resources": {},
                "readinessProbe": {"successThreshold": 1, "tcpSocket": {"port": 0}},
            }
        ],
        "timeoutSeconds": 300,
        "containerConcurrency": 0,
        "enableServiceLinks": False,
    }
    assert made["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]
    assert made["metadata"]["annotations"] == {labels.CREATOR: "alice", labels.LAST_MODIFIER: "alice"}


def test_case_2_the_timeout() -> None:
    def timed(value: int) -> Obj:
        return service(template=revision_template(timeoutSeconds=value))

    assert stored(timed(0))["spec"]["template"]["spec"]["timeoutSeconds"] == 300
    assert refusal(timed(601)) == "expected 0 <= 601 <= 600: spec.template.spec.timeoutSeconds"
    assert refusal(timed(-1)) == "expected 0 <= -1 <= 600: spec.template.spec.timeoutSeconds"
    assert stored(timed(400))["spec"]["template"]["spec"]["responseStartTimeoutSeconds"] == 300


def test_case_3_container_concurrency() -> None:
    def limited(value: int) -> Obj:
        return service(template=revision_template(containerConcurrency=value))

    path = "spec.template.spec.containerConcurrency"
    assert refusal(limited(1001)) == f"expected 0 <= 1001 <= 1000: {path}"
    positive = ApiSettings(Defaults(allow_container_concurrency_zero=False))
    assert refusal(limited(0), positive) == f"expected 1 <= 0 <= 1000: {path}"


def test_case_4_names_and_annotations_of_the_service_itself() -> None:
    assert refusal(service("do.not")).startswith("not a DNS 1035 label: [a DNS-1035 label must consist of")
    assert refusal(service("do.not")).endswith(": metadata.name")
    assert refusal(service(annotations={labels.MIN_SCALE: "1"})) == (
        'invalid key name "autoscaling.knative.dev/min-scale": metadata.annotations\n'
        'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'
    )
    path = "metadata.annotations.serving.knative.dev/rollout-duration"
    for text, fault in (
        ("1500ms", "rollout-duration=1500ms is not at second precision"),
        ("-5s", "rollout-duration=-5s must be positive"),
        ("soon", "invalid value: soon"),
    ):
        assert refusal(service(annotations={labels.ROLLOUT_DURATION: text})) == f"{fault}: {path}"


def test_case_5_the_users_own_revision_names() -> None:
    path = "spec.template.metadata.name"
    other = service(template=revision_template(name="other-1"))
    assert refusal(other) == f'invalid value: "other-1" must have prefix "svc-": {path}'

    old = stored(service(template=revision_template(name="svc-v1")))
    spec = copy.deepcopy(old["spec"]["template"]["spec"])
    spec["containers"][0]["image"] = "app:2"
    changed = with_template(old, spec=spec)
    assert refusal(changed, old=old, operation="UPDATE") == (
        f"Saw the following changes without a name change (-old +new): {path}\n"
        'spec.containers[0].image:\n\t-: "app"\n\t+: "app:2"'
    )
    renamed = with_template(changed, metadata={"name": "svc-v2"})
    assert updated(old, renamed)["spec"]["template"]["metadata"]["name"] == "svc-v2"

    nameless = service("", generateName="svc-", template=revision_template(name="svc-v1"))
    assert refusal(nameless) == f"must not set the field(s): {path}"


def test_case_5d_holds_when_the_server_has_made_up_the_name_already() -> None:
    made_up = service("svc-x7k2p", generateName="svc-", template=revision_template(name="svc-v1"))
    assert refusal(made_up) == "must not set the field(s): spec.template.metadata.name"
    later = stored(service("svc-x7k2p", generateName="svc-"))
    named = with_template(later, metadata={"name": "svc-x7k2p-v1"})
    assert updated(later, named)["spec"]["template"]["metadata"]["name"] == "svc-x7k2p-v1"


def test_case_6_annotations_of_the_template() -> None:
    def annotated(**annotations: str) -> Obj:
        return service(template=revision_template(annotations=annotations))

    path = "spec.template.metadata.annotations"
    visible = annotated(**{labels.VISIBILITY: "cluster-local"})
    assert refusal(visible) == f'invalid key name "networking.knative.dev/visibility": {path}'
    stored(annotated(**{"networking.knative.dev/ingress-class": "x"}))
    zero = annotated(**{labels.INITIAL_SCALE: "0"})
    assert refusal(zero) == f"invalid value: 0: {path}.autoscaling.knative.dev/initial-scale=0 not allowed by cluster"
    stored(zero, ApiSettings(autoscaler=AutoscalerLimits(allow_zero_initial_scale=True)))
    crossed = annotated(**{labels.MIN_SCALE: "5", labels.MAX_SCALE: "2"})
    assert refusal(crossed).startswith("max-scale=2 is less than min-scale=5: ")
    stored(annotated(**{labels.COLD_START_PAGE: "true", labels.NO_WAKE_PATHS: "/favicon.ico,/probes/*"}))
    relative = annotated(**{labels.NO_WAKE_PATHS: "probes"})
    assert refusal(relative).startswith(f"invalid value: probes: {path}.swell.dev/no-wake-paths\n")
    assert refusal(service(annotations={labels.COLD_START_PAGE: "true"})).startswith("invalid key name ")


def test_case_7_traffic() -> None:
    def split(*targets: Obj) -> Obj:
        return service(traffic=list(targets))

    half = {"percent": 50}
    assert refusal(split({"percent": 50}, {"percent": 40})) == "Traffic targets sum to 90, want 100: spec.traffic"
    twice = split({**half, "tag": "foo"}, {**half, "tag": "foo"})
    assert refusal(twice) == 'Multiple definitions for "foo": spec.traffic[0].tag, spec.traffic[1].tag'
    capital = refusal(split({"percent": 100, "tag": "A"}))
    assert capital.startswith("invalid value: not a DNS 1035 label: [") and capital.endswith(": spec.traffic.tag[0]")
    for field in ("configurationName", "url"):
        told = refusal(split({"percent": 100, field: "x"}))
        assert told == f"must not set the field(s): spec.traffic[0].{field}"
    pinned = split({"percent": 100, "revisionName": "r", "latestRevision": True})
    assert refusal(pinned) == (
        'may not set revisionName "r" when latestRevision is true: spec.traffic[0].latestRevision'
    )
    floating = split({"percent": 100, "latestRevision": False})
    assert refusal(floating) == (
        'may not set revisionName "" when latestRevision is false: spec.traffic[0].latestRevision'
    )


def test_a_percent_outside_its_range_is_named() -> None:
    told = refusal(service(traffic=[{"percent": 101}, {"percent": -1}]))
    assert told == (
        "expected 0 <= -1 <= 100: spec.traffic[1].percent\nexpected 0 <= 101 <= 100: spec.traffic[0].percent"
    )


def test_a_route_names_a_revision_or_a_configuration_and_not_both() -> None:
    names = "spec.traffic[0].configurationName, spec.traffic[0].revisionName"
    neither = route(traffic=[{"percent": 100}])
    assert refusal(neither) == f"expected exactly one, got neither: {names}"
    both = route(traffic=[{"percent": 100, "configurationName": "c", "revisionName": "r"}])
    assert refusal(both) == f"expected exactly one, got both: {names}"
    assert stored(route(traffic=[{"percent": 100, "configurationName": "c"}]))["spec"]["traffic"] == [
        {"percent": 100, "configurationName": "c", "latestRevision": True}
    ]
    assert refusal(route()) == "Traffic targets sum to 0, want 100: spec.traffic"


def test_case_15_who_made_a_service_and_who_changed_it() -> None:
    old = stored(service(), user="alice")
    labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    assert updated(old, labelled)["metadata"]["annotations"][labels.LAST_MODIFIER] == "alice"

    changed = with_template(old, spec=revision_template({"image": "app:2"})["spec"])
    assert updated(old, changed)["metadata"]["annotations"] == {labels.CREATOR: "alice", labels.LAST_MODIFIER: "bob"}

    def annotated(**annotations: str) -> Obj:
        found = {**old["metadata"]["annotations"], **annotations}
        return {**old, "metadata": {**old["metadata"], "annotations": found}}

    stolen = annotated(**{labels.CREATOR: "bob"})
    assert refusal(stolen, old=old, operation="UPDATE", user="bob") == (
        "annotation value is immutable: metadata.annotations.serving.knative.dev/creator"
    )
    claimed = annotated(**{labels.LAST_MODIFIER: "bob"})
    assert refusal(claimed, old=old, operation="UPDATE", user="bob") == (
        "invalid value: bob: metadata.annotations.serving.knative.dev/lastModifier"
    )


def test_what_a_controller_makes_has_no_creator_of_its_own() -> None:
    owner = [{"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "svc", "uid": "1"}]
    for make in (configuration, lambda **more: route(traffic=[{"percent": 100, "revisionName": "r"}], **more)):
        assert "annotations" not in stored(make(ownerReferences=owner), user="controller")["metadata"]
        assert labels.CREATOR in stored(make(), user="alice")["metadata"]["annotations"]
    assert "annotations" not in stored(revision(), user="alice")["metadata"]


def test_case_16_a_revision_never_changes() -> None:
    old = stored(revision())
    changed = copy.deepcopy(old)
    changed["spec"]["containers"][0]["image"] = "app:2"
    assert refusal(changed, old=old, operation="UPDATE") == (
        'Immutable fields changed (-old +new): spec\ncontainers[0].image:\n\t-: "app"\n\t+: "app:2"'
    )
    labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    assert updated(old, labelled) == labelled


def test_case_18_a_label_that_promises_an_owner_needs_one() -> None:
    labelled = configuration(labels={labels.SERVICE: "s"})
    assert refusal(labelled) == "missing field(s): metadata.labels.serving.knative.dev/service"
    owner = [{"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "s", "uid": "1"}]
    stored(configuration(labels={labels.SERVICE: "s"}, ownerReferences=owner))
    orphan = revision(labels={labels.CONFIGURATION: "c"})
    assert refusal(orphan) == "missing field(s): metadata.labels.serving.knative.dev/configuration"


def test_every_fault_is_told_at_once_and_those_alike_together() -> None:
    bad = service(
        "Bad",
        template=revision_template({"image": "app", "env": [{"name": "PORT"}, {"name": "PORT"}]}, timeoutSeconds=601),
        traffic=[{"percent": 1}],
    )
    told = refusal(bad).splitlines()
    assert told[0] == (
        '"PORT" is a reserved environment variable: '
        "spec.template.spec.containers[0].env[0].name, spec.template.spec.containers[0].env[1].name"
    )
    assert [line.split(":")[0] for line in told[1:]] == [
        "Traffic targets sum to 1, want 100",
        "expected 0 <= 601 <= 600",
        "not a DNS 1035 label",
    ]


def test_a_status_can_be_written_although_a_config_map_has_changed_since() -> None:
    strict = ApiSettings(Defaults(revision_timeout_s=10, max_revision_timeout_s=10))
    for old in (stored(service()), stored(configuration())):
        new = {**old, "status": {"observedGeneration": 1}}
        assert stored(new, strict, old=old, operation="UPDATE", subresource="status") is new
        with pytest.raises(Denied, match="expected 0 <= 300 <= 10"):
            updated(old, {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}, settings=strict)


def test_new_defaults_are_no_change_by_the_writer() -> None:
    old = stored(service(), user="alice")
    richer = ApiSettings(Defaults(requests={"cpu": "100m"}, revision_idle_timeout_s=60))
    labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    new = updated(old, labelled, settings=richer)
    assert new["spec"]["template"]["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "100m"}}
    assert new["metadata"]["annotations"][labels.LAST_MODIFIER] == "alice"


def test_new_defaults_do_not_reach_a_revision_that_the_user_named() -> None:
    old = stored(service(template=revision_template(name="svc-v1")))
    richer = ApiSettings(Defaults(requests={"cpu": "100m"}))
    labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    assert updated(old, labelled, settings=richer)["spec"] == old["spec"]


def test_admission_changes_neither_what_it_is_given_nor_what_is_stored() -> None:
    secure = ApiSettings(features=Features(secure_pod_defaults=SecurePodDefaults.ENABLED))
    old = stored(service(), user="alice")
    new = with_template(old, metadata={"labels": {"a": "b"}})
    new["spec"]["template"]["spec"] = old["spec"]["template"]["spec"]
    before = copy.deepcopy((old, new))
    updated(old, new, settings=secure)
    assert (old, new) == before


def test_deleting_is_always_allowed_and_other_kinds_pass() -> None:
    bad = service("Not A Name")
    assert stored(bad, operation="DELETE") is bad
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Not A Name"}}
    assert stored(pod) is pod


def test_a_field_of_the_wrong_type_is_named() -> None:
    enabled = ApiSettings(features=Features({"kubernetes.podspec-init-containers": Flag.ENABLED}))
    bad = service(template=revision_template(initContainers=[{"image": 5}]))
    with pytest.raises(
        Denied, match=r"spec\.template\.spec\.containers\[0\]\.image: found number 5, allowed: a string"
    ):
        admit(bad, enabled)


def test_a_pod_autoscaler_gets_its_class_and_metric() -> None:
    def autoscaler(**annotations: str) -> Obj:
        return {
            "apiVersion": POD_AUTOSCALER.api_version,
            "kind": POD_AUTOSCALER.kind,
            "metadata": {"name": "rev", "namespace": "ns", "annotations": annotations},
            "spec": {
                "protocolType": "http1",
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rev-deployment"},
            },
        }

    for given, metric in ((labels.CLASS_KPA, "concurrency"), (labels.CLASS_HPA, "cpu"), ("other", "")):
        made = stored(autoscaler(**{labels.AUTOSCALER_CLASS: given}))
        assert made["metadata"]["annotations"][labels.METRIC] == metric
    assert stored(autoscaler())["metadata"]["annotations"] == {
        labels.AUTOSCALER_CLASS: labels.CLASS_KPA,
        labels.METRIC: "concurrency",
    }


def test_faults_of_a_pod_autoscaler() -> None:
    bad = {
        "apiVersion": POD_AUTOSCALER.api_version,
        "kind": POD_AUTOSCALER.kind,
        "metadata": {"name": "rev"},
        "spec": {"scaleTargetRef": {"name": "x", "uid": "1"}, "protocolType": "http3", "containerConcurrency": -1},
    }
    assert refusal(bad).splitlines() == [
        "expected 0 <= -1 <= 1000: spec.containerConcurrency",
        "invalid value: http3: spec.protocolType",
        "missing field(s): spec.scaleTargetRef.apiVersion, spec.scaleTargetRef.kind",
        "must not set the field(s): spec.scaleTargetRef.uid",
    ]


QUEUE = "queue.sidecar.serving.knative.dev"


def test_resources_of_the_queue_proxy() -> None:
    def annotated(**annotations: str) -> Obj:
        keyed = {f"{QUEUE}/{key.replace('_', '-')}": value for key, value in annotations.items()}
        return service(template=revision_template(annotations=keyed))

    path = "spec.template.metadata.annotations"
    at = f"{path}.[{QUEUE}/resource-percentage]"
    assert refusal(annotated(resource_percentage="0.05")) == f"expected 0.1 <= 0.05 <= 100: {at}"
    assert refusal(annotated(resource_percentage="100.5")) == f"expected 0.1 <= 100.5 <= 100: {at}"
    assert refusal(annotated(resource_percentage="half")) == f"invalid value: half: {at}"
    assert refusal(annotated(cpu_resource_limit="lots")) == f"invalid value: lots: {path}.[{QUEUE}/cpu-resource-limit]"
    for percentage in ("0.1", "100"):
        warnings = admit(annotated(resource_percentage=percentage, memory_resource_request="64Mi")).warnings
        assert [warning for warning in warnings if "is deprecated" in warning and warning.endswith(at)]


def test_the_progress_deadline_is_in_whole_seconds() -> None:
    def deadline(text: str) -> Obj:
        return service(template=revision_template(annotations={labels.PROGRESS_DEADLINE: text}))

    path = f"spec.template.metadata.annotations.{labels.PROGRESS_DEADLINE}"
    assert refusal(deadline("1.5s")) == f"progress-deadline=1.5s is not at second precision: {path}"
    assert refusal(deadline("-1s")) == f"progress-deadline=-1s must be positive: {path}"
    assert refusal(deadline("soon")) == f"invalid value: soon: {path}"
    stored(deadline("30s"))
    stored(deadline(""))


@pytest.mark.parametrize("make", [service, configuration])
def test_template_names_of_parents_whose_name_is_made_up(make: Any) -> None:
    named = make("svc-x7k2p", generateName="svc-", template=revision_template(name="svc-v1"))
    assert refusal(named) == "must not set the field(s): spec.template.metadata.name"
    old = stored(make("svc-x7k2p", generateName="svc-"))
    told = refusal(with_template(old, metadata={"name": "svc-v1"}), old=old, operation="UPDATE")
    assert told == 'invalid value: "svc-v1" must have prefix "svc-x7k2p-": spec.template.metadata.name'
    fitting = make("svc-x7k2p", generateName="svc-", template=revision_template(name="svc-x7k2p-v1"))
    stored(fitting)


def test_illegal_names_of_templates_and_prefixes() -> None:
    told = refusal(service(template=revision_template(name="svc-V1")))
    assert told.startswith("invalid value: not a DNS 1035 label: [a DNS-1035 label must")
    assert told.endswith(": spec.template.metadata.name")
    prefixed = service()
    prefixed["spec"]["template"]["metadata"] = {"generateName": "Svc-"}
    assert refusal(prefixed).startswith("invalid value: not a DNS 1035 label prefix: [")
    assert refusal(service("", generateName="Svc-")).startswith("not a DNS 1035 label prefix: [")
    assert refusal(service("")) == "name or generateName is required: metadata.name"
