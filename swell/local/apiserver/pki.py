"""Certificates and the token of one embedded cluster, as files; run as a program, so that the server needs
none of the libraries that make them.

    python -P -m swell.local.apiserver.pki DIR
"""

from __future__ import annotations

import datetime
import secrets
import sys
from pathlib import Path
from typing import Final

from swell.runtime.certificates import (
    SERVER,
    Validity,
    certificate_pem,
    issue,
    key_pem,
    new_authority,
    write_private,
)

HOST_NAMES: Final = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
ADDRESSES: Final = ("127.0.0.1", "::1")
LIFE: Final = datetime.timedelta(days=3650)
# A machine's clock may be set back a little after the certificates were made.
BACKDATED: Final = datetime.timedelta(hours=24)
TOKEN_BYTES: Final = 32


def make_pki(folder: Path, now: datetime.datetime) -> None:
    """Write `ca.crt`, `server.key`, `token` and, last, `server.crt` into `folder`; only the owner can read them.

    The key of the authority is not kept: nobody can make another certificate that clients would trust.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    validity = Validity(now - BACKDATED, now + LIFE)
    authority = new_authority("swell-ca", validity)
    server = issue(authority, "swell-api", validity, uses=(SERVER,), hosts=(*HOST_NAMES, *ADDRESSES))
    write_private(folder / "ca.crt", certificate_pem(authority.certificate))
    write_private(folder / "token", secrets.token_urlsafe(TOKEN_BYTES).encode())
    write_private(folder / "server.key", key_pem(server.key))
    # Whoever finds this one finds all.
    write_private(folder / "server.crt", certificate_pem(server.certificate))


if __name__ == "__main__":
    make_pki(Path(sys.argv[1]), datetime.datetime.now(datetime.UTC))
