"""Keys of config-autoscaler about policies, and the annotation that names one."""

from __future__ import annotations

import pytest

from swell.api import labels
from swell.api.admission import Denied, admit
from swell.api.field_errors import render
from swell.api.kinds import CONFIGURATION
from swell.api.policies import policy_faults
from swell.api.settings import ApiSettings, AutoscalerLimits
from swell.config.autoscaler import parse
from swell.config.policies import PolicyConfig, PolicyMode
from swell.runtime.errors import SettingsError


def test_policies_are_entry_points_and_classes_of_files() -> None:
    config = parse(
        {
            "swell.policies": "night,\n  calm=/etc/swell/policies/calm.py:Calm",
            "swell.policy": "night",
            "swell.policy-mode": "shadow",
            "swell.policy-timeout": "50ms",
        }
    )
    loaded = {"night": "", "calm": "/etc/swell/policies/calm.py:Calm"}
    assert config.policies == PolicyConfig(loaded, "night", PolicyMode.SHADOW, 0.05)
    assert config.limits.policies == ("night", "calm")
    assert parse({}).policies == PolicyConfig({}, "", PolicyMode.OFF, 0.5)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"swell.policies": "calm=calm.py:Calm"}, "NAME=/FOLDER/FILE.py:CLASS"),
        ({"swell.policies": "calm=/a/calm.py"}, "NAME=/FOLDER/FILE.py:CLASS"),
        ({"swell.policies": "Calm"}, "names, each once, of entry points"),
        ({"swell.policies": "calm calm"}, "each once"),
        ({"swell.policies": "none"}, "none"),
        ({"swell.policies": ",".join(f"p{number}" for number in range(9))}, "at most 8 policies"),
        ({"swell.policy": "calm"}, "one of swell.policies, or nothing: none"),
        ({"swell.policies": "night", "swell.policy": "calm"}, "or nothing: night"),
        ({"swell.policy-mode": "yes"}, "off, shadow, on"),
        ({"swell.policy-timeout": "9ms"}, "10ms to 10s"),
        ({"swell.policy-timeout": "11s"}, "10ms to 10s"),
    ],
)
def test_a_bad_value_is_refused_with_its_key_and_what_is_allowed(data: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(data)
    key = list(data)[-1]
    assert f"config-autoscaler: {key}" in str(refused.value) and words in str(refused.value)


def test_a_revision_names_a_policy_that_is_loaded_or_none() -> None:
    def told(name: str, *policies: str) -> str:
        return render(policy_faults({labels.POLICY: name}, "annotations", policies))

    assert told("night", "night", "calm") == told("none") == ""
    assert told("day", "night", "calm") == (
        "invalid value: day: annotations.swell.dev/policy\n"
        "policies that the operator has loaded: night, calm; none for no policy"
    )
    assert "has loaded: none;" in told("/etc/passwd.py:Root")


def test_admission_asks_users_and_not_the_controllers() -> None:
    obj = {
        "apiVersion": CONFIGURATION.api_version,
        "kind": CONFIGURATION.kind,
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {"annotations": {labels.POLICY: "night"}},
                "spec": {"containers": [{"image": "hello"}]},
            }
        },
    }
    settings = ApiSettings(autoscaler=AutoscalerLimits(policies=("night",)))
    admit(obj, settings)
    with pytest.raises(Denied, match=r"spec\.template\.metadata\.annotations\.swell\.dev/policy"):
        admit(obj)
    owner = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello", "uid": "1", "controller": True}
    admit({**obj, "metadata": {**obj["metadata"], "ownerReferences": [owner]}})
