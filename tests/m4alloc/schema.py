"""A validator for as much of JSON Schema as docs/json-schema uses; anything else in a schema is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
SAID_ELSEWHERE = {"$schema", "$id", "$defs", "title", "description", "required", "additionalProperties"}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "$") -> Iterator[str]:
    """Where and how `value` is not what `schema` says; nothing when it is."""
    root = schema if root is None else root
    for keyword, wanted in schema.items():
        match keyword:
            case "$ref":
                name = re.fullmatch(r"#/\$defs/(\w+)", wanted)
                assert name is not None, wanted
                yield from faults(value, root["$defs"][name[1]], root, at)
            case "type":
                is_bool = isinstance(value, bool) and wanted != "boolean"
                if is_bool or not isinstance(value, TYPES[wanted]):
                    yield f"{at}: {value!r} is no {wanted}"
            case "const" if value != wanted:
                yield f"{at}: {value!r} is not {wanted!r}"
            case "enum" if value not in wanted:
                yield f"{at}: {value!r} is none of {wanted}"
            case "minimum" if isinstance(value, int | float) and value < wanted:
                yield f"{at}: {value} is below {wanted}"
            case "maximum" if isinstance(value, int | float) and value > wanted:
                yield f"{at}: {value} is above {wanted}"
            case "anyOf":
                if not any(not list(faults(value, one, root, at)) for one in wanted):
                    yield f"{at}: {value!r} fits none of the alternatives"
            case "items" if isinstance(value, list):
                for index, item in enumerate(value):
                    yield from faults(item, wanted, root, f"{at}[{index}]")
            case "properties" if isinstance(value, dict):
                yield from _members(value, schema, root, at)
            case "const" | "enum" | "minimum" | "maximum" | "items" | "properties":
                pass
            case _ if keyword not in SAID_ELSEWHERE:
                raise AssertionError(f"the schema uses {keyword}, which this validator does not know")


def _members(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    known = schema["properties"]
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}: {name} is missing"
    for name, member in value.items():
        if name in known:
            yield from faults(member, known[name], root, f"{at}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{at}: {name} is not known"
