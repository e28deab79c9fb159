"""Certificates for servers of tests, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certify(folder: Path, name: str) -> None:
    """A new pair in `folder` for this name, tls.crt and tls.key, signed by itself."""
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"]
    options += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(folder / "tls.key")]
    subprocess.run(["openssl", "req", *options, "-out", str(folder / "tls.crt")], check=True, capture_output=True)
