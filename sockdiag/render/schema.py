"""JSON Schema (2020-12) of a command's document, derived from the declarations of its records."""

from __future__ import annotations

from sockdiag.model.fields import SOCKET_PARTS, record_class
from sockdiag.model.provenance import Provenance
from sockdiag.model.record import FLAGS, Field
from sockdiag.model.socket import Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_SIMPLE: dict[str, dict[str, Any]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bytes": {"type": "string"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
}


# Of several captures at once (sockdiag.cli.fleet).
_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_HOSTS: dict[str, Any] = {
    "type": "array",
    "description": "Of several captures: each host, in the order of --root. Every row and finding then has its host, too.",
    "items": {
        "type": "object",
        "properties": {
            "host": {"type": "string", "description": "Its name, as in the rows; unlike that of any other."},
            "root": {"type": "string", "description": "Its capture."},
            "hostname": {**_TEXT, "description": "Host name."},
            "kernel": {**_TEXT, "description": "Kernel release."},
            "boot_id": {**_TEXT, "description": "Changes at every boot."},
            "generated_at": {"type": "string", "format": "date-time", "description": "When it was captured."},
            "complete": {"type": "boolean", "description": "False if something could not be read."},
            "error": {**_TEXT, "description": "Why the capture could not be read; null if it could."},
            "verdict": {"type": "string", "description": "Its verdict, of commands that judge."},
        },
        "required": ["host", "root", "complete", "error"],
    },
}


def document_schema(command: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Build the schema of a command's document.

    Args:
        command: name of the command.
        keys: for each of the document's own keys a record class for an object, a list of classes for an array of them,
            or a type in the form of an annotation. A key that ends in ``*`` holds the rows, of which ``-o`` may choose
            some fields; a key that ends in ``?`` or ``?*`` is present only with some options.
    """
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {
        "schema": {"const": f"sockdiag.{command}/1"},
        "generated_at": {"type": "string", "format": "date-time"},
        "complete": {"type": "boolean", "description": "False if something that was asked for could not be read."},
    }
    for field in Provenance.FIELDS:
        if field.name != "at":
            properties[field.name] = _field(Provenance, field, definitions)
    required = list(properties)
    properties["hosts"] = _HOSTS
    # Rows first: a record inside them may have only some of its fields anywhere.
    for key, value in sorted(keys.items(), key=lambda item: not item[0].endswith("*")):
        name = key.rstrip("?*")
        known = set(definitions)
        properties[name] = _value(value, definitions)
        for definition in definitions.keys() - known if key.endswith("*") else ():
            del definitions[definition]["required"]
        if "?" not in key:
            required.append(name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"sockdiag {command} --json",
        "type": "object",
        "properties": properties,
        "required": required,
        "$defs": definitions,
    }


def _value(value: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, str):
        return _annotation(value, None, definitions)
    if isinstance(value, list):
        kinds = [_reference(record, definitions) for record in value]
        return {"type": "array", "items": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}}
    return _reference(value, definitions)


def _reference(record: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    name = record.__name__
    if name not in definitions:
        definitions[name] = {}  # reserves the name, for a record that contains itself
        definitions[name] = {
            "type": "object",
            "description": record.__doc__.partition("\n")[0],
            "properties": {field.name: _field(record, field, definitions) for field in record.FIELDS},
            # A part that was not asked for, or that such a socket does not have, is absent.
            "required": [
                field.name
                for field in record.FIELDS
                if not field.needs and not (record is Socket and field.name in SOCKET_PARTS)
            ],
        }
    return {"$ref": f"#/$defs/{name}"}


def _field(record: Any, field: Field, definitions: dict[str, Any]) -> dict[str, Any]:
    annotation = next(c.__annotations__[field.name] for c in record.__mro__ if field.name in c.__annotations__)
    schema = _annotation(annotation, field, definitions)
    described = field.help
    if field.unit:
        described += f" Unit: {field.unit}."
    return {**schema, "description": described}


def _annotation(text: str, field: Field | None, definitions: dict[str, Any]) -> dict[str, Any]:
    options = [_one(part, field, definitions) for part in _split(text, "|")]
    unique = [option for i, option in enumerate(options) if option not in options[:i]]
    return unique[0] if len(unique) == 1 else {"anyOf": unique}


def _one(text: str, field: Field | None, definitions: dict[str, Any]) -> dict[str, Any]:
    if text.startswith(("tuple[", "frozenset[", "list[")):
        inner = _split(text[text.index("[") + 1 : -1], ",")
        items = [part for part in inner if part != "..."]
        schemas = [_annotation(part, field, definitions) for part in items]
        unique = [s for i, s in enumerate(schemas) if s not in schemas[:i]]
        return {"type": "array", "items": unique[0] if len(unique) == 1 else {"anyOf": unique}}
    if text.startswith("dict["):
        _key, value = _split(text[5:-1], ",")
        return {"type": "object", "additionalProperties": _annotation(value, field, definitions)}
    if text in _SIMPLE:
        if text == "int" and field is not None:
            if field.base == 16:
                return {"type": "string", "pattern": "^[0-9a-f]+$"}
            if field.kind == FLAGS and field.words:
                return {"type": "array", "items": {"type": "string"}}
            if field.words:
                return {"anyOf": [{"enum": list(field.words)}, {"type": "integer"}]}
        return _SIMPLE[text]
    if field is None:
        raise ValueError(text)
    return _reference(record_class(field), definitions)


def _split(text: str, separator: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif char == separator and not depth:
            parts.append(text[start:i].strip())
            start = i + 1
    return [*parts, text[start:].strip()]
