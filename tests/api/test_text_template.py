"""The part of Go's text/template that request logs have."""

from __future__ import annotations

from typing import Any

import pytest

from swell.api.text_template import Method, TemplateError, parse

FIELDS: dict[str, Any] = {
    "Name": lambda data: data["name"],
    "Count": lambda data: data["count"],
    "Deep.Er": lambda data: "deep",
    "Get": Method(lambda data, key: data.get(key, ""), 1),
}
DATA = {"name": "a'b\"<é>\\\n", "count": 3, "x": "y"}

RENDERED = [
    ("plain text", "plain text"),
    ("", ""),
    ("{{.Count}} of {{ .Deep.Er }}", "3 of deep"),
    ("{{js .Name}}", "a\\'b\\\"\\u003Cé\\u003E\\\\\\u000A"),
    ("{{json .Name}}", "a'b\\\"<é>\\\\\\n"),
    ("{{html .Name}}", "a&#39;b&#34;&lt;é&gt;\\\n"),
    ("{{urlquery .Deep.Er `a b`}}", "deepa+b"),
    ('{{.Get "x"}}{{.Get "none"}}', "y"),
    ('{{"x" | .Get | js}}', "y"),
    ('{{print (.Get "x") "}}" 1.50 true nil}}', "y}}1.5true<nil>"),
    ('{{printf "%03d|%-5s|%q|%.2f|%%|%v" .Count .Deep.Er "q" 0.126 .Count}}', '003|deep |"q"|0.13|%|3'),
    ('{{printf "%s"}}', "%!s(MISSING)"),
    ("{{if .Count}}yes{{end}}{{if not .Count}}no{{end}}", "yes"),
    ("{{if ge .Count 5}}five{{else if eq .Count 1 3}}one or three{{else}}other{{end}}.", "one or three."),
    ("{{if and (lt .Count 5) (gt .Count 2)}}a{{end}}{{if or (le .Count 1) (ne .Count 3)}}b{{else}}c{{end}}", "ac"),
    ("{{if .Count}}{{if eq .Count 4}}4{{else}}not 4{{end}}{{end}}!", "not 4!"),
    ("a  {{- /* nothing */ -}}  b", "ab"),
    ("a {{- .Count -}} \n b", "a3b"),
    ("{{len .Deep.Er}}", "4"),
    ("{{/* {{ */}}", ""),
    ("{{.Count}}}}", "3}}"),
]


@pytest.mark.parametrize(("text", "want"), RENDERED, ids=[text for text, _ in RENDERED])
def test_it_renders_as_go_does(text: str, want: str) -> None:
    assert parse(text, FIELDS).render(DATA) == want


REFUSED = [
    ("{{.Nmae}}", "line 1, column 1: no field .Nmae; there are .Name, .Count"),
    ("one\n  two {{nothing .Name}}", "line 2, column 7: no function 'nothing'; there are js, json"),
    ("{{range .Name}}", "{{range}} is not supported; there are {{if}}"),
    ("{{if .Name}}", "line 1, column 1: {{if}} that no {{end}} closes"),
    ("{{if .Name}}{{else}}{{else}}{{end}}", "{{if}} that no {{end}} closes"),
    ("{{.Name}}{{end}}", "{{end}} without {{if}}"),
    ("text {{.Name", "line 1, column 6: {{ that nothing closes"),
    ('{{print "}}', "{{ that nothing closes"),
    ("{{$x}}", "unexpected '$x'"),
    ("{{js}}", "js takes 1 arguments or more, found 0"),
    ("{{not 1 2}}", "not takes 1 arguments, found 2"),
    ("{{.Get}}", ".Get takes 1 arguments, found 0"),
    ("{{js .Get}}", ".Get takes an argument"),
    ("{{.Name 1}}", ".Name is not a function"),
    ("{{js (.Name}}", "a parenthesis that nothing closes"),
    ("{{.Name | }}", "a value is missing"),
    ("{{.Name )}}", "unexpected ')'"),
    ("{{if}}x{{end}}", "a value is missing"),
    ('{{print "\\x"}}', "is no text that can be read"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_cannot_be_used_is_told_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(TemplateError) as found:
        parse(text, FIELDS)
    assert problem in str(found.value)
    assert str(found.value).startswith("line ")


def test_what_a_function_cannot_take_is_an_error_when_it_is_rendered() -> None:
    with pytest.raises(TypeError):
        parse("{{lt .Name 1}}", FIELDS).render(DATA)
