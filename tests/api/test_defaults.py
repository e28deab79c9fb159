"""What is filled in, and what is left as it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from swell.api.defaults import apply_defaults
from swell.api.settings import ApiSettings, Defaults
from swell.testing.objects import configuration, revision, revision_template, route, service

Obj = dict[str, Any]


def spec_of(obj: Obj) -> Obj:
    found: Obj = obj["spec"]["template"]["spec"]
    return found


def filled(defaults: Defaults, *containers: Obj, creating: bool = False, **spec: Any) -> Obj:
    obj = service(template=revision_template(*containers, **spec))
    return spec_of(apply_defaults(obj, ApiSettings(defaults), creating=creating))


@pytest.mark.parametrize(
    ("timeout_s", "idle", "response_start"), [(299, None, None), (300, None, None), (301, None, 300)]
)
def test_the_response_start_timeout_is_set_only_where_it_is_shorter(
    timeout_s: int, idle: int | None, response_start: int | None
) -> None:
    spec = filled(Defaults(), timeoutSeconds=timeout_s)
    assert spec.get("idleTimeoutSeconds") == idle
    assert spec.get("responseStartTimeoutSeconds") == response_start


def test_the_idle_timeout_comes_from_its_own_key_and_never_over_the_users() -> None:
    idle = Defaults(revision_idle_timeout_s=60)
    assert filled(idle)["idleTimeoutSeconds"] == 60
    assert "idleTimeoutSeconds" not in filled(idle, timeoutSeconds=60)
    assert filled(idle, idleTimeoutSeconds=5)["idleTimeoutSeconds"] == 5


def test_missing_quantities_are_filled_one_by_one_in_containers_only() -> None:
    defaults = Defaults(requests={"cpu": "100m", "memory": "64Mi"}, limits={"cpu": "1"})
    own = {"requests": {"memory": "1Gi"}}
    spec = filled(defaults, {"image": "a", "resources": own}, initContainers=[{"image": "b"}])
    assert spec["containers"][0]["resources"] == {
        "requests": {"cpu": "100m", "memory": "1Gi"},
        "limits": {"cpu": "1"},
    }
    assert "resources" not in spec["initContainers"][0]


@pytest.mark.parametrize(("setting", "stored"), [(True, True), (False, False), (None, None)])
def test_service_links_are_decided_at_creation_only(setting: bool | None, stored: bool | None) -> None:
    defaults = Defaults(enable_service_links=setting)
    assert filled(defaults, creating=True).get("enableServiceLinks") is stored
    assert "enableServiceLinks" not in filled(defaults)
    assert filled(defaults, creating=True, enableServiceLinks=True)["enableServiceLinks"] is True


def test_a_token_is_kept_from_pods_where_the_cluster_says_so_at_creation_only() -> None:
    defaults = Defaults(automount_token=False)
    assert filled(defaults, creating=True)["automountServiceAccountToken"] is False
    assert "automountServiceAccountToken" not in filled(defaults)
    assert filled(defaults, creating=True, automountServiceAccountToken=True)["automountServiceAccountToken"] is True
    assert "automountServiceAccountToken" not in filled(Defaults(), creating=True)


def test_names_come_from_templates_over_the_parents_metadata() -> None:
    defaults = Defaults(container_name_template="app-{{.Name}}", init_container_name_template="init-{{.Namespace}}")
    spec = filled(defaults, {"image": "a"}, initContainers=[{"image": "b"}, {"image": "c"}])
    assert spec["containers"][0]["name"] == "app-svc"
    assert [container["name"] for container in spec["initContainers"]] == ["init-ns-0", "init-ns-1"]


def test_a_made_up_name_that_the_user_has_taken_gets_a_number() -> None:
    spec = filled(Defaults(), {"image": "a"}, initContainers=[{"image": "b", "name": "user-container"}])
    assert spec["containers"][0]["name"] == "user-container-0"


def test_a_probe_with_a_handler_keeps_it() -> None:
    probe = {"exec": {"command": ["true"]}, "successThreshold": 2}
    assert filled(Defaults(), {"image": "a", "readinessProbe": probe})["containers"][0]["readinessProbe"] == probe


def test_targets_say_whether_they_follow_the_latest_revision() -> None:
    obj = service(traffic=[{"revisionName": "svc-00001", "tag": "old"}, {"percent": 100}])
    assert apply_defaults(obj)["spec"]["traffic"] == [
        {"revisionName": "svc-00001", "tag": "old", "latestRevision": False, "percent": 0},
        {"percent": 100, "latestRevision": True},
    ]


def test_a_bare_route_gets_no_traffic() -> None:
    assert apply_defaults(route()) == route()


def test_a_stored_revision_is_left_as_it_is() -> None:
    bare = revision()
    assert apply_defaults(bare, old=bare) is bare
    assert apply_defaults(bare)["spec"]["timeoutSeconds"] == 300


@pytest.mark.parametrize("make", [service, configuration])
def test_a_template_that_keeps_the_users_name_is_left_as_it_is(make: Any) -> None:
    named = make("svc", template=revision_template(name="svc-v1"))
    assert "timeoutSeconds" not in spec_of(apply_defaults(named, old=named))
    other = make("svc", template=revision_template(name="svc-v0"))
    assert spec_of(apply_defaults(named, old=other))["timeoutSeconds"] == 300


@pytest.mark.parametrize("make", [service, configuration, revision])
def test_defaults_are_settled_after_one_round_and_change_nothing_given(make: Any) -> None:
    given = make()
    before = copy.deepcopy(given)
    once = apply_defaults(given, creating=True)
    assert given == before
    assert apply_defaults(once, creating=True) == once
