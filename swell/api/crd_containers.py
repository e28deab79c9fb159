"""The schema of a container in a revision: what a user may write, no more (spec api 1.5).

Fields that are left out are unknown to the API, so a misspelt one is told of and not silently kept.
"""

from __future__ import annotations

from swell.api.crd_fields import (
    array,
    boolean,
    int32,
    int64,
    obj,
    open_obj,
    port,
    quantities,
    text,
    words,
)
from swell.api.meta import Obj


def container() -> Obj:
    return obj(
        "A program of the pod. The one that serves is the only one, or the one with a port.",
        args=words("Arguments of the program, in place of the image's own."),
        command=words("The program to run, in place of the image's own."),
        env=array("Environment variables.", _env(), by="name"),
        envFrom=array("ConfigMaps and Secrets whose keys all become environment variables.", _env_from(), atomic=True),
        image=text("The image to run. It is resolved to a digest once, when the revision is made."),
        imagePullPolicy=text("When to fetch the image: Always, IfNotPresent or Never."),
        livenessProbe=probe("Asks whether the container still works; it is restarted when it does not."),
        name=text("A DNS label, different from that of the other containers. Made up if it is left out."),
        ports=array("At most one port over all containers: where requests go.", _port()),
        readinessProbe=probe("Asks whether the container takes requests. Default: its port accepts connections."),
        resources=_resources(),
        securityContext=security_context(),
        startupProbe=probe("Asks whether the container has started; the other probes wait for it."),
        terminationMessagePath=text("The file whose content says why the container ended. /dev/termination-log."),
        terminationMessagePolicy=text("Where that message is: File, or FallbackToLogsOnError."),
        volumeMounts=array("Where volumes appear in the container's files.", _mount(), by="mountPath"),
        workingDir=text("The folder in which the program starts, in place of the image's own."),
    )


def probe(description: str) -> Obj:
    return obj(
        description,
        exec=obj(
            "Runs a command in the container; exit code 0 is success.",
            command=words("The command and its arguments. No shell is involved."),
        ),
        failureThreshold=int32("Failures in a row that count as one. Default 3."),
        grpc=obj(
            "Calls the gRPC health service.",
            port=int32("The port of the gRPC service."),
            service=text("The name to ask the health service about.", default=""),
        ),
        httpGet=obj(
            "Sends a GET; a status from 200 to 399 is success.",
            host=text("The host to connect to, in place of the pod's address."),
            httpHeaders=array("Headers of the request.", _http_header(), atomic=True),
            path=text("The path to ask for."),
            port=port("The port, or the name of the container's port. Without one, the serving port."),
            scheme=text("HTTP or HTTPS."),
        ),
        initialDelaySeconds=int32("Seconds between the container's start and the first probe."),
        periodSeconds=int32("Seconds between probes. 0 on a readinessProbe: many times a second until it succeeds."),
        successThreshold=int32("Successes in a row that count as one. Default 1."),
        tcpSocket=obj(
            "Connects; that is success.",
            host=text("The host to connect to, in place of the pod's address."),
            port=port("The port, or the name of the container's port. Without one, the serving port."),
        ),
        timeoutSeconds=int32("Seconds after which a probe has failed. Default 1."),
    )


def security_context() -> Obj:
    return obj(
        "What the container may do on its machine.",
        allowPrivilegeEscalation=boolean("Whether a process may gain more rights than its parent has."),
        capabilities=obj(
            "Rights of the superuser, one by one.",
            add=array(
                "Rights to add. Behind a feature flag: kubernetes.containerspec-addcapabilities.",
                {"type": "string"},
                atomic=True,
            ),
            drop=array("Rights to take away.", {"type": "string"}, atomic=True),
        ),
        privileged=boolean("Only false is allowed."),
        readOnlyRootFilesystem=boolean("Whether the container's own files are read-only."),
        runAsGroup=int64("The group that the program runs as."),
        runAsNonRoot=boolean("Whether a program that would run as the superuser is refused."),
        runAsUser=int64("The user that the program runs as."),
        seccompProfile=seccomp_profile(),
    )


def seccomp_profile() -> Obj:
    return obj(
        "Which system calls are allowed.",
        required=("type",),
        localhostProfile=text("The profile's file on the node, for the type Localhost."),
        type=text("RuntimeDefault, Unconfined or Localhost."),
    )


def _env() -> Obj:
    return obj(
        "An environment variable.",
        required=("name",),
        name=text("Its name. PORT and K_SERVICE, K_CONFIGURATION, K_REVISION are reserved."),
        value=text("Its value; $(NAME) stands for an earlier variable."),
        valueFrom=obj(
            "Where to take the value from.",
            configMapKeyRef=_key_of("A key of a ConfigMap."),
            fieldRef=open_obj("A field of the pod. Behind a feature flag: kubernetes.podspec-fieldref."),
            resourceFieldRef=open_obj("A resource of the container. Behind the same flag as fieldRef."),
            secretKeyRef=_key_of("A key of a Secret."),
        ),
    )


def _key_of(description: str) -> Obj:
    return obj(
        description,
        required=("key",),
        atomic=True,
        key=text("The key."),
        name=_reference_name(),
        optional=boolean("Whether the container starts without it if it does not exist."),
    )


def _env_from() -> Obj:
    return obj(
        "A ConfigMap or a Secret, not both.",
        configMapRef=_whole("A ConfigMap."),
        prefix=text("What each variable's name begins with."),
        secretRef=_whole("A Secret."),
    )


def _whole(description: str) -> Obj:
    return obj(
        description,
        atomic=True,
        name=_reference_name(),
        optional=boolean("Whether the container starts without it if it does not exist."),
    )


def _reference_name() -> Obj:
    return text("The name of the object, in the same namespace.", default="")


def _port() -> Obj:
    return obj(
        "Where the container listens.",
        containerPort=int32("The port, which the program also finds in $PORT. Default 8080."),
        name=text("h2c for HTTP/2 without TLS (gRPC), http1 or nothing for HTTP/1.1."),
        protocol=text("TCP.", default="TCP"),
    )


def _resources() -> Obj:
    return obj(
        "How much of the machine the container gets.",
        limits=quantities("The most it may use, such as cpu: 500m, memory: 128Mi."),
        requests=quantities("What is set aside for it."),
    )


def _http_header() -> Obj:
    return obj(
        "A header.", required=("name", "value"), name=text("The header's name."), value=text("The header's value.")
    )


def _mount() -> Obj:
    return obj(
        "A volume, and where it appears.",
        required=("name", "mountPath"),
        mountPath=text("The folder or file where it appears."),
        mountPropagation=text(
            "Whether mounts of the host show up: None or HostToContainer. "
            "Behind a feature flag: kubernetes.podspec-volumes-mount-propagation."
        ),
        name=text("The volume's name."),
        readOnly=boolean("Whether it cannot be written to. True for all but emptyDir, claims and ephemeral volumes."),
        subPath=text("The part of the volume to mount, in place of the whole."),
    )
