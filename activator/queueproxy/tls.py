"""TLS at 8112: the certificate that is mounted into the pod, and what to do when it changes (spec dataplane 3.10).

Loaded only by a pod that has one: the ssl module's contexts take milliseconds and megabytes.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from swell.runtime import log
from swell.runtime.errors import SettingsError, SwellError

if TYPE_CHECKING:
    from activator.queueproxy.settings import TlsOptions
    from swell.runtime.clock import Cancellable, Clock

T = TypeVar("T")

RELOAD_S: Final = 60.0
PROTOCOLS: Final = ["h2", "http/1.1"]
VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# The reference's names, which are Go's, and OpenSSL's. Those of TLS 1.3 are not to be chosen there either.
CIPHERS: Final = {
    f"TLS_ECDHE_{key}_WITH_{name}": f"ECDHE-{key}-{openssl}"
    for key in ("ECDSA", "RSA")
    for name, openssl in (
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}
CURVES: Final = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1"}

_log = log.get("queue-proxy")


class Certificate:
    """The pair of a folder. `context` is for a listener, and always has the last pair that was good.

    Raises `SettingsError` for an option that cannot be used, `SwellError` if the pair cannot.
    """

    def __init__(self, folder: str, options: TlsOptions, clock: Clock) -> None:
        self._files = Path(folder, "tls.crt"), Path(folder, "tls.key")
        self._options = options
        self._clock = clock
        self._timer: Cancellable | None = None
        self._seen = self._read()
        self._now = self.context = self._load()
        self.context.sni_callback = self._choose

    def start(self) -> None:
        """Look after the files every minute from now on."""
        self._timer = self._clock.call_later(RELOAD_S, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Each handshake asks, with a name or without: the listener's context cannot be replaced."""
        connection.context = self._now

    def _look(self) -> None:
        self.start()
        try:
            found = self._read()
            if found == self._seen:
                return
            self._now = self._load()
        except SwellError as error:
            _log.error("the new certificate is not usable: the one before it stays", problem=str(error))
            return
        self._seen = found
        _log.info("there is a new certificate", folder=str(self._files[0].parent))

    def _read(self) -> tuple[bytes, ...]:
        try:
            return tuple(file.read_bytes() for file in self._files)
        except OSError as exc:
            raise SwellError(f"cannot read the certificate: {exc}") from exc

    def _load(self) -> ssl.SSLContext:
        context = make_context(self._options)
        try:
            context.load_cert_chain(*self._files)
        except (OSError, ValueError) as exc:
            raise SwellError(f"the certificate in {self._files[0].parent} is not usable: {exc}") from exc
        return context


def make_context(options: TlsOptions) -> ssl.SSLContext:
    """For a server, without a certificate yet. Raises `SettingsError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _one_of(VERSIONS, "QUEUE_PROXY_TLS_MIN_VERSION", options.min_version or "1.3")
    if options.max_version:
        context.maximum_version = _one_of(VERSIONS, "QUEUE_PROXY_TLS_MAX_VERSION", options.max_version)
    if options.cipher_suites:
        names = [name.strip() for name in options.cipher_suites.split(",")]
        context.set_ciphers(":".join(_one_of(CIPHERS, "QUEUE_PROXY_TLS_CIPHER_SUITES", name) for name in names))
    if options.curve_preferences:
        # Python has one of them chosen, or none.
        context.set_ecdh_curve(_one_of(CURVES, "QUEUE_PROXY_TLS_CURVE_PREFERENCES", options.curve_preferences))
    context.set_alpn_protocols(PROTOCOLS)
    return context


def _one_of(known: dict[str, T], key: str, value: str) -> T:
    if value not in known:
        raise SettingsError(key, value, ", ".join(known))
    return known[value]
