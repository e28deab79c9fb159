"""The fields of a pod spec that a revision may set: a list for each type, some behind a feature (spec api 1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from swell.api.field_errors import FieldError, disallowed
from swell.api.meta import Obj
from swell.api.settings import Defaults, Features, SecurePodDefaults

# Each is visible while the feature `kubernetes.podspec-<lower case>` is not Disabled.
_GATED: Final = (
    *("affinity", "topologySpreadConstraints", "hostAliases", "nodeSelector", "tolerations", "runtimeClassName"),
    *("dnsPolicy", "dnsConfig", "shareProcessNamespace", "hostIPC", "hostPID", "hostNetwork"),
    *("priorityClassName", "schedulerName"),
)
_ALWAYS: Final = frozenset(
    {
        *("containers", "volumes", "imagePullSecrets", "serviceAccountName", "enableServiceLinks"),
        *("containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds"),
    }
)
# Fields where false, 0 and "" say something: they are pointers in the API's types.
_POINTERS: Final = frozenset(
    {
        *("automountServiceAccountToken", "shareProcessNamespace", "terminationGracePeriodSeconds", "hostUsers"),
        *("activeDeadlineSeconds", "priority", "preemptionPolicy", "runtimeClassName", "setHostnameAsFQDN"),
        *("privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "restartPolicy", "recursiveReadOnly"),
        *("runAsUser", "runAsGroup", "runAsNonRoot", "fsGroup", "procMount", "mountPropagation"),
    }
)

CONTAINER: Final = frozenset(
    {
        *("name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "envFrom", "ports"),
        *("resources", "securityContext", "livenessProbe", "readinessProbe", "startupProbe"),
        *("terminationMessagePath", "terminationMessagePolicy", "volumeMounts"),
    }
)
CONTAINER_PORT: Final = frozenset({"containerPort", "name", "protocol"})
ENV_VAR: Final = frozenset({"name", "value", "valueFrom"})
ENV_FROM: Final = frozenset({"prefix", "configMapRef", "secretRef"})
RESOURCES: Final = frozenset({"limits", "requests"})
PROBE: Final = frozenset(
    {
        *("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"),
        *("terminationGracePeriodSeconds", "exec", "httpGet", "tcpSocket", "grpc"),
    }
)
CAPABILITIES: Final = frozenset({"drop"})

_MOUNT: Final = frozenset({"name", "readOnly", "mountPath", "subPath"})
_SECURITY: Final = frozenset(
    {
        *("capabilities", "readOnlyRootFilesystem", "runAsUser", "runAsGroup", "runAsNonRoot"),
        *("allowPrivilegeEscalation", "seccompProfile"),
    }
)
_POD_SECURITY: Final = frozenset(
    {"runAsUser", "runAsGroup", "runAsNonRoot", "fsGroup", "supplementalGroups", "seccompProfile"}
)
_PROFILES: Final = ("RuntimeDefault", "Unconfined")
_SOURCES: Final = ("secret", "configMap", "projected")
# Volume types behind a feature.
VOLUME_FEATURES: Final[Mapping[str, str]] = {
    "emptyDir": "kubernetes.podspec-volumes-emptydir",
    "hostPath": "kubernetes.podspec-volumes-hostpath",
    "persistentVolumeClaim": "kubernetes.podspec-persistent-volume-claim",
    "csi": "kubernetes.podspec-volumes-csi",
    "ephemeral": "kubernetes.podspec-volumes-ephemeral",
    "image": "kubernetes.podspec-volumes-image",
}


def is_set(key: str, value: Any) -> bool:
    """Whether a field says anything: a plain false, 0, "" or empty list does not."""
    if value is None or value == [] or (value == {} and key == "nodeSelector"):
        return False
    return bool(value) or isinstance(value, dict) or key in _POINTERS


def disallowed_fields(obj: Obj, allowed: frozenset[str], path: str) -> list[FieldError]:
    """An error for each field that is set and not allowed."""
    return [disallowed(f"{path}.{key}") for key, value in obj.items() if key not in allowed and is_set(key, value)]


def pod_mask(spec: Obj, features: Features, defaults: Defaults) -> frozenset[str]:
    allowed = {key for key in _GATED if features.permitted(f"kubernetes.podspec-{key.lower()}")}
    # Where pods get no token by default, one that needs it may say so.
    if spec.get("automountServiceAccountToken") is False or not defaults.automount_token:
        allowed.add("automountServiceAccountToken")
    if features.permitted("kubernetes.podspec-init-containers"):
        allowed.add("initContainers")
    if _security_visible(features):
        allowed.add("securityContext")
    return _ALWAYS | allowed


def pod_security_mask(context: Obj, features: Features) -> frozenset[str]:
    if features.permitted("kubernetes.podspec-securitycontext"):
        return _POD_SECURITY
    profile = context.get("seccompProfile") or {}
    if _is_secure(features) and isinstance(profile, dict) and profile.get("type") in _PROFILES:
        return frozenset({"seccompProfile"})
    return frozenset()


def security_mask(context: Obj) -> frozenset[str]:
    return _SECURITY | {"privileged"} if context.get("privileged") is False else _SECURITY


def capabilities_mask(capabilities: Obj, features: Features) -> frozenset[str]:
    bounded = _is_secure(features) and capabilities.get("add") == ["NET_BIND_SERVICE"]
    if bounded or features.enabled("kubernetes.containerspec-addcapabilities"):
        return CAPABILITIES | {"add"}
    return CAPABILITIES


def env_source_mask(features: Features) -> frozenset[str]:
    plain = frozenset({"configMapKeyRef", "secretKeyRef"})
    return plain | {"fieldRef", "resourceFieldRef"} if features.permitted("kubernetes.podspec-fieldref") else plain


def mount_mask(features: Features) -> frozenset[str]:
    propagates = features.enabled("kubernetes.podspec-volumes-mount-propagation")
    return _MOUNT | {"mountPropagation"} if propagates else _MOUNT


def volume_mask(features: Features) -> frozenset[str]:
    gated = {key for key, feature in VOLUME_FEATURES.items() if features.permitted(feature)}
    return frozenset({"name", *_SOURCES, *gated})


def _security_visible(features: Features) -> bool:
    return features.permitted("kubernetes.podspec-securitycontext") or _is_secure(features)


def _is_secure(features: Features) -> bool:
    return features.secure_pod_defaults is not SecurePodDefaults.DISABLED
