"""A line of the request log: spec dataplane 3.11."""

from __future__ import annotations

import json

from swell.api.request_log import VARIABLES, Entry, Pod, line, parse_template
from swell.api.text_template import Method

POD = Pod("hello-00001", "default", "hello", "hello", "hello-1", "10.0.0.7")
ENTRY = Entry(
    method="GET",
    target='/a\'b?q="<x>"',
    host="hello.example.com",
    version="1.1",
    content_length=0,
    remote_address="10.0.0.9:4711",
    named={
        b"user-agent": b'cur"l\xff',
        b"referer": b"http://x/",
        b"x-key": "é".encode(),
        b"traceparent": b"00-4bf9-00-01",
    },
    code=200,
    size=12,
    latency_s=0.00001,
    pod=POD,
)


def test_without_a_template_a_line_is_json_whatever_callers_send() -> None:
    found = json.loads(line(parse_template(""), ENTRY).encode("utf-8", "surrogateescape"))
    assert list(found) == ["httpRequest", "traceId"]
    assert found["httpRequest"] == {
        "requestMethod": "GET",
        "requestUrl": '/a\'b?q="<x>"',
        "requestSize": "0",
        "status": 200,
        "responseSize": "12",
        "userAgent": 'cur"l�',
        "remoteIp": "10.0.0.9:4711",
        "serverIp": "10.0.0.7",
        "referer": "http://x/",
        "latency": "1e-05s",
        "protocol": "HTTP/1.1",
    }
    assert found["traceId"] == "4bf9"


def test_every_variable_has_a_value() -> None:
    actions = [f'.{name} "X-Key"' if isinstance(found, Method) else f".{name}" for name, found in VARIABLES.items()]
    template = "|".join("{{" + action + "}}" for action in actions)
    values = dict(zip(VARIABLES, line(parse_template(template), ENTRY).rstrip("\n").split("|"), strict=True))
    assert values["Request.Header.Get"] == "é"
    assert values["Request.URL.Path"] == "/a'b"
    assert values["Request.URL.RawQuery"] == 'q="<x>"'
    assert values["Request.Host"] == "hello.example.com"
    assert values["Revision.Service"] == "hello"
    assert values["Revision.PodName"] == "hello-1"
    assert all(values.values())


def test_a_trace_is_known_by_either_header() -> None:
    template = parse_template("{{.TraceID}}")
    assert line(template, ENTRY._replace(named={b"x-b3-traceid": b"80f1"})) == "80f1\n"
    assert line(template, ENTRY._replace(named={})) == "\n"


def test_a_line_ends_once() -> None:
    assert line(parse_template("x\n"), ENTRY) == "x\n"


def test_a_template_that_does_not_fit_says_so_in_each_line() -> None:
    found = line(parse_template('{{lt .Response.Code "x"}}'), ENTRY)
    start = 'Invalid request log template: method: GET, response code: 200, latency: 1e-05, url: /a\'b?q="<x>"'
    assert found.startswith(start)
    assert found.count("\n") == 1
