"""Types, constants, attributes: the parts of LLVM's text below an instruction."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from m4alloc.superopt.ir import (
    VOID,
    Constant,
    ConstantVector,
    Float,
    Global,
    Int,
    Local,
    Null,
    OpaqueConstant,
    OpaqueType,
    Pointer,
    Poison,
    Struct,
    Type,
    Undef,
    Value,
    Vector,
    constant,
)
from m4alloc.superopt.parse_tokens import Cursor, IrError, unquoted

WIDEST = 128
"""Integers above this many bits are opaque types."""

_FLOATS = frozenset({"half", "bfloat", "float", "double", "fp128", "x86_fp80", "ppc_fp128"})
_WORDS = frozenset({"label", "metadata", "token", "x86_amx", "x86_mmx", "opaque"})
_INTEGER = re.compile(r"i(\d+)")
_SIGNED_ALIGNMENT = re.compile(r"(alignstack|align)=(\d+)")


@dataclass
class Context:
    """What a module's text defines for the lines of its functions."""

    types: dict[str, str] = field(default_factory=dict)
    """Named types to the text of their bodies."""
    groups: dict[str, str] = field(default_factory=dict)
    """"#0" to its attributes."""
    nodes: dict[str, str] = field(default_factory=dict)
    """"!0" to the text of the metadata node."""
    _read_types: dict[str, Type] = field(default_factory=dict)
    _read_nodes: dict[str, str] = field(default_factory=dict)

    def named_type(self, name: str) -> Type:
        """The body of a named type, which has the same layout; a type without a body stays a name."""
        if name not in self._read_types:
            body = self.types.get(name)
            if body is None or body == "opaque":
                plain = re.fullmatch(r"[-a-zA-Z$._0-9]+", name)
                self._read_types[name] = OpaqueType(f"%{name}" if plain else f'%"{name}"')
            else:
                self._read_types[name] = read_type(Cursor(body), self)
        return self._read_types[name]

    def node(self, reference: str) -> str:
        """A metadata node with every node that it names written in its place; the reference itself where the node is
        distinct, leads to itself or is no plain tuple."""
        if reference not in self._read_nodes:
            self._read_nodes[reference] = reference  # what a cycle finds
            body = self.nodes.get(reference, "")
            if body.startswith("!{"):
                parts, previous, plain = [], 0, True
                for token in Cursor(body).tokens:
                    word = token.text
                    if token.kind == "metadata" and word[1:].isdigit():
                        word = self.node(word)
                        plain = plain and not word[1:].isdigit()
                    parts += [body[previous : token.start], word]
                    previous = token.end
                if plain:
                    self._read_nodes[reference] = "".join(parts)
        return self._read_nodes[reference]

    def attributes(self, text: str) -> str:
        """References to attribute groups replaced by the attributes."""
        return re.sub(r"#\d+", lambda match: self.groups.get(match.group(), match.group()), text)


def group_text(text: str) -> str:
    """The attributes of a group as they are written at a function: `alignstack=16` becomes `alignstack(16)`.

    >>> group_text("nounwind alignstack=16")
    'nounwind alignstack(16)'
    """
    return _SIGNED_ALIGNMENT.sub(r"\1(\2)", text.strip())


def read_type(cursor: Cursor, context: Context) -> Type:
    """The type that stands here."""
    start = cursor.at
    token = cursor.take()
    text = token.text
    if token.kind == "local":
        return context.named_type(unquoted(text))
    if token.kind == "word":
        match = _INTEGER.fullmatch(text)
        if match:
            width = int(match.group(1))
            return Int(width) if width <= WIDEST else OpaqueType(text)
        if text == "ptr":
            return _pointer(cursor)
        if text in _FLOATS:
            return Float(text)
        if text == "void":
            return VOID
        if text == "target":
            cursor.balanced()
            return OpaqueType(cursor.since(start))
        if text in _WORDS:
            return OpaqueType(text)
        raise cursor.error(f"a type was expected, not {text!r}")
    if text == "[":
        count = cursor.take().text
        cursor.expect("x")
        element = read_type(cursor, context)
        cursor.expect("]")
        return OpaqueType(f"[{count} x {element}]")
    if text == "{":
        return Struct(_fields(cursor, context))
    if text == "<" and cursor.accept("{"):
        fields = _fields(cursor, context)
        cursor.expect(">")
        return OpaqueType(f"<{{ {', '.join(map(str, fields))} }}>" if fields else "<{}>")
    if text == "<":
        scalable = cursor.accept("vscale")
        if scalable:
            cursor.expect("x")
        count = cursor.take().text
        cursor.expect("x")
        element = read_type(cursor, context)
        cursor.expect(">")
        if scalable or not isinstance(element, Int | Pointer | Float):
            return OpaqueType(f"<{'vscale x ' if scalable else ''}{count} x {element}>")
        return Vector(int(count), element)
    raise cursor.error(f"a type was expected, not {text!r}")


def _pointer(cursor: Cursor) -> Pointer:
    if not cursor.accept("addrspace"):
        return Pointer()
    cursor.expect("(")
    space = cursor.take().text
    cursor.expect(")")
    return Pointer(int(space))


def _fields(cursor: Cursor, context: Context) -> tuple[Type, ...]:
    fields: list[Type] = []
    while not cursor.accept("}"):
        fields.append(read_type(cursor, context))
        cursor.accept(",")
    return tuple(fields)


