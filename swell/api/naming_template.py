"""The small part of Go's text templates that names need: `{{.Name}}`, `{{.Labels.key}}`, `{{index .Labels "k"}}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_FIELD = re.compile(r"\.([A-Za-z]\w*)(?:\.([A-Za-z_]\w*))?")
_INDEX = re.compile(r'index\s+\.([A-Za-z]\w*)\s+"([^"]*)"')
_FORMS = 'text with {{.Field}}, {{.Labels.key}} or {{index .Labels "key"}}'
_OBJECT_FIELDS = ("Name", "GenerateName", "Namespace", "UID", "Labels", "Annotations")

Values = Mapping[str, str | Mapping[str, str]]


class TemplateError(ValueError):
    """A template that cannot be rendered; the text says what can be."""


def render(template: str, values: Values) -> str:
    """The template with its actions replaced. A map lacks nothing: an absent key renders as "".

    Raises `TemplateError` for an unknown field or any other kind of action.
    """
    return _ACTION.sub(lambda match: _value(match[1], values), template)


def render_name(template: str, metadata: Mapping[str, object]) -> str:
    """A container's name from the metadata of the object that holds it (possibly empty)."""
    keys = {name: name[0].lower() + name[1:] for name in _OBJECT_FIELDS} | {"UID": "uid"}
    values: dict[str, str | Mapping[str, str]] = {}
    for name, key in keys.items():
        found = metadata.get(key)
        values[name] = found if isinstance(found, str | Mapping) else {} if name.endswith("s") else ""
    return render(template, values)


def _value(action: str, values: Values) -> str:
    field = _FIELD.fullmatch(action)
    index = _INDEX.fullmatch(action)
    match = field or index
    if match is None:
        raise TemplateError(f"{_FORMS}; found {{{{{action}}}}}")
    name, key = match[1], match[2]
    if name not in values:
        raise TemplateError(f"the fields {', '.join('.' + known for known in values)}; found .{name}")
    value = values[name]
    if isinstance(value, str) and key is None:
        return value
    if isinstance(value, Mapping) and key is not None:
        return value.get(key, "")
    raise TemplateError(f"{_FORMS}; found {{{{{action}}}}}")
