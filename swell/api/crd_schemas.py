"""The schemas of our kinds, from the outside in: spec and status of each (spec api 1.3, 1.4)."""

from __future__ import annotations

from typing import Any

from swell.api.crd_fields import array, boolean, choice, int32, int64, obj, open_obj, strings, text, time
from swell.api.crd_podspec import revision_spec
from swell.api.meta import Obj


def service() -> Obj:
    return _whole(
        "An app: a template for its revisions, and who of them gets its requests. "
        "It makes a Configuration and a Route of its own name.",
        obj("What is wanted.", template=_template(), traffic=_traffic("spec")),
        _status(**_latest(), **_reach()),
    )


def configuration() -> Obj:
    return _whole(
        "The latest wanted state of an app. Each change of it makes a new Revision.",
        obj("What is wanted.", template=_template()),
        _status(**_latest()),
    )


def revision() -> Obj:
    return _whole(
        "One version of an app: code and settings together. It never changes.",
        revision_spec("What it runs."),
        _status(
            actualReplicas=int32("Pods that are ready."),
            containerStatuses=array("The images of the containers.", _container_status()),
            desiredReplicas=int32("Pods that the autoscaler wants."),
            initContainerStatuses=array("The images of the init containers.", _container_status()),
            logUrl=text("Where the logs of this revision can be read."),
        ),
    )


def route() -> Obj:
    return _whole(
        "A name on the network, and who answers under it.",
        obj("What is wanted.", traffic=_traffic("spec")),
        _status(**_reach()),
    )


def pod_autoscaler() -> Obj:
    return _whole(
        "How many pods a Revision has. Made by the Revision; its bounds and targets are annotations.",
        obj(
            "What is scaled, and how.",
            required=("protocolType", "scaleTargetRef"),
            containerConcurrency=int64("The most requests that a pod works on at a time; 0 is no limit."),
            protocolType=text("What the app speaks: http1 or h2c."),
            reachability=choice(
                "Whether some Route can send requests here. Unreachable: no pods are kept for requests to come.",
                *("", "Reachable", "Unreachable"),
            ),
            scaleTargetRef=_reference("The object whose scale is set."),
        ),
        _status(
            required=("metricsServiceName", "serviceName"),
            actualScale=int32("Pods that are ready."),
            desiredScale=int32("Pods that are wanted."),
            metricsServiceName=text("The name under which the pods' numbers are collected; may be empty."),
            serviceName=text("The name under which the pods are reached; may be empty."),
        ),
    )


def _whole(description: str, spec: Obj, status: Obj) -> Obj:
    return obj(
        description,
        apiVersion=text("The version of the schema that this object follows."),
        kind=text("The kind of this object."),
        metadata={"type": "object"},
        spec=spec,
        status=status,
    )


def _template() -> Obj:
    return obj(
        "The Revision to make of each change.",
        metadata=open_obj(
            "Labels and annotations of the Revision, and a name for it if it is not to be made up.",
            annotations=strings("Autoscaling is set here: autoscaling.knative.dev/min-scale and so on."),
            finalizers=array("What must happen before it can be deleted.", {"type": "string"}),
            labels=strings("Labels; its pods have them too."),
            name=text("Its name. It must begin with the parent's and a dash, and change when the template does."),
            namespace=text("Its namespace; always the parent's."),
        ),
        spec=revision_spec("What the Revision runs."),
    )


def _traffic(part: str) -> Obj:
    return array(
        "Who gets how much of the requests. The percents add up to 100.",
        obj(
            "A Revision, or the latest ready one, and its share.",
            configurationName=text("The Configuration whose latest ready Revision this is. Not in a Service."),
            latestRevision=boolean("Whether this follows the latest ready Revision. Default: unless one is named."),
            percent=int64("The share of the requests, 0 to 100."),
            revisionName=text("The Revision."),
            tag=text("A name under which this target alone is reached: TAG-NAME in the host."),
            url=text("Where the tag is reached. Set in status only."),
        ),
    )


def _latest() -> Obj:
    return {
        "latestCreatedRevisionName": text("The Revision that was made last."),
        "latestReadyRevisionName": text("The Revision that became ready last."),
    }


def _reach() -> Obj:
    return {
        "address": obj(
            "Where others in the cluster reach it.",
            CACerts=text("Certificates, in PEM, that vouch for it."),
            audience=text("Who tokens sent there must be for."),
            name=text("A name for the address."),
            url=text("The URL."),
        ),
        "traffic": _traffic("status"),
        "url": text("Where it is reached."),
    }


def _container_status() -> Obj:
    return obj(
        "A container's image.",
        imageDigest=text("The image by digest; empty if it was not resolved."),
        name=text("The container's name."),
    )


def _reference(description: str) -> Obj:
    return obj(
        description,
        atomic=True,
        apiVersion=text("Its API version."),
        fieldPath=text("Not used here."),
        kind=text("Its kind."),
        name=text("Its name."),
        namespace=text("Not used here: it is always the same namespace."),
        resourceVersion=text("Not used here."),
        uid=text("Not used here."),
    )


def _status(*, required: tuple[str, ...] = (), **more: Any) -> Obj:
    return obj(
        "What is found. Written by Swell.",
        required=required,
        annotations=strings("Further findings."),
        conditions=array("Findings one by one; Ready sums them up.", _condition()),
        observedGeneration=int64("The generation of the object that these findings are about."),
        **more,
    )


def _condition() -> Obj:
    return obj(
        "A finding.",
        required=("status", "type"),
        lastTransitionTime=time("When it last changed."),
        message=text("Details, for people."),
        reason=text("The cause, in one word, for programs."),
        severity=text("Empty if it bears on Ready; Info if it does not."),
        status=text("True, False or Unknown."),
        type=text("What it is about."),
    )
