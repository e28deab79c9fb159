"""What a line of the request log may say, and how (spec dataplane 3.11). Pure: knows neither requests nor files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from swell.api.text_template import Method, Template, TemplateError, parse

__all__ = ["DEFAULT_TEMPLATE", "VARIABLES", "Entry", "Pod", "TemplateError", "line", "parse_template"]

# The reference's fields, in its order. They are put into JSON by `json`, not by its `js`: that escapes apostrophes,
# which JSON does not allow.
DEFAULT_TEMPLATE: Final = (
    '{"httpRequest": {'
    '"requestMethod": "{{.Request.Method}}", '
    '"requestUrl": "{{json .Request.RequestURI}}", '
    '"requestSize": "{{.Request.ContentLength}}", '
    '"status": {{.Response.Code}}, '
    '"responseSize": "{{.Response.Size}}", '
    '"userAgent": "{{json .Request.UserAgent}}", '
    '"remoteIp": "{{json .Request.RemoteAddr}}", '
    '"serverIp": "{{.Revision.PodIP}}", '
    '"referer": "{{json .Request.Referer}}", '
    '"latency": "{{.Response.Latency}}s", '
    '"protocol": "{{.Request.Proto}}"}, '
    '"traceId": "{{json .TraceID}}"}'
)


class Pod(NamedTuple):
    """Who served the request; what is not known is empty."""

    revision: str
    namespace: str
    service: str
    configuration: str
    pod: str = ""
    pod_ip: str = ""


class Entry(NamedTuple):
    """One request that is over. `named` are its headers by lower-case name; `content_length` -1 is not known.

    `size` are the bytes of the answer's body. Headers that are no UTF-8 are printed as they came.
    """

    method: str
    target: str
    host: str
    version: str
    content_length: int
    remote_address: str
    named: Mapping[bytes, bytes]
    code: int
    size: int
    latency_s: float
    pod: Pod

    def header(self, name: str) -> str:
        """A header's value, "" if absent."""
        return _text(self.named.get(name.lower().encode("utf-8", "surrogateescape"), b""))

    @property
    def trace_id(self) -> str:
        """From `traceparent`, else `X-B3-TraceId`, else ""."""
        fields = self.named.get(b"traceparent", b"").split(b"-")
        return _text(fields[1]) if len(fields) > 1 else self.header("x-b3-traceid")


VARIABLES: Final[Mapping[str, Callable[[Entry], Any] | Method]] = {
    "Request.Method": lambda entry: entry.method,
    "Request.RequestURI": lambda entry: entry.target,
    "Request.URL": lambda entry: entry.target,
    "Request.URL.Path": lambda entry: entry.target.partition("?")[0],
    "Request.URL.RawQuery": lambda entry: entry.target.partition("?")[2],
    "Request.Host": lambda entry: entry.host,
    "Request.Proto": lambda entry: f"HTTP/{entry.version}",
    "Request.ContentLength": lambda entry: entry.content_length,
    "Request.RemoteAddr": lambda entry: entry.remote_address,
    "Request.UserAgent": lambda entry: _text(entry.named.get(b"user-agent", b"")),
    "Request.Referer": lambda entry: _text(entry.named.get(b"referer", b"")),
    "Request.Header.Get": Method(Entry.header, 1),
    "Response.Code": lambda entry: entry.code,
    "Response.Size": lambda entry: entry.size,
    "Response.Latency": lambda entry: entry.latency_s,
    "Revision.Name": lambda entry: entry.pod.revision,
    "Revision.Namespace": lambda entry: entry.pod.namespace,
    "Revision.Service": lambda entry: entry.pod.service,
    "Revision.Configuration": lambda entry: entry.pod.configuration,
    "Revision.PodName": lambda entry: entry.pod.pod,
    "Revision.PodIP": lambda entry: entry.pod.pod_ip,
    "TraceID": lambda entry: entry.trace_id,
}


def parse_template(text: str) -> Template[Entry]:
    """The template; empty text is the default one. Raises `TemplateError` with the place of what is wrong."""
    return parse(text or DEFAULT_TEMPLATE, VARIABLES)


def line(template: Template[Entry], entry: Entry) -> str:
    """The text for one request, with a newline; where the template cannot be applied to it, one that says so."""
    try:
        text = template.render(entry)
    except (TypeError, ValueError) as error:
        text = (
            f"Invalid request log template: method: {entry.method}, response code: {entry.code}, "
            f"latency: {entry.latency_s}, url: {entry.target}: {error}"
        )
    return text if text.endswith("\n") else text + "\n"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
