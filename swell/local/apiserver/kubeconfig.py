"""The kubeconfig with which kubectl, kn and client libraries reach the embedded cluster."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Final

from swell.api.meta import Obj

NAME: Final = "swell"


def write_kubeconfig(path: Path, *, server: str, pki: Path, namespace: str = "default") -> None:
    """Write `path`, readable by its owner only; `server` is like `https://127.0.0.1:6443`.

    The certificate and the token, from the files in `pki`, are inside: the file works wherever it is copied.
    """
    config = kubeconfig(server, (pki / "ca.crt").read_bytes(), read_token(pki), namespace)
    draft = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        # JSON is YAML, and needs no library.
        file.write(json.dumps(config, indent=2) + "\n")
    draft.replace(path)


def kubeconfig(server: str, ca: bytes, token: str, namespace: str) -> Obj:
    """One cluster, one user, one context, all of one name."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca).decode()}
    context = {"cluster": NAME, "user": NAME, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": context}],
    }


def read_token(pki: Path) -> str:
    """The token that `swell.local.apiserver.pki` wrote."""
    return (pki / "token").read_text().strip()
