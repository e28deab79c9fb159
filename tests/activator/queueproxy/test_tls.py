"""The TLS port of a real queue-proxy, and certificates that change: spec dataplane 3.10."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from activator.queueproxy.settings import TlsOptions
from activator.queueproxy.tls import Certificate, make_context
from swell.runtime.errors import SettingsError, SwellError
from swell.testing.certificates import certify
from swell.testing.clock import ManualClock
from swell.testing.peers import Address, App, Caller, echo
from swell.testing.sidecar import sidecar


async def connect(address: Address, folder: Path, name: str, **versions: ssl.TLSVersion) -> Caller:
    """Over TLS, to a server that must be `name`. Raises `ssl.SSLError`."""
    context = ssl.create_default_context(cafile=str(folder / "tls.crt"))
    context.set_alpn_protocols(["http/1.1"])
    for key, version in versions.items():
        setattr(context, key, version)
    return Caller(*await asyncio.open_connection(*address, ssl=context, server_hostname=name))


async def test_with_a_certificate_the_same_requests_come_over_tls(tmp_path: Path) -> None:
    certify(tmp_path, "data-plane.knative.dev")
    app = App(echo)
    await app.start()
    async with sidecar(app, SWELL_CERTIFICATES=str(tmp_path), CONTAINER_CONCURRENCY="1") as qp:
        caller = await connect(qp.tls, tmp_path, "data-plane.knative.dev")
        assert caller.writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        for _ in range(2):
            caller.send()
            answer = await caller.answer()
            assert answer.status == 200
            assert b"\r\nX-Forwarded-For: 127." in answer.body
        caller.send("/too", {"Connection": "close"})
        assert (await caller.answer()).headers["connection"] == "close"
        assert await caller.reader.read() == b""
        plain = await Caller.connect(qp.address)
        plain.send()
        assert (await plain.answer()).status == 200, "the plain port stays open"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await connect(qp.tls, tmp_path, "data-plane.knative.dev", maximum_version=ssl.TLSVersion.TLSv1_2)


async def test_who_is_refused_over_tls_gets_the_answer(tmp_path: Path) -> None:
    certify(tmp_path, "hello")
    async with sidecar(App(), SWELL_CERTIFICATES=str(tmp_path), QUEUE_PROXY_TLS_MIN_VERSION="1.2") as qp:
        caller = await connect(qp.tls, tmp_path, "hello", maximum_version=ssl.TLSVersion.TLSv1_2)
        caller.writer.write(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
        assert (await caller.answer()).status == 400
        assert await caller.reader.read() == b""


async def test_without_a_certificate_nobody_listens_there(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_text("")
    async with sidecar(App(), SWELL_CERTIFICATES=str(tmp_path)) as qp:
        with pytest.raises(ConnectionRefusedError):
            await Caller.connect(qp.tls)


@asynccontextmanager
async def listening(certificate: Certificate) -> AsyncIterator[Address]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificate.context)
    async with server:
        yield server.sockets[0].getsockname()[:2]


async def shown(address: Address) -> str:
    """The name in the certificate that the server shows to somebody who names none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(*address, ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    command = ["openssl", "x509", "-inform", "der", "-noout", "-subject"]
    found = subprocess.run(command, input=certificate, check=True, capture_output=True)
    return found.stdout.decode().rpartition("= ")[2].strip()


async def test_each_minute_a_new_pair_is_taken_and_a_bad_one_is_not(tmp_path: Path) -> None:
    clock = ManualClock()
    certify(tmp_path, "first")
    certificate = Certificate(str(tmp_path), TlsOptions(), clock)
    certificate.start()
    async with listening(certificate) as address:
        certify(tmp_path, "second")
        clock.advance(59)
        assert await shown(address) == "first"
        clock.advance(1)
        assert await shown(address) == "second"
        (tmp_path / "tls.key").write_text("not a key")
        clock.advance(60)
        assert await shown(address) == "second"
        (tmp_path / "tls.key").unlink()
        clock.advance(60)
        assert await shown(address) == "second"
        certify(tmp_path, "third")
        clock.advance(60)
        assert await shown(address) == "third"
    certificate.close()
    assert clock.pending == 0


def test_a_bad_pair_at_the_start_is_told(tmp_path: Path) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("nothing")
    with pytest.raises(SwellError, match="is not usable"):
        Certificate(str(tmp_path), TlsOptions(), ManualClock())


@pytest.mark.parametrize(
    ("options", "key"),
    [
        (TlsOptions(min_version="1.1"), "MIN_VERSION"),
        (TlsOptions(max_version="2"), "MAX_VERSION"),
        (TlsOptions(cipher_suites="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, RC4"), "CIPHER_SUITES"),
        (TlsOptions(curve_preferences="CurveP224"), "CURVE_PREFERENCES"),
    ],
)
def test_an_option_that_cannot_be_used_is_told_by_its_name(options: TlsOptions, key: str) -> None:
    with pytest.raises(SettingsError, match=f"QUEUE_PROXY_TLS_{key}"):
        make_context(options)


def test_options_have_the_references_names() -> None:
    suites = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    context = make_context(TlsOptions("1.2", "1.2", suites, "CurveP384"))
    assert (context.minimum_version, context.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    names = {cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"}
    assert names == {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"}
