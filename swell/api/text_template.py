"""A part of Go's text/template: enough for log lines. Pure.

Text, `{{.Field}}`, methods with arguments, string and number literals, functions, pipes, parentheses, `{{if}}` with
`{{else if}}` and `{{else}}`, comments and trim markers. What a template may name is known when it is parsed, so that a
wrong name is an error then, with its place, and not with each line that is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar

from swell.api.template_functions import FUNCTIONS, text_of

D = TypeVar("D")

_ACTION: Final = re.compile(
    r"\{\{(?:- )?\s*(/\*.*?\*/|(?:\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`|[^`\"])*?)(\s-)?\}\}", re.DOTALL
)
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<field>(?:\.[A-Za-z_]\w*)+)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign>[|()]))"
)
_NOT_HERE: Final = ("range", "with", "define", "template", "block", "break", "continue")
_CONSTANTS: Final = {"true": True, "false": False, "nil": None}

Value = Callable[[D], Any]


class TemplateError(ValueError):
    """A template that cannot be used: where, what was found, what is allowed."""


class Method(NamedTuple):
    """A field that takes arguments, all of them texts."""

    call: Callable[..., Any]
    arguments: int


class Template(Generic[D]):
    """A parsed template."""

    __slots__ = ("_parts",)

    def __init__(self, parts: list[str | Value[D]]) -> None:
        self._parts = parts

    def render(self, data: D) -> str:
        """The text for `data`. Raises `TypeError` or `ValueError` where a function cannot take what it is given."""
        return "".join([part if type(part) is str else part(data) for part in self._parts])  # type: ignore[operator]


def parse(text: str, fields: Mapping[str, Value[D] | Method]) -> Template[D]:
    """Parse `text`; `fields` are all that it may name, as `Request.Method`. Raises `TemplateError`."""
    return Template(_Parser(text, fields).whole())


class _Parser(Generic[D]):
    def __init__(self, text: str, fields: Mapping[str, Value[D] | Method]) -> None:
        self._text = text
        self._fields = fields
        self._at = 0

    def whole(self) -> list[str | Value[D]]:
        parts, end = self._body()
        if end:
            self._refuse(f"{{{{{end}}}}} without {{{{if}}}}")
        return parts

    def _body(self) -> tuple[list[str | Value[D]], str]:
        """All up to an action that ends it; which is returned too, "" at the end of the text."""
        parts: list[str | Value[D]] = []
        while True:
            begin = self._text.find("{{", self._at)
            text = self._text[self._at : begin if begin >= 0 else len(self._text)]
            if begin >= 0 and self._text.startswith("{{- ", begin):
                text = text.rstrip()
            if text:
                parts.append(text)
            if begin < 0:
                self._at = len(self._text)
                return parts, ""
            action = self._action(begin)
            keyword = action.partition(" ")[0]
            if keyword in ("end", "else"):
                return parts, action
            if keyword == "if":
                parts.append(self._if(action.removeprefix("if"), begin))
            elif action and not action.startswith("/*"):
                parts.append(_printed(self._expression(action, begin)))

    def _action(self, begin: int) -> str:
        """What stands between the braces that open at `begin`; reading goes on behind them."""
        found = _ACTION.match(self._text, begin)
        if found is None:
            self._refuse("{{ that nothing closes", begin)
        self._at = found.end()
        if found[2]:
            self._at += len(self._text[self._at :]) - len(self._text[self._at :].lstrip())
        return found[1].strip()

    def _if(self, condition: str, begin: int) -> Value[D]:
        chosen = self._expression(condition.strip(), begin)
        body, end = self._body()
        otherwise: list[str | Value[D]] = []
        if end == "else":
            otherwise, end = self._body()
        elif end.startswith("else if "):
            otherwise, end = [self._if(end.removeprefix("else if"), begin)], "end"
        if end != "end":
            self._refuse("{{if}} that no {{end}} closes", begin)
        yes, no = Template(body).render, Template(otherwise).render
        return lambda data: yes(data) if chosen(data) else no(data)

    def _expression(self, action: str, begin: int) -> Value[D]:
        return _Expression(action, self._fields, lambda problem: self._refuse(problem, begin)).whole()

    def _refuse(self, problem: str, at: int | None = None) -> NoReturn:
        before = self._text[: self._at if at is None else at]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise TemplateError(f"line {line}, column {column}: {problem}")


class _Expression(Generic[D]):
    """One pipeline. `refuse` raises."""

    def __init__(self, text: str, fields: Mapping[str, Value[D] | Method], refuse: Callable[[str], NoReturn]) -> None:
        self._fields = fields
        self._refuse = refuse
        self._tokens = self._split(text)

    def whole(self) -> Value[D]:
        found = self._pipeline()
        if self._tokens:
            self._refuse(f"unexpected {self._tokens[0][1]!r}")
        return found

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                self._refuse(f"unexpected {text[at:].strip()[:20]!r}")
            tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()
        return tokens

    def _pipeline(self) -> Value[D]:
        value = self._command(None)
        while self._tokens and self._tokens[0] == ("sign", "|"):
            self._tokens.pop(0)
            value = self._command(value)
        return value

    def _command(self, piped: Value[D] | None) -> Value[D]:
        """A function, a method or a value, and what it is given: `piped` comes last."""
        if not self._tokens:
            self._refuse("a value is missing")
        kind, text = self._tokens.pop(0)
        called = kind == "word" and text not in _CONSTANTS
        if called and text not in FUNCTIONS:
            self._refuse(_unknown(text))
        method = self._fields.get(text[1:]) if kind == "field" else None
        first = None if called or isinstance(method, Method) else self._value(kind, text)
        arguments = []
        while self._tokens and self._tokens[0] not in (("sign", "|"), ("sign", ")")):
            arguments.append(self._value(*self._tokens.pop(0)))
        if piped is not None:
            arguments.append(piped)
        if called:
            return self._function(text, arguments)
        if isinstance(method, Method):
            if len(arguments) != method.arguments:
                self._refuse(f"{text} takes {method.arguments} arguments, found {len(arguments)}")
            return _called(method.call, arguments, with_data=True)
        if arguments:
            self._refuse(f"{text} is not a function, and is given something")
        assert first is not None
        return first

    def _function(self, name: str, arguments: list[Value[D]]) -> Value[D]:
        call, least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            self._refuse(f"{name} takes {least} arguments{' or more' * (most > least)}, found {len(arguments)}")
        return _called(call, arguments, with_data=False)

    def _value(self, kind: str, text: str) -> Value[D]:
        if kind == "field":
            return self._field(text[1:])
        if kind == "sign" and text == "(":
            found = self._pipeline()
            if not self._tokens or self._tokens.pop(0) != ("sign", ")"):
                self._refuse("a parenthesis that nothing closes")
            return found
        if kind == "text":
            return _constant(self._unquoted(text))
        if kind == "number":
            return _constant(float(text) if "." in text else int(text))
        if kind == "word" and text in _CONSTANTS:
            return _constant(_CONSTANTS[text])
        self._refuse(f"unexpected {text!r}")

    def _field(self, name: str) -> Value[D]:
        found = self._fields.get(name)
        if found is None:
            self._refuse(f"no field .{name}; there are {', '.join('.' + known for known in self._fields)}")
        if isinstance(found, Method):
            self._refuse(f'.{name} takes an argument, as in .{name} "X"; in an argument it stands in parentheses')
        return found

    def _unquoted(self, text: str) -> str:
        if text[0] == "`":
            return text[1:-1]
        import json  # its texts are Go's, but for \x and octal numbers

        try:
            return str(json.loads(text))
        except ValueError:
            self._refuse(f"{text} is no text that can be read")


def _unknown(word: str) -> str:
    if word in _NOT_HERE:
        return f"{{{{{word}}}}} is not supported; there are {{{{if}}}}, {{{{else}}}} and {{{{end}}}}"
    return f"no function {word!r}; there are {', '.join(FUNCTIONS)}"


def _constant(value: Any) -> Value[Any]:
    return lambda data: value


def _called(call: Callable[..., Any], arguments: list[Value[D]], *, with_data: bool) -> Value[D]:
    if with_data:
        return lambda data: call(data, *(argument(data) for argument in arguments))
    if len(arguments) == 1:
        (only,) = arguments
        return lambda data: call(only(data))
    return lambda data: call(*(argument(data) for argument in arguments))


def _printed(value: Value[D]) -> Value[D]:
    return lambda data: text_of(value(data))
