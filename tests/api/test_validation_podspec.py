"""Faults of what a revision runs, with their paths: the cases of the specification, and its tables row by row."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.admission import Admitted, Denied, admit
from swell.api.settings import ApiSettings, Defaults, Features, Flag, SecurePodDefaults
from swell.testing.objects import revision_template, service

Obj = dict[str, Any]
SPEC = "spec.template.spec"
FIRST = f"{SPEC}.containers[0]"


def features(*, secure: SecurePodDefaults = SecurePodDefaults.DISABLED, **flags: Flag) -> ApiSettings:
    """Settings with these flags; `_` stands for the dashes and `kubernetes.` for nothing."""
    named = {f"kubernetes.{key.replace('_', '-')}": flag for key, flag in flags.items()}
    named |= {key.replace("_", "-"): flag for key, flag in flags.items()}
    return ApiSettings(features=Features(named, secure))


def admitted(*containers: Obj, settings: ApiSettings | None = None, **spec: Any) -> Admitted:
    return admit(service(template=revision_template(*containers, **spec)), settings or ApiSettings())


def stored(*containers: Obj, settings: ApiSettings | None = None, **spec: Any) -> Obj:
    found: Obj = admitted(*containers, settings=settings, **spec).obj["spec"]["template"]["spec"]
    return found


def refusal(*containers: Obj, settings: ApiSettings | None = None, **spec: Any) -> str:
    with pytest.raises(Denied) as caught:
        admitted(*containers, settings=settings, **spec)
    return str(caught.value).removeprefix("validation failed: ")


def app(**fields: Any) -> Obj:
    return {"image": "app", **fields}


def port(number: int = 0, **more: Any) -> list[Obj]:
    return [{"containerPort": number, **more}]


def test_case_8_ports() -> None:
    assert refusal(app(ports=port(8012))) == (
        f"invalid value: 8012 is a reserved port: {FIRST}.ports.containerPort\n"
        "8012 is a reserved port, please use a different value"
    )
    assert refusal(app(ports=port(80, name="grpc"))) == (
        f"Port name grpc is not allowed: {FIRST}.ports\nName must be empty, or one of: 'h2c', 'http1'"
    )
    two = app(ports=[*port(80), *port(81)])
    assert refusal(two) == (
        f"more than one container port is set: {SPEC}.containers[*].ports\n"
        "Only a single port is allowed across all containers"
    )
    assert refusal(app(), app()) == f"missing field(s): {SPEC}.containers[*].ports"
    made = stored(app(), app(ports=port(80)))["containers"]
    assert "readinessProbe" not in made[0]
    assert "readinessProbe" in made[1]


@pytest.mark.parametrize("number", [8008, 8012, 8013, 8022, 9090, 9091])
def test_a_port_of_the_queue_proxy_is_reserved(number: int) -> None:
    assert f"{number} is a reserved port, please use a different value" in refusal(app(ports=port(number)))


def test_ports_out_of_range_and_other_protocols() -> None:
    assert refusal(app(ports=port(65536))) == f"expected 0 <= 65536 <= 65535: {FIRST}.ports.containerPort"
    assert refusal(app(ports=port(80, protocol="UDP"))) == f"invalid value: UDP: {FIRST}.ports.protocol"
    assert refusal(app(ports=port(80, hostPort=80))) == f"must not set the field(s): {FIRST}.ports.hostPort"
    stored(app(ports=port(8112)))


def test_case_9_reserved_environment_variables() -> None:
    told = refusal(app(env=[{"name": "PORT", "value": "1"}]))
    assert told == f'"PORT" is a reserved environment variable: {FIRST}.env[0].name'
    stored(app(ports=port(80)), app(env=[{"name": "PORT", "value": "1"}]))
    told = refusal(app(ports=port(80)), app(env=[{"name": "K_REVISION", "value": "1"}]))
    assert told == f'"K_REVISION" is a reserved environment variable: {SPEC}.containers[1].env[0].name'


def test_environment_variables_need_a_name_and_a_source_that_is_allowed() -> None:
    assert refusal(app(env=[{"value": "x"}])) == f"missing field(s): {FIRST}.env[0].name"
    field = app(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])
    assert refusal(field) == f"must not set the field(s): {FIRST}.env[0].valueFrom.fieldRef"
    stored(field, settings=features(podspec_fieldref=Flag.ALLOWED))
    names = f"{FIRST}.envFrom[0].configMapRef, {FIRST}.envFrom[0].secretRef"
    assert refusal(app(envFrom=[{"prefix": "A_"}])) == f"expected exactly one, got neither: {names}"
    both = {"configMapRef": {"name": "a"}, "secretRef": {"name": "b"}}
    assert refusal(app(envFrom=[both])) == f"expected exactly one, got both: {names}"


def test_case_10_readiness_probes() -> None:
    both = app(readinessProbe={"exec": {"command": ["true"]}, "httpGet": {"path": "/"}})
    probe = f"{FIRST}.readinessProbe"
    assert refusal(both) == f"expected exactly one, got both: {probe}.exec, {probe}.httpGet"
    hasty = app(readinessProbe={"periodSeconds": 0, "timeoutSeconds": 1})
    assert refusal(hasty) == f"timeoutSeconds is disallowed when periodSeconds is zero: {probe}.timeoutSeconds"
    named = app(readinessProbe={"httpGet": {"port": "web"}})
    assert refusal(named) == f"invalid value: web: {probe}.httpGet.port\nProbe port must match container port"
    assert stored(app(readinessProbe={"periodSeconds": 5}))["containers"][0]["readinessProbe"] == {
        "periodSeconds": 5,
        "tcpSocket": {"port": 0},
        "failureThreshold": 3,
        "timeoutSeconds": 1,
        "successThreshold": 1,
    }


def test_a_probe_may_use_the_ports_name_or_any_number() -> None:
    stored(app(ports=port(80, name="h2c"), livenessProbe={"tcpSocket": {"port": "h2c"}}))
    stored(app(ports=port(80), startupProbe={"httpGet": {"port": "http"}}))
    stored(app(ports=port(80), livenessProbe={"httpGet": {"port": 9999}}))
    handlers = ", ".join(f"{FIRST}.livenessProbe.{name}" for name in ("exec", "grpc", "httpGet", "tcpSocket"))
    assert refusal(app(livenessProbe={"periodSeconds": 3})) == f"expected exactly one, got neither: {handlers}"


def test_the_numbers_of_a_readiness_probe() -> None:
    probe = f"{FIRST}.readinessProbe"
    told = refusal(
        app(
            readinessProbe={
                "periodSeconds": -1,
                "initialDelaySeconds": -1,
                "successThreshold": -1,
                "timeoutSeconds": -1,
            }
        )
    )
    assert told.splitlines() == [
        f"expected 0 <= -1 <= 2147483647: {probe}.initialDelaySeconds, {probe}.periodSeconds",
        f"expected 1 <= -1 <= 2147483647: {probe}.successThreshold, {probe}.timeoutSeconds",
    ]
    told = refusal(app(readinessProbe={"failureThreshold": 3}))
    assert told == f"failureThreshold is disallowed when periodSeconds is zero: {probe}.failureThreshold"


def test_probes_of_sidecars_are_behind_a_feature() -> None:
    sidecar = app(readinessProbe={"httpGet": {"path": "/"}})
    told = refusal(app(ports=port(80)), sidecar)
    at = f"{SPEC}.containers[1].readinessProbe"
    assert told == f"must not set the field(s): {at}.httpGet, {at}.successThreshold"
    probing = features(multi_container_probing=Flag.ENABLED)
    assert refusal(app(ports=port(80)), sidecar, settings=probing) == (
        f"Probe port must be specified: {at}.httpGet.port"
    )
    stored(app(ports=port(80)), app(readinessProbe={"httpGet": {"port": 81}}), settings=probing)


def test_a_grpc_probe_gets_its_service() -> None:
    made = stored(app(livenessProbe={"grpc": {"port": 80}}))["containers"][0]
    assert made["livenessProbe"]["grpc"] == {"port": 80, "service": ""}


def volume(kind: str, source: Obj | None = None) -> list[Obj]:
    return [{"name": "v", kind: source or {}}]


def mount(**fields: Any) -> Obj:
    return app(volumeMounts=[{"name": "v", "mountPath": "/data", **fields}])


def test_case_11_volumes() -> None:
    made = stored(mount(), volumes=volume("emptyDir"))
    assert made["containers"][0]["volumeMounts"] == [{"name": "v", "mountPath": "/data"}]

    host = volume("hostPath", {"path": "/"})
    off = "HostPath volume support is disabled, but found HostPath volume v: "
    told = refusal(mount(), volumes=host)
    assert told == f"{off}\nmust not set the field(s): {SPEC}.volumes[0].hostPath"
    assert refusal(mount(), volumes=host, settings=features(podspec_volumes_hostpath=Flag.ALLOWED)) == off
    stored(mount(), volumes=host, settings=features(podspec_volumes_hostpath=Flag.ENABLED))

    made = stored(mount(readOnly=False), volumes=volume("configMap", {"name": "c"}))
    assert made["containers"][0]["volumeMounts"][0]["readOnly"] is True

    told = refusal(app(), volumes=volume("emptyDir"))
    assert told == f'volume with name "v" not mounted: {SPEC}.volumes[0].name'


def test_persistent_volume_claims_have_two_features() -> None:
    claim = volume("persistentVolumeClaim", {"claimName": "c"})
    told = refusal(mount(), volumes=claim, settings=features(podspec_persistent_volume_claim=Flag.ALLOWED))
    assert told.splitlines() == [
        "Persistent volume claim support is disabled, but found persistent volume claim c: ",
        "Persistent volume write support is disabled, but found persistent volume claim c that is not read-only: ",
    ]
    on = features(podspec_persistent_volume_claim=Flag.ENABLED)
    reading = volume("persistentVolumeClaim", {"claimName": "c", "readOnly": True})
    told = refusal(mount(), volumes=reading, settings=on)
    assert told == f"volume is readOnly but volume mount is not: {FIRST}.volumeMounts[0].readOnly"
    stored(mount(readOnly=True), volumes=reading, settings=on)


def test_volumes_need_one_type_and_a_name_of_their_own() -> None:
    at = f"{SPEC}.volumes[0]"
    kinds = ", ".join(f"{at}.{kind}" for kind in ("configMap", "emptyDir", "projected", "secret"))
    assert refusal(mount(), volumes=[{"name": "v"}]) == f"expected exactly one, got neither: {kinds}"
    both = [{"name": "v", "secret": {"secretName": "s"}, "configMap": {"name": "c"}}]
    assert refusal(mount(), volumes=both) == f"expected exactly one, got both: {at}.configMap, {at}.secret"
    twice = [*volume("emptyDir"), *volume("emptyDir")]
    assert refusal(mount(), volumes=twice) == f'duplicate volume name "v": {SPEC}.volumes[1].name'
    odd = app(volumeMounts=[{"name": "V", "mountPath": "/data"}])
    assert refusal(odd, volumes=[{"name": "V", "emptyDir": {}}]) == f"invalid value: V: {at}.name"
    assert refusal(mount(), volumes=volume("emptyDir", {"medium": "Tape"})) == (
        f"invalid value: Tape: {at}.emptyDir.medium"
    )


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "missing field(s)"),
        ("data", "invalid value: data"),
        ("/dev/log/", 'mountPath "/dev/log" is a reserved path'),
        ("//", 'mountPath "/" is a reserved path'),
        ("/a/../dev", 'mountPath "/dev" is a reserved path'),
    ],
)
def test_mount_paths(path: str, told: str) -> None:
    bad = app(volumeMounts=[{"name": "v", "mountPath": path}])
    assert refusal(bad, volumes=volume("emptyDir")) == f"{told}: {FIRST}.volumeMounts[0].mountPath"


def test_mounts_match_a_volume_and_do_not_cover_each_other() -> None:
    nothing = app(volumeMounts=[{"name": "w", "mountPath": "/data"}])
    assert refusal(nothing) == f"volumeMount has no matching volume: {FIRST}.volumeMounts[0].name"
    twice = app(volumeMounts=[{"name": "v", "mountPath": "/data"}, {"name": "v", "mountPath": "/data/"}])
    told = refusal(twice, volumes=volume("emptyDir"))
    assert told == f'invalid value: "/data/" must be unique: {FIRST}.volumeMounts[1].mountPath'


def test_case_12_init_containers_and_other_masked_fields() -> None:
    off = "pod spec support for init-containers is off, but found 1 init containers: "
    init = [app()]
    assert refusal(initContainers=init) == f"must not set the field(s): {SPEC}.initContainers\n{off}"
    assert refusal(initContainers=init, settings=features(podspec_init_containers=Flag.ALLOWED)) == off
    on = features(podspec_init_containers=Flag.ENABLED)
    probed = [app(livenessProbe={"tcpSocket": {"port": 80}})]
    told = refusal(initContainers=probed, settings=on)
    assert told == f"field not allowed in an init container: {FIRST}.livenessProbe"
    assert stored(initContainers=init, settings=on)["initContainers"][0]["name"] == "init-container"

    privileged = app(securityContext={"privileged": True})
    assert refusal(privileged) == f"must not set the field(s): {FIRST}.securityContext.privileged"
    stored(app(securityContext={"privileged": False}))
    told = refusal(automountServiceAccountToken=True)
    assert told == f"must not set the field(s): {SPEC}.automountServiceAccountToken"
    stored(automountServiceAccountToken=False)
    no_token = ApiSettings(defaults=Defaults(automount_token=False))
    assert stored(settings=no_token, automountServiceAccountToken=True)["automountServiceAccountToken"] is True
    assert refusal(affinity={}) == f"must not set the field(s): {SPEC}.affinity"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("affinity", {"nodeAffinity": {}}),
        ("topologySpreadConstraints", [{"maxSkew": 1}]),
        ("hostAliases", [{"ip": "127.0.0.1"}]),
        ("nodeSelector", {"a": "b"}),
        ("tolerations", [{"key": "a"}]),
        ("runtimeClassName", "gvisor"),
        ("dnsPolicy", "None"),
        ("dnsConfig", {}),
        ("shareProcessNamespace", False),
        ("hostIPC", True),
        ("hostPID", True),
        ("hostNetwork", True),
        ("priorityClassName", "high"),
        ("schedulerName", "mine"),
    ],
)
def test_gated_fields_need_their_feature(field: str, value: object) -> None:
    assert refusal(**{field: value}) == f"must not set the field(s): {SPEC}.{field}"
    on = features(**{f"podspec_{field.lower()}": Flag.ALLOWED})
    assert stored(settings=on, **{field: value})[field] == value


@pytest.mark.parametrize(
    ("field", "value"), [("hostNetwork", False), ("hostAliases", []), ("nodeSelector", {}), ("dnsPolicy", "")]
)
def test_a_gated_field_that_says_nothing_is_let_be(field: str, value: object) -> None:
    stored(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("restartPolicy", "Always"),
        ("terminationGracePeriodSeconds", 0),
        ("activeDeadlineSeconds", 1),
        ("nodeName", "n"),
        ("hostname", "h"),
        ("subdomain", "s"),
        ("priority", 1),
        ("readinessGates", [{"conditionType": "x"}]),
    ],
)
def test_fields_of_a_pod_that_no_revision_may_set(field: str, value: object) -> None:
    assert refusal(**{field: value}) == f"must not set the field(s): {SPEC}.{field}"


@pytest.mark.parametrize("field", ["lifecycle", "stdin", "stdinOnce", "tty", "volumeDevices", "resizePolicy"])
def test_fields_of_a_container_that_no_revision_may_set(field: str) -> None:
    values: dict[str, object] = {"lifecycle": {}, "volumeDevices": [{}], "resizePolicy": [{}]}
    told = refusal(app(**{field: values.get(field, True)}))
    assert told == f"must not set the field(s): {FIRST}.{field}"


def test_resources_take_no_claims_and_capabilities_none_more() -> None:
    claims = app(resources={"claims": [{"name": "gpu"}]})
    assert refusal(claims) == f"must not set the field(s): {FIRST}.resources.claims"
    added = app(securityContext={"capabilities": {"add": ["NET_ADMIN"]}})
    assert refusal(added) == f"must not set the field(s): {FIRST}.securityContext.capabilities.add"
    stored(added, settings=features(containerspec_addcapabilities=Flag.ENABLED))
    low = app(securityContext={"capabilities": {"add": ["NET_BIND_SERVICE"]}})
    stored(low, settings=features(secure=SecurePodDefaults.ALLOW_ROOT_BOUNDED))


def test_the_pods_security_context() -> None:
    context = {"runAsUser": 5, "fsGroup": 2147483648, "supplementalGroups": [1, -1]}
    at = f"{SPEC}.securityContext"
    on = features(podspec_securitycontext=Flag.ENABLED)
    assert refusal(securityContext=context, settings=on).splitlines() == [
        f"expected 0 <= -1 <= 2147483647: {at}.supplementalGroups[1]",
        f"expected 0 <= 2147483648 <= 2147483647: {at}.fsGroup",
    ]
    told = refusal(securityContext={"runAsUser": 5})
    assert told == f"must not set the field(s): {at}, {at}.runAsUser"
    secure = features(secure=SecurePodDefaults.ENABLED)
    stored(securityContext={"seccompProfile": {"type": "Unconfined"}}, settings=secure)
    told = refusal(securityContext={"seccompProfile": {"type": "Localhost"}}, settings=secure)
    assert told == f"must not set the field(s): {at}.seccompProfile"


def test_images_containers_and_accounts() -> None:
    assert refusal(app(image="")) == f"missing field(s): {FIRST}.image"
    assert refusal(app(image="a:b:c")) == (
        f'Failed to parse image reference: {FIRST}.image\nimage: "a:b:c", error: could not parse reference: a:b:c'
    )
    assert refusal(app(name="queue-proxy")) == f'"queue-proxy" is a reserved container name: {FIRST}.name'
    told = refusal(app(name="a", ports=port(80)), app(name="a"))
    assert told == f'duplicate container name "a": {SPEC}.containers[1].name'
    told = refusal(app(ports=port(80)), app(), settings=features(multi_container=Flag.ALLOWED))
    assert told == "multi-container is off, but found 2 containers: "
    told = refusal(app(terminationMessagePolicy="Shout"))
    assert told == f"invalid value: Shout: {FIRST}.terminationMessagePolicy"
    told = refusal(serviceAccountName="foo@bar.baz")
    assert told.startswith(f"invalid value: foo@bar.baz: {SPEC}.serviceAccountName\na lowercase RFC 1123 subdomain")


def test_a_revision_without_containers() -> None:
    empty = service()
    empty["spec"]["template"]["spec"] = {}
    with pytest.raises(Denied, match=r"missing field\(s\): spec\.template\.spec\.containers"):
        admit(empty)


def test_case_13_secure_defaults() -> None:
    secure = features(secure=SecurePodDefaults.ENABLED)
    made = admitted(app(ports=port(80)), settings=secure)
    assert made.warnings == ()
    assert made.obj["spec"]["template"]["spec"]["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "runAsNonRoot": True,
    }
    at = f"{FIRST}.securityContext"
    assert admitted(app(ports=port(80))).warnings == (
        "Kubernetes default value is insecure, Knative may default this to secure in a future release: "
        f"{at}.allowPrivilegeEscalation, {at}.capabilities, {at}.runAsNonRoot, {at}.seccompProfile",
    )


def test_secure_defaults_yield_to_what_the_user_says() -> None:
    bounded = features(secure=SecurePodDefaults.ALLOW_ROOT_BOUNDED)
    said = {"allowPrivilegeEscalation": True, "capabilities": {"drop": []}}
    made = stored(app(ports=port(8080), securityContext=said), settings=bounded)
    assert made["containers"][0]["securityContext"] == {**said, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"seccompProfile": {"type": "RuntimeDefault"}}
    made = stored(app(ports=port(8080)), securityContext=pod, settings=bounded)
    assert made["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_case_14_made_up_names_go_around_the_users() -> None:
    made = stored(app(), app(name="user-container-0", ports=port(80)), app(name="user-container-3"), app())
    assert [container["name"] for container in made["containers"]] == [
        "user-container-1",
        "user-container-0",
        "user-container-3",
        "user-container-2",
    ]


def test_the_edges_of_ranges_are_within() -> None:
    for number in (0, 1, 65535):
        stored(app(ports=port(number)))
    stored(app(securityContext={"runAsUser": 0, "runAsGroup": 2147483647}))
    told = refusal(app(securityContext={"runAsUser": -1, "runAsGroup": 2147483648}))
    assert told.splitlines() == [
        f"expected 0 <= -1 <= 2147483647: {FIRST}.securityContext.runAsUser",
        f"expected 0 <= 2147483648 <= 2147483647: {FIRST}.securityContext.runAsGroup",
    ]


@pytest.mark.parametrize(("limit", "legal"), [("1Gi", True), ("0", True), (512, True), ("-1", False), ("big", False)])
def test_the_size_of_an_empty_folder(limit: str | int, legal: bool) -> None:
    volumes = volume("emptyDir", {"sizeLimit": limit, "medium": "Memory"})
    if legal:
        stored(mount(), volumes=volumes)
    else:
        assert refusal(mount(), volumes=volumes) == f"invalid value: {limit}: {SPEC}.volumes[0].emptyDir.sizeLimit"


def test_image_volumes_and_propagation() -> None:
    on = features(podspec_volumes_image=Flag.ENABLED)
    told = refusal(mount(), volumes=volume("image", {"pullPolicy": "Sometimes"}), settings=on)
    at = f"{SPEC}.volumes[0].image"
    assert told.splitlines() == [f"invalid value: Sometimes: {at}.pullPolicy", f"missing field(s): {at}.reference"]
    stored(mount(), volumes=volume("image", {"reference": "app", "pullPolicy": "Never"}), settings=on)

    spread = mount(mountPropagation="HostToContainer")
    at = f"{FIRST}.volumeMounts[0].mountPropagation"
    assert refusal(spread, volumes=volume("emptyDir")) == f"must not set the field(s): {at}"
    on = features(podspec_volumes_mount_propagation=Flag.ENABLED)
    stored(spread, volumes=volume("emptyDir"), settings=on)
    both = mount(mountPropagation="Bidirectional")
    assert refusal(both, volumes=volume("emptyDir"), settings=on) == f"invalid value: Bidirectional: {at}"


@pytest.mark.parametrize(
    ("context", "unset"),
    [
        ({}, ["allowPrivilegeEscalation", "capabilities", "runAsNonRoot", "seccompProfile"]),
        (
            {"allowPrivilegeEscalation": False, "runAsNonRoot": False, "seccompProfile": {"type": "Unconfined"}},
            ["capabilities"],
        ),
        (
            {"allowPrivilegeEscalation": True, "runAsNonRoot": True, "seccompProfile": {}, "capabilities": {}},
            ["capabilities.drop", "seccompProfile.type"],
        ),
    ],
)
def test_what_is_left_unsaid_about_security_is_warned_of(context: Obj, unset: list[str]) -> None:
    (warning,) = admitted(app(securityContext=context)).warnings
    assert warning.partition(": ")[2] == ", ".join(f"{FIRST}.securityContext.{name}" for name in unset)


def test_a_container_that_says_all_is_not_warned_of() -> None:
    restricted = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]},
    }
    assert admitted(app(securityContext=restricted)).warnings == ()


def test_mounts_of_init_containers_must_say_that_they_are_read_only() -> None:
    on = features(podspec_init_containers=Flag.ENABLED)

    def mounting(**fields: Any) -> Obj:
        return app(volumeMounts=[{"name": "v", "mountPath": "/data", **fields}])

    secret = volume("secret", {"secretName": "s"})
    told = refusal(initContainers=[mounting()], volumes=secret, settings=on)
    at = f"{FIRST}.volumeMounts[0].readOnly"
    assert told == f"volume mount should be readOnly for this type of volume: {at}"
    stored(initContainers=[mounting(readOnly=True)], volumes=secret, settings=on)
    stored(initContainers=[mounting()], volumes=volume("emptyDir"), settings=on)
