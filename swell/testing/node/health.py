"""Whether parts of a node work: asked over the node's own network."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from swell.api.meta import condition_of
from swell.testing.node.dns.message import Question, answers_of, make_query
from swell.testing.node.layout import API_PORT, CLUSTER_DOMAIN, KUBERNETES_IP, NODE_IP, NODE_NAME

ANSWER_S: Final = 2.0
# Made by the controller manager in each namespace; a pod waits for them.
MOUNTED: Final = ("serviceaccounts/default", "configmaps/kube-root-ca.crt")


def answers(url: str) -> bool:
    """Whether it answers 200."""
    # These certificates are the parts' own; nobody else can listen there.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return _open(url, context) is not None
    except (OSError, http.client.HTTPException):
        return False


def listens(path: Path) -> bool:
    """Whether somebody accepts connections on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


def resolves() -> bool:
    """Whether the cluster's DNS knows the API server."""
    query = make_query(1, Question(f"kubernetes.default.svc.{CLUSTER_DOMAIN}"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(ANSWER_S)
        try:
            connection.connect((NODE_IP, 53))
            connection.send(query)
            return KUBERNETES_IP in answers_of(connection.recv(4096))
        except OSError:
            return False


def takes_pods(pki: Path) -> bool:
    """Whether a pod that is made now in the default namespace would start."""
    node = _get(pki, f"/api/v1/nodes/{NODE_NAME}")
    mounted = [_get(pki, f"/api/v1/namespaces/default/{what}") for what in MOUNTED]
    if node is None or None in mounted or node["spec"].get("taints"):
        return False
    return condition_of(node).get("status") == "True"


def _get(pki: Path, path: str) -> Any:
    """The object, or None if it, or the API server, is not there."""
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    try:
        body = _open(f"https://127.0.0.1:{API_PORT}{path}", context)
    except (OSError, http.client.HTTPException):
        return None
    return json.loads(body)


def _open(url: str, context: ssl.SSLContext) -> bytes:
    """The body of a 200. The environment's proxies are not asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(url, timeout=ANSWER_S) as response:
        body: bytes = response.read()
    return body
