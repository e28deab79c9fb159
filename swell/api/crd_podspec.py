"""The schema of what a revision runs: part of a pod spec, and numbers of its own (spec api 1.3, 1.5)."""

from __future__ import annotations

from typing import Any, Final

from swell.api.crd_containers import container, seccomp_profile
from swell.api.crd_fields import array, boolean, int32, int64, obj, open_obj, strings, text
from swell.api.meta import Obj

# Each is accepted only while the feature kubernetes.podspec-<lower case> is on: the shape is the pod's own.
_GATED_OBJECTS: Final = {
    "affinity": "Which nodes and neighbours the pods like.",
    "dnsConfig": "How the pods resolve names, beside dnsPolicy.",
}
_GATED_LISTS: Final = {
    "hostAliases": "Names to add to the pods' hosts file.",
    "initContainers": "Containers that run to their end, one after the other, before the others start.",
    "tolerations": "Taints of nodes that the pods put up with.",
    "topologySpreadConstraints": "How the pods spread over zones and nodes.",
}
_GATED_TEXTS: Final = {
    "dnsPolicy": "How the pods resolve names.",
    "priorityClassName": "Which pods go first when room is short.",
    "runtimeClassName": "What runs the containers.",
    "schedulerName": "Which scheduler places the pods.",
}
_GATED_FLAGS: Final = {
    "hostIPC": "Whether the pods share the node's inter-process communication.",
    "hostNetwork": "Whether the pods share the node's network.",
    "hostPID": "Whether the pods see the node's processes.",
    "shareProcessNamespace": "Whether the containers of a pod see each other's processes.",
}


def revision_spec(description: str) -> Obj:
    return obj(
        description,
        required=("containers",),
        **_numbers(),
        automountServiceAccountToken=boolean(
            "With false the pods get no token for the API; true only where config-defaults withholds it."
        ),
        containers=array("The app, and its sidecars.", container()),
        enableServiceLinks=boolean("Whether every Service of the namespace appears in the environment."),
        imagePullSecrets=array("Secrets with the passwords of image registries.", _local_reference(), by="name"),
        nodeSelector={**strings(_gated("nodeSelector", "Labels that a node must have.")), **_ATOMIC},
        securityContext=_security_context(),
        serviceAccountName=text("The ServiceAccount that the pods act as."),
        volumes=array("Files that containers can mount.", _volume(), by="name"),
        **_gated_fields(),
    )


_ATOMIC: Final = {"x-kubernetes-map-type": "atomic"}


def _numbers() -> Obj:
    return {
        "containerConcurrency": int64(
            "The most requests that a pod works on at a time; more wait. 0, the default, is no limit: "
            "then the autoscaler aims at a number of its own."
        ),
        "idleTimeoutSeconds": int64("Seconds without a byte either way after which a request is ended."),
        "responseStartTimeoutSeconds": int64("Seconds within which an answer must begin."),
        "timeoutSeconds": int64("Seconds within which a request must be answered. Default 300."),
    }


def _gated_fields() -> Obj:
    item = open_obj("One of them.")
    return {
        **{key: open_obj(_gated(key, about)) for key, about in _GATED_OBJECTS.items()},
        **{key: array(_gated(key, about), item, atomic=True) for key, about in _GATED_LISTS.items()},
        **{key: text(_gated(key, about)) for key, about in _GATED_TEXTS.items()},
        **{key: boolean(_gated(key, about)) for key, about in _GATED_FLAGS.items()},
    }


def _gated(key: str, about: str) -> str:
    feature = "init-containers" if key == "initContainers" else key.lower()
    return f"{about} Behind a feature flag: kubernetes.podspec-{feature}."


def _local_reference() -> Obj:
    name = text("The name of the object, in the same namespace.", default="")
    return obj("An object of the same namespace.", atomic=True, name=name)


def _security_context() -> Obj:
    return obj(
        _gated("securityContext", "What all containers of a pod may do, unless they say otherwise."),
        fsGroup=int64("The group that the files of volumes belong to."),
        runAsGroup=int64("The group that programs run as."),
        runAsNonRoot=boolean("Whether a program that would run as the superuser is refused."),
        runAsUser=int64("The user that programs run as."),
        seccompProfile=seccomp_profile(),
        supplementalGroups=array("More groups of the programs.", {"type": "integer", "format": "int64"}, atomic=True),
    )


def _volume() -> Obj:
    def gated(feature: str, about: str) -> Obj:
        return open_obj(f"{about} Behind a feature flag: kubernetes.podspec-{feature}.")

    return obj(
        "A volume of one type.",
        required=("name",),
        configMap=_keys("The keys of a ConfigMap, as files.", name=text("Its name.", default=""), mode=True),
        csi=gated("volumes-csi", "A volume of a storage driver."),
        emptyDir=gated("volumes-emptydir", "A folder that is empty at first and goes with the pod."),
        ephemeral=gated("volumes-ephemeral", "A claim that comes and goes with the pod."),
        hostPath=gated("volumes-hostpath", "A file or folder of the node."),
        image=gated("volumes-image", "The files of an image."),
        name=text("A DNS label; containers mount the volume by it."),
        persistentVolumeClaim=gated("persistent-volume-claim", "Storage that outlives the pod."),
        projected=obj(
            "Several sources in one folder.",
            defaultMode=int32("Permissions of the files, unless one says otherwise. Default 0644."),
            sources=array("The sources.", _projection(), atomic=True),
        ),
        secret=_keys("The keys of a Secret, as files.", secretName=text("Its name."), mode=True),
    )


def _projection() -> Obj:
    return obj(
        "A source of files.",
        configMap=_keys("Keys of a ConfigMap.", name=text("Its name.", default="")),
        downwardAPI=obj("Fields of the pod.", items=array("One file each.", _downward(), atomic=True)),
        secret=_keys("Keys of a Secret.", name=text("Its name.", default="")),
        serviceAccountToken=obj(
            "A token of the pod's ServiceAccount.",
            required=("path",),
            audience=text("Who the token is for."),
            expirationSeconds=int64("Seconds for which it is good. Default 3600."),
            path=text("The file's path in the volume."),
        ),
    )


def _keys(description: str, *, mode: bool = False, **name: Any) -> Obj:
    modes: Obj = {"defaultMode": int32("Permissions of the files, unless one says otherwise.")} if mode else {}
    return obj(
        description,
        **modes,
        **name,
        items=array("The keys to take; all, if it is left out.", _key_to_path(), atomic=True),
        optional=boolean("Whether the pod starts without it if it does not exist."),
    )


def _key_to_path() -> Obj:
    return obj(
        "A key, and the file it becomes.",
        required=("key", "path"),
        key=text("The key."),
        mode=int32("Permissions of this file."),
        path=text("The file's path in the volume."),
    )


def _downward() -> Obj:
    return obj(
        "A field, and the file it becomes.",
        required=("path",),
        fieldRef=obj(
            "A field of the pod's metadata.",
            required=("fieldPath",),
            atomic=True,
            apiVersion=text("The API version of the path. Default v1."),
            fieldPath=text("The field's path."),
        ),
        mode=int32("Permissions of this file."),
        path=text("The file's path in the volume."),
        resourceFieldRef=open_obj("A resource of a container."),
    )