def parse_type(text: str) -> Type:
    """The type that `text` writes; named types stay opaque.

    >>> parse_type("<4 x i8>"), str(parse_type("{ i32, [2 x ptr] }"))
    (Vector(count=4, element=Int(width=8)), '{ i32, [2 x ptr] }')
    """
    cursor = Cursor(text)
    found = read_type(cursor, Context())
    if not cursor.is_done:
        raise IrError(f"{text!r} goes on after the type")
    return found


def read_value(cursor: Cursor, type: Type, context: Context) -> Value:
    """The operand that stands here, of a type that is known."""
    token = cursor.token
    if token.kind == "local":
        return Local(unquoted(cursor.take().text), type)
    if isinstance(type, Int):
        if token.kind == "number" and token.text.lstrip("-").isdigit():
            return constant(type, int(cursor.take().text))
        if token.text in {"true", "false"}:
            return Constant(type, int(cursor.take().text == "true"))
    if token.kind == "global" and isinstance(type, Pointer):
        return Global(unquoted(cursor.take().text), type)
    if token.text in {"undef", "poison"} and token.kind == "word":
        return Undef(type) if cursor.take().text == "undef" else Poison(type)
    if token.text == "null" and isinstance(type, Pointer):
        cursor.take()
        return Null(type)
    if isinstance(type, Vector):
        return _vector(cursor, type, context)
    return OpaqueConstant(type, _constant_text(cursor, context))


def _vector(cursor: Cursor, type: Vector, context: Context) -> Value:
    if cursor.accept("zeroinitializer"):
        return ConstantVector(type, (_zero(type.element),) * type.count)
    if cursor.token.text == "splat" and cursor.peek().text == "(":
        cursor.take()
        cursor.take()
        element = read_value(cursor, read_type(cursor, context), context)
        cursor.expect(")")
        return ConstantVector(type, (element,) * type.count)
    if cursor.accept("<"):
        elements = []
        while not cursor.accept(">"):
            elements.append(read_value(cursor, read_type(cursor, context), context))
            cursor.accept(",")
        return ConstantVector(type, tuple(elements))
    return OpaqueConstant(type, _constant_text(cursor, context))


def _zero(type: Int | Pointer | Float) -> Value:
    if isinstance(type, Int):
        return Constant(type, 0)
    if isinstance(type, Pointer):
        return Null(type)
    return OpaqueConstant(type, "0.000000e+00" if type.kind in {"float", "double"} else "0x" + _ZEROS[type.kind])


_ZEROS = {
    "half": "H0000",
    "bfloat": "R0000",
    "fp128": "L" + "0" * 32,
    "x86_fp80": "K" + "0" * 20,
    "ppc_fp128": "M" + "0" * 32,
}


def _constant_text(cursor: Cursor, context: Context) -> str:
    """A constant outside the subset as its text: a word, flags of a constant expression, bracketed operands."""
    start = cursor.at
    while cursor.token.kind == "word" and cursor.peek().kind in {"word", "string"}:
        cursor.take()  # getelementptr inbounds (...), asm sideeffect "..."
    word = cursor.token
    cursor.balanced()
    if word.kind == "word":
        while cursor.token.text == "(":
            cursor.balanced()
    if cursor.tokens[start].text == "asm" or word.kind == "string":
        while cursor.token.text == "," and cursor.peek().kind == "string":
            cursor.take()
            cursor.take()
    return without_named_types(cursor, start, context, frozenset())


def without_named_types(cursor: Cursor, start: int, context: Context, locals_: Collection[str]) -> str:
    """The text from the word `start` to here, each named type replaced by its body.

    A name that is both a type's and a value's is taken for the type where a value follows it.
    """
    parts: list[str] = []
    previous = cursor.tokens[start].start if start < cursor.at else 0
    for index in range(start, cursor.at):
        token = cursor.tokens[index]
        parts.append(cursor.line[previous : token.start])
        previous = token.end
        text = token.text
        if token.kind == "local" and is_type(cursor, index, context, locals_):
            text = str(context.named_type(unquoted(text)))
        parts.append(text)
    return "".join(parts)


def is_type(cursor: Cursor, index: int, context: Context, locals_: Collection[str]) -> bool:
    """Whether the word number `index`, which begins with %, names a type and not a value; IrError if it could be
    either."""
    name = unquoted(cursor.tokens[index].text)
    if name not in context.types:
        return False
    if name not in locals_:
        return True
    raise cursor.error(f"%{name} is the name of a type and of a value")


def read_attributes(cursor: Cursor, context: Context) -> tuple[str, ...]:
    """The attributes that stand here, each as its text."""
    found: list[str] = []
    while cursor.token.kind in {"word", "string"}:
        found.append(read_attribute(cursor, context))
    return tuple(found)


def read_attribute(cursor: Cursor, context: Context) -> str:
    """One attribute: a word, a word with its value, or `"key"="value"`."""
    start = cursor.at
    token = cursor.take()
    if token.kind == "string":
        if cursor.accept("="):
            cursor.take()
    elif token.text in {"align", "addrspace"} and cursor.token.kind == "number":
        cursor.take()
    elif cursor.token.text == "(":
        cursor.balanced()
    return without_named_types(cursor, start, context, frozenset())
