"""Certificates, token and kubeconfig."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from cryptography import x509

from swell.local.apiserver.kubeconfig import read_token, write_kubeconfig


def test_the_program_makes_files_that_only_the_owner_can_read(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    subprocess.run([sys.executable, "-P", "-m", "swell.local.apiserver.pki", str(folder)], check=True)
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "server.crt", "server.key", "token"}
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in folder.iterdir()} == {0o600}
    certificate = x509.load_pem_x509_certificate((folder / "server.crt").read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert "127.0.0.1" in [str(each) for each in names.get_values_for_type(x509.IPAddress)]


def test_a_kubeconfig_holds_all_that_is_needed(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"authority")
    (tmp_path / "token").write_text("secret\n")
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, server="https://127.0.0.1:6443", pki=tmp_path)
    found = json.loads(path.read_text())
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert found["users"][0]["user"] == {"token": "secret"} == {"token": read_token(tmp_path)}
    cluster = found["clusters"][0]["cluster"]
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"authority"
    assert found["contexts"][0]["context"]["namespace"] == "default"
