"""A review in, a review out: defaults as a patch, refusals in the words that users know, and bodies that are none."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from controller.webhook.decisions import config_validation, defaulting, validation
from controller.webhook.review import BadReview, parse
from swell.api import labels
from swell.api.settings import ApiSettings, Defaults
from swell.local.apiserver.patches import json_patch
from swell.testing.objects import revision_template, route, service

Obj = dict[str, Any]
SYSTEM = "swell-system"


def review(obj: Obj | None, *, operation: str = "CREATE", old: Obj | None = None, **request: Any) -> bytes:
    """As an API server sends it."""
    stock = {"uid": "u-1", "operation": operation, "object": obj, "oldObject": old, "userInfo": {"username": "alice"}}
    return orjson.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {**stock, **request}}
    )


def defaulted(obj: Obj, settings: ApiSettings | None = None, **options: Any) -> Obj:
    """The object after the patch."""
    response = defaulting(parse(review(obj, **options)), settings or ApiSettings())["response"]
    assert response["allowed"] and response["uid"] == "u-1"
    patch = orjson.loads(base64.b64decode(response["patch"])) if "patch" in response else []
    made: Obj = json_patch(obj, patch)
    return made


def verdict(obj: Obj | None, **options: Any) -> Obj:
    answer: Obj = validation(parse(review(obj, **options)), ApiSettings())
    return answer["response"]


def test_a_new_service_gets_its_defaults_and_its_writer() -> None:
    made = defaulted(service(), ApiSettings(defaults=Defaults(revision_timeout_s=60)))
    assert made["spec"]["template"]["spec"]["timeoutSeconds"] == 60
    assert made["metadata"]["annotations"] == {labels.CREATOR: "alice", labels.LAST_MODIFIER: "alice"}
    assert defaulting(parse(review(made)), ApiSettings())["response"].get("patch") is None


def test_an_update_of_the_spec_names_who_changed_it_and_one_of_labels_does_not() -> None:
    old = defaulted(service())
    labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    bob = {"username": "bob"}
    assert defaulted(labelled, operation="UPDATE", old=old, userInfo=bob) == labelled
    changed = {**old, "spec": service(template=revision_template({"image": "app:2"}))["spec"]}
    made = defaulted(changed, operation="UPDATE", old=old, userInfo=bob)
    assert made["metadata"]["annotations"] == {labels.CREATOR: "alice", labels.LAST_MODIFIER: "bob"}


def test_an_object_with_its_defaults_is_valid_and_warnings_are_passed_on() -> None:
    response = verdict(defaulted(service()), dryRun=True)
    assert response["allowed"]
    assert all("insecure" in text for text in response.get("warnings", ()))


def test_what_is_not_valid_is_refused_with_field_and_allowed_values() -> None:
    response = verdict(defaulted(service(template=revision_template(containerConcurrency=-1))))
    assert not response["allowed"]
    assert response["status"] == {
        "status": "Failure",
        "message": "validation failed: expected 0 <= -1 <= 1000: spec.template.spec.containerConcurrency",
        "reason": "BadRequest",
        "code": 400,
    }


def test_what_cannot_be_read_is_left_to_the_schema_and_to_validation() -> None:
    """The schema's refusal names the field in the words of Kubernetes; a patch of half an object would hide it."""
    typed = service()
    typed["spec"]["template"]["spec"]["containers"] = "app"
    assert defaulted(typed) == typed
    assert "containers: found string 'app', allowed: an array" in verdict(typed)["status"]["message"]


def test_deleting_is_allowed_and_a_status_gets_no_defaults() -> None:
    bad = route(traffic=[{"percent": 250}])
    assert verdict(None, operation="DELETE", old=bad)["allowed"]
    assert defaulting(parse(review(None, operation="DELETE", old=bad)), ApiSettings())["response"]["allowed"]
    bare = {**service(), "status": {"conditions": []}}
    assert defaulted(bare, operation="UPDATE", old=service(), subResource="status") == bare
    assert verdict(bare, operation="UPDATE", old=service(), subResource="status")["allowed"]


@pytest.mark.parametrize(
    ("name", "namespace", "allowed"),
    [("config-autoscaler", SYSTEM, False), ("config-autoscaler", "ns", True), ("mine", SYSTEM, True)],
)
def test_a_config_map_of_ours_must_be_usable_and_others_are_nobodys_business(
    name: str, namespace: str, allowed: bool
) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
    response = config_validation(parse(review({**obj, "data": {"stable-window": "1s"}})), SYSTEM)["response"]
    assert response["allowed"] is allowed
    if not allowed:
        wanted = "validation failed: config-autoscaler: stable-window='1s' is not usable: 6s to 1h, in whole seconds"
        assert response["status"]["message"] == wanted
    assert config_validation(parse(review({**obj, "data": {"stable-window": "10s"}})), SYSTEM)["response"]["allowed"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[]", "want an AdmissionReview"),
        (b"{}", "apiVersion: found None"),
        (
            orjson.dumps({"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview"}),
            "admission.k8s.io/v1beta1",
        ),
        (orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}), "request.uid"),
        (review(service(), uid=7), "uid: found 7, want a string"),
        (review(service(), operation="PATCH"), "request.operation: found 'PATCH'"),
        (review(None), "request.object: it is missing"),
        (review({"kind": "Service"}), "request.object.metadata"),
        (review(service(), oldObject=[]), "request.oldObject: found"),
        (review(service(), userInfo="alice"), "request.userInfo: found 'alice'"),
    ],
)
def test_a_body_that_is_no_review_is_told_what_is_wrong_with_it(body: bytes, told: str) -> None:
    with pytest.raises(BadReview) as caught:
        parse(body)
    assert told in str(caught.value)
