"""Reads LLVM's text into functions of the subset: parsed, verified and normalised by LLVM first.

What stays: flags, attributes of arguments and results, metadata on instructions (their nodes written in place), named
types (their bodies written in place).  What goes: debug locations, the `tail` mark and function attributes of calls of
pure intrinsics, which say nothing of them.  Metadata that cannot be written in place (distinct nodes, such as the
scopes of `!noalias`) stays as a reference: the module's text resolves it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from m4alloc.superopt import toolchain
from m4alloc.superopt.ir import Argument, Block, Function, Instruction, Local, Module, Type, is_convention
from m4alloc.superopt.parse_lines import Lines, UnsupportedFunctionError
from m4alloc.superopt.parse_tokens import Cursor, IrError, unquoted
from m4alloc.superopt.parse_types import (
    Context,
    group_text,
    parse_type,
    read_attribute,
    read_attributes,
    read_type,
    without_named_types,
)

__all__ = ["IrError", "parse_function", "parse_module", "parse_type"]

_LABEL = re.compile(r'(?:"([^"]*)"|([-a-zA-Z$._0-9]+)):')
_DEFINED = re.compile(r'\s+%(?:"([^"]*)"|([-a-zA-Z$._0-9]+)) = ')
_LINKAGE = frozenset(
    {
        *("private", "internal", "available_externally", "linkonce", "weak", "common", "appending", "extern_weak"),
        *("linkonce_odr", "weak_odr", "external", "dso_local", "dso_preemptable", "default", "hidden", "protected"),
        *("dllimport", "dllexport"),
    }
)
_TAIL = frozenset({"section", "partition", "comdat", "align", "gc", "prefix", "prologue", "personality"})


def parse_module(text: str, *, where: str = "<text>", only: Collection[str] | None = None) -> Module:
    """A module's text as data; LLVM has verified it.

    `declare` lines of intrinsics may be missing.  where: the name for messages.  only: names
    of the functions to read, all by default; the others stay text too.  A function that cannot be held (one
    with exception handling, variable arguments, a computed goto) stays text, and `skipped` says why.
    Raises IrError with LLVM's own message and line.  About 0.1 ms a line.
    """
    module = toolchain.read(text, where)
    lines = str(module).splitlines()
    context = _context(lines)
    functions: list[Function] = []
    skipped: dict[str, str] = {}
    kept: list[str] = []
    declarations: list[str] = []
    metadata: list[str] = []
    triple = layout = ""
    rest = iter(lines)
    for line in rest:
        if line.startswith("define "):
            body = list(_body(rest))
            name = _name(line)
            try:
                if only is not None and name not in only:
                    raise UnsupportedFunctionError("it was not asked for")
                functions.append(_function(*_unambiguous(line, body), context, module))
            except UnsupportedFunctionError as error:
                skipped[name] = str(error)
                kept.append("\n".join(context.attributes(part) for part in (line, *body, "}")))
        elif line.startswith("declare "):
            declarations.append(_declaration(line, context))
        elif line.startswith("!"):
            metadata.append(line)
        elif line.startswith("target triple"):
            triple = line.split('"')[1]
        elif line.startswith("target datalayout"):
            layout = line.split('"')[1]
        elif line.strip() and not line.startswith((";", "source_filename", "attributes #")):
            kept.append(context.attributes(line))
    return Module(tuple(functions), triple, layout, tuple(kept), tuple(declarations), tuple(metadata), skipped)


def parse_function(text: str, name: str | None = None, *, where: str = "<text>") -> Function:
    """The function `name` of a module's text, or its only one.

    Raises IrError where there is no such function, several and no name, or one that cannot be held.

    >>> parse_function("define i8 @f(i8 %x) { %y = add nsw i8 %x, 1 ret i8 %y }").blocks[0].instructions[0].flags
    frozenset({'nsw'})
    """
    return chosen(parse_module(text, where=where), name, where)


def chosen(module: Module, name: str | None = None, where: str = "<text>") -> Function:
    """The function `name` of a module, or its only one; IrError offers the names there are."""
    names = [function.name for function in module.functions]
    if name is None:
        if len(names) == 1 and not module.skipped:
            return module.functions[0]
        if not names and not module.skipped:
            raise IrError(f"{where} defines no function")
        listed = ", ".join([*names, *module.skipped][:20])
        raise IrError(f"{where} defines {len(names) + len(module.skipped)} functions, so one must be named: {listed}")
    if name in names:
        return module.function(name)
    if name in module.skipped:
        raise IrError(f"@{name} in {where} cannot be rewritten: {module.skipped[name]}")
    close = get_close_matches(name, names, 3, 0.5) or names[:10]
    raise IrError(f"{where} defines no function {name!r}; it defines {', '.join(close) or 'none'}")


def _body(rest: Iterator[str]) -> Iterator[str]:
    """Lines of a function, a switch on one line, without debug records."""
    for line in rest:
        if line == "}":
            return
        if line.rstrip().endswith("[") and line.lstrip().startswith("switch"):
            parts = [line]
            for part in rest:
                parts.append(part)
                if part.strip().startswith("]"):
                    break
            yield " ".join(map(str.strip, parts))
        elif not line.lstrip().startswith("#dbg_"):
            yield line


def _context(lines: list[str]) -> Context:
    context = Context()
    for line in lines:
        if line.startswith("%"):
            name, body = line.split(" = type ", 1)
            context.types[unquoted(name)] = body
        elif line.startswith("attributes #"):
            group, body = line.removeprefix("attributes ").split(" = ", 1)
            context.groups[group] = group_text(body.strip()[1:-1])
        elif line.startswith("!"):
            node, _, body = line.partition(" = ")
            if node[1:].isdigit():
                context.nodes[node] = body
    return context


def _declaration(line: str, context: Context) -> str:
    """`declare` without debug information, attributes and named types written out, as at the calls."""
    cursor = Cursor(re.sub(r"^declare (?:![\w.]+ !\d+ )+", "declare ", line))
    cursor.at = len(cursor.tokens)
    return context.attributes(without_named_types(cursor, 0, context, frozenset()))


def _name(line: str) -> str:
    cursor = Cursor(line)
    while cursor.token.kind != "global" or cursor.peek().text != "(":
        cursor.take()
    return unquoted(cursor.token.text)


def _unambiguous(header: str, body: list[str]) -> tuple[str, list[str]]:
    """The lines, a value named "7" being called "7.named" where there are numbered values too."""
    text = "\n".join([header, *body])
    if not re.search(r'%"\d+"', text):
        return header, body
    starts_with_label = bool(body) and not body[0][:1].isspace()
    if starts_with_label and not re.search(r"%\d", text):
        return header, body
    header, *body = re.sub(r'(%|^)"(\d+)"', r'\1"\2.named"', text, flags=re.MULTILINE).split("\n")
    return header, body


def _function(header: str, body: list[str], context: Context, module: Any) -> Function:
    function = _header(header, context)
    names = {argument.name for argument in function.arguments}
    label = str(sum(argument.name.isdigit() for argument in function.arguments))
    for line in body:
        match = _DEFINED.match(line)
        if match:
            names.add(match.group(1) or match.group(2))
    known: list[Type] = []
    count = 0

    def result() -> Type:
        if not known:
            found = module.get_function(function.name)
            for block in found.blocks:
                known.extend(_llvm_type(str(instruction.type), context) for instruction in block.instructions)
        return known[count]

    reader = Lines(context, names, result)
    blocks: list[Block] = []
    instructions: list[Instruction] = []
    for line in body:
        if not line.strip():
            continue
        match = _LABEL.match(line)
        if match and not line[0].isspace():
            if instructions:
                blocks.append(Block(label, tuple(instructions)))
            instructions = []
            label = match.group(1) or match.group(2)
            continue
        try:
            instructions.append(reader.read(line))
        except IrError as error:
            raise UnsupportedFunctionError(str(error)) from None
        count += 1
    blocks.append(Block(label, tuple(instructions)))
    return _typed(replace(function, blocks=tuple(blocks)))


def _llvm_type(text: str, context: Context) -> Type:
    return read_type(Cursor(text.split(" = type ")[0]), context)


def _typed(function: Function) -> Function:
    """The operands of opaque instructions with the types of what they name."""
    if not function.is_opaque:
        return function
    types = {argument.name: argument.type for argument in function.arguments}
    types.update({instruction.name: instruction.type for instruction in function if instruction.name})

    def change(instruction: Instruction) -> Instruction:
        if instruction.opcode != "opaque":
            return instruction
        operands = []
        for operand in instruction.operands:
            assert isinstance(operand, Local)
            if operand.name not in types:
                raise UnsupportedFunctionError(f"%{operand.name} is no value, in `{instruction.text}`")
            operands.append(Local(operand.name, types[operand.name]))
        return instruction.with_operands(tuple(operands))

    return function.mapped(change)


def _header(line: str, context: Context) -> Function:
    """`define` up to the brace, as a function without blocks."""
    cursor = Cursor(line)
    cursor.expect("define")
    linkage: list[str] = []
    returned: list[str] = []
    while cursor.token.kind == "word" and (cursor.token.text in _LINKAGE or is_convention(cursor.token.text)):
        start = cursor.at
        cursor.take()
        if cursor.token.kind == "number":  # cc 10
            cursor.take()
        elif cursor.token.text == "(":
            cursor.balanced()
        linkage.append(cursor.since(start))
    while not _is_type(cursor):
        start = cursor.at
        cursor.take()
        if cursor.token.text == "(":
            cursor.balanced()
        elif cursor.token.kind == "number":
            cursor.take()
        returned.append(cursor.since(start))
    type_ = read_type(cursor, context)
    name = unquoted(cursor.take().text)
    cursor.expect("(")
    arguments: list[Argument] = []
    while not cursor.accept(")"):
        if cursor.token.text == "...":
            raise UnsupportedFunctionError("variable arguments")
        argument_type = read_type(cursor, context)
        attributes = read_attributes(cursor, context)
        arguments.append(Argument(unquoted(cursor.take().text), argument_type, attributes))
        cursor.accept(",")
    attributes = _after_arguments(cursor, context)
    return Function(name, type_, tuple(arguments), (), tuple(returned), attributes, tuple(linkage))


def _is_type(cursor: Cursor) -> bool:
    token = cursor.token
    return (
        token.kind == "local"
        or token.text in {"<", "{", "["}
        or (
            token.kind == "word"
            and bool(re.fullmatch(r"i\d+|ptr|void|half|bfloat|float|double|\w*fp\d+|x86_amx|target|token", token.text))
        )
    )


def _after_arguments(cursor: Cursor, context: Context) -> tuple[str, ...]:
    found: list[str] = []
    while cursor.token.text != "{":
        start = cursor.at
        token = cursor.token
        if token.kind == "group":
            cursor.take()
            found.extend(read_attributes(Cursor(context.groups[token.text]), context))
        elif token.kind == "metadata":
            kind = cursor.take().text
            node = context.node(cursor.take().text)
            if kind != "!dbg" and not node[1:].isdigit():
                found.append(f"{kind} {node}")
        elif token.text in _TAIL:
            cursor.take()
            while not (cursor.token.text in _TAIL | {"{"} or cursor.token.kind == "metadata"):
                cursor.balanced()
            found.append(cursor.since(start))
        elif token.kind in {"word", "string"}:
            found.append(read_attribute(cursor, context))
        else:
            raise UnsupportedFunctionError(str(cursor.error(f"{token.text!r} is not understood")))
    cursor.take()
    if not cursor.is_done:
        raise UnsupportedFunctionError(str(cursor.error("something follows the brace")))
    return tuple(found)
