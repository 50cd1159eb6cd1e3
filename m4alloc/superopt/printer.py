"""Writes functions of the subset as LLVM's text, which LLVM verifies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from m4alloc.superopt import toolchain
from m4alloc.superopt.ir import (
    FLAGS,
    Argument,
    Constant,
    ConstantVector,
    Function,
    Global,
    Instruction,
    Local,
    Module,
    Null,
    OpaqueConstant,
    Poison,
    Undef,
    Value,
)
from m4alloc.superopt.parse_tokens import Cursor, IrError, unquoted
from m4alloc.superopt.parse_types import Context, read_type

_PLAIN = re.compile(r"[-a-zA-Z$._][-a-zA-Z$._0-9]*")
_FLAG_ORDER = ("volatile", "inbounds", "nusw", "nuw", "nsw", "exact", "disjoint", "nneg", "samesign")
_SCOPE = re.compile(r"@llvm\.experimental\.noalias\.scope\.decl\(metadata !\d")
"""Where the scopes of `!noalias` begin: it goes together with them."""
_OUTSIDE = ("comdat", "personality ", "prefix ", "prologue ", "section ", "partition ", "gc ")
"""Function attributes that name what only the whole module defines."""


class _Names:
    """How the names of one function are written: bare where LLVM itself would number them so, quoted otherwise."""

    def __init__(self, function: Function) -> None:
        numbered = [argument.name for argument in function.arguments]
        for block in function.blocks:
            numbered.append(block.name)
            numbered.extend(instruction.name for instruction in block.instructions if instruction.name)
        numbers = [name for name in numbered if name.isdigit()]
        self._bare = numbers == [str(number) for number in range(len(numbers))]

    def __call__(self, name: str) -> str:
        if _PLAIN.fullmatch(name) or (self._bare and name.isdigit()):
            return name
        return f'"{name}"'


def operand_text(value: Value, name: str = "") -> str:
    """A value without its type; `name` is how a local is written where its own name will not do.

    >>> from m4alloc.superopt.ir import Int
    >>> operand_text(Constant(Int(8), 255)), operand_text(Local("a b", Int(8)))
    ('-1', '%"a b"')
    """
    match value:
        case Local():
            return f"%{name or (value.name if _PLAIN.fullmatch(value.name) else _quoted(value.name))}"
        case Constant(type=type_):
            return ("false", "true")[value.value] if type_.width == 1 else str(value.signed)
        case ConstantVector():
            return f"<{', '.join(f'{element.type} {operand_text(element)}' for element in value.elements)}>"
        case Null():
            return "null"
        case Undef():
            return "undef"
        case Poison():
            return "poison"
        case Global():
            return _global(value.name)
        case OpaqueConstant():
            return value.text


def _quoted(name: str) -> str:
    return f'"{name}"'


def _global(name: str) -> str:
    return f"@{name}" if _PLAIN.fullmatch(name) else f'@"{name}"'


class _Printer:
    """One function; `references` are metadata references allowed, as in a whole module."""

    def __init__(self, function: Function, references: bool) -> None:
        self.names = _Names(function)
        self.references = references

    def value(self, value: Value) -> str:
        return operand_text(value, self.names(value.name) if isinstance(value, Local) else "")

    def typed(self, value: Value) -> str:
        return f"{value.type} {self.value(value)}"

    def list(self, values: Iterable[Value]) -> str:
        return ", ".join(map(self.typed, values))

    def label(self, name: str) -> str:
        return f"label %{self.names(name)}"

    def instruction(self, instruction: Instruction) -> str:
        left = f"%{self.names(instruction.name)} = " if instruction.name else ""
        return f"{left}{self.right(instruction)}{self.metadata(instruction)}"

    def metadata(self, instruction: Instruction) -> str:
        return "".join(
            f", !{kind} {node}"
            for kind, node in instruction.metadata
            if self.references or not (node[1:].isdigit() or "@" in node)
        )

    def right(self, instruction: Instruction) -> str:
        opcode, operands = instruction.opcode, instruction.operands
        flags = "".join(f"{flag} " for flag in _FLAG_ORDER if flag in instruction.flags)
        unknown = instruction.flags - FLAGS.get(opcode, frozenset())
        if unknown:
            raise IrError(f"{opcode} carries no flag {', '.join(sorted(unknown))}")
        align = f", align {instruction.align}" if instruction.align is not None else ""
        indices = "".join(f", {index}" for index in instruction.indices)
        match opcode:
            case "opaque":
                return re.sub(r"\{(\d+)\}", lambda found: self.value(operands[int(found.group(1))]), instruction.text)
            case "icmp":
                return f"icmp {flags}{instruction.predicate} {self.typed(operands[0])}, {self.value(operands[1])}"
            case "trunc" | "zext" | "sext" | "ptrtoint" | "inttoptr" | "bitcast" | "ptrtoaddr":
                return f"{opcode} {flags}{self.typed(operands[0])} to {instruction.type}"
            case "phi":
                pairs = (
                    f"[ {self.value(value)}, %{self.names(label)} ]"
                    for value, label in zip(operands, instruction.labels, strict=True)
                )
                return f"phi {instruction.type} {', '.join(pairs)}"
            case "load":
                return f"load {flags}{instruction.type}, {self.list(operands)}{align}"
            case "store":
                return f"store {flags}{self.list(operands)}{align}"
            case "getelementptr":
                return f"getelementptr {flags}{instruction.element}, {self.list(operands)}"
            case "alloca":
                count = f", {self.list(operands)}" if operands else ""
                return f"alloca {instruction.element}{count}{align}"
            case "call":
                attributes = "".join(f"{attribute} " for attribute in instruction.attributes)
                return f"call {attributes}{instruction.type} {_global(instruction.callee)}({self.list(operands)})"
            case "extractvalue" | "insertvalue":
                return f"{opcode} {self.list(operands)}{indices}"
            case "shufflevector":
                lanes = ", ".join(f"i32 {'poison' if lane < 0 else lane}" for lane in instruction.indices)
                return f"shufflevector {self.list(operands)}, <{len(instruction.indices)} x i32> <{lanes}>"
            case "ret":
                return f"ret {self.typed(operands[0])}" if operands else "ret void"
            case "br":
                parts = [*map(self.typed, operands), *map(self.label, instruction.labels)]
                return f"br {', '.join(parts)}"
            case "switch":
                cases = " ".join(
                    f"{self.typed(value)}, {self.label(label)}"
                    for value, label in zip(operands[1:], instruction.labels[1:], strict=True)
                )
                return f"switch {self.typed(operands[0])}, {self.label(instruction.labels[0])} [ {cases} ]"
            case "unreachable":
                return "unreachable"
            case "select" | "freeze" | "extractelement" | "insertelement":
                return f"{opcode} {self.list(operands)}"
            case _:
                return f"{opcode} {flags}{self.typed(operands[0])}, {self.value(operands[1])}"

    def argument(self, argument: Argument) -> str:
        return " ".join([str(argument.type), *argument.attributes, f"%{self.names(argument.name)}"])


def _definition(function: Function, references: bool) -> str:
    printer = _Printer(function, references)
    before = " ".join(["define", *function.linkage, *function.return_attributes, str(function.type)])
    after = [attribute for attribute in function.attributes if references or not attribute.startswith(_OUTSIDE)]
    arguments = ", ".join(map(printer.argument, function.arguments))
    lines = [" ".join([f"{before} {_global(function.name)}({arguments})", *after, "{"])]
    for block in function.blocks:
        lines.append(f"{printer.names(block.name)}:")
        lines.extend(
            f"  {printer.instruction(instruction)}"
            for instruction in block.instructions
            if references or not _SCOPE.search(instruction.text)
        )
    return "\n".join([*lines, "}"])


def print_function(function: Function) -> str:
    """The function as a module's text of its own, with a `declare` or an external global for each name it uses.

    What only its module defines is left out: comdat, personality, section, and metadata that is a bare reference or
    names a global.  The declarations are derived from the uses, without the attributes of the real ones.  IrError for
    a flag that the opcode does not have; anything else that is wrong shows in `checked`.
    """
    return "\n".join([*_needed([function], frozenset()), _definition(function, False), ""])


def shown(function: Function) -> str:
    """The function for people: what bears on its result, without declarations and without the attributes and metadata
    that only steer LLVM.  It is read back where it calls nothing.

    >>> from m4alloc.superopt.ir import VOID, Block, Int
    >>> print(shown(Function("f", Int(8), (), (Block("entry", (Instruction("ret", VOID, (Constant(Int(8), 7),)),)),))))
    define i8 @f() {
    entry:
      ret i8 7
    }
    """
    bare = function.mapped(
        lambda each: replace(each, metadata=tuple(pair for pair in each.metadata if pair[0] in _MEANING))
    )
    return _definition(replace(bare, attributes=(), linkage=()), False)


_MEANING = frozenset({"range", "noundef", "nonnull", "align", "dereferenceable", "dereferenceable_or_null"})


def print_module(module: Module) -> str:
    """The module's text: triple, layout, types, globals, declarations, functions, metadata."""
    lines = []
    if module.data_layout:
        lines.append(f'target datalayout = "{module.data_layout}"')
    if module.triple:
        lines.append(f'target triple = "{module.triple}"')
    lines.extend(module.globals)
    lines.extend(module.declarations)
    text = "\n".join([*module.globals, *module.declarations])
    known = {unquoted(token) for token in re.findall(r'@(?:"[^"]*"|[-a-zA-Z$._0-9]+)', text)}
    lines.extend(_needed(module.functions, known))
    lines.extend(_definition(function, True) for function in module.functions)
    lines.extend(module.metadata)
    return "\n".join([*lines, ""])


def checked(function: Function) -> str:
    """`print_function` after LLVM has parsed and verified it; IrError says what LLVM refuses.  About 0.2 ms."""
    text = print_function(function)
    toolchain.read(text, f"@{function.name}")
    return text


def _needed(functions: Iterable[Function], known: Iterable[str]) -> list[str]:
    """Declarations of what the functions name and do not define, each once."""
    lines: dict[str, str] = {}
    defined = set(known) | {function.name for function in functions}
    for function in functions:
        for instruction in function:
            if instruction.opcode == "call" and instruction.callee not in defined:
                types = ", ".join(str(operand.type) for operand in instruction.operands)
                lines[instruction.callee] = f"declare {instruction.type} {_global(instruction.callee)}({types})"
            elif instruction.opcode == "opaque":
                for name, line in _in_text(instruction).items():
                    lines.setdefault(name, line)
            for operand in instruction.operands:
                for name in _globals_of(operand):
                    lines.setdefault(name, f"{_global(name)} = external global %m4alloc.unknown")
    found = [line for name, line in lines.items() if name not in defined]
    if any(line.endswith("%m4alloc.unknown") for line in found):
        found.insert(0, "%m4alloc.unknown = type opaque")
    return found


def _globals_of(value: Value) -> list[str]:
    match value:
        case Global():
            return [value.name]
        case OpaqueConstant():
            return [unquoted(token.text) for token in Cursor(value.text).tokens if token.kind == "global"]
        case ConstantVector():
            return [name for element in value.elements for name in _globals_of(element)]
        case _:
            return []


def _in_text(instruction: Instruction) -> dict[str, str]:
    """Declarations of the globals in an opaque instruction's text: of the function where it is a direct call."""
    found: dict[str, str] = {}
    cursor = Cursor(instruction.text)
    for index, token in enumerate(cursor.tokens):
        if token.kind != "global":
            continue
        name = unquoted(token.text)
        following = cursor.tokens[index + 1] if index + 1 < len(cursor.tokens) else None
        if following is not None and following.text == "(":
            found[name] = _callee(instruction, cursor, index)
        else:
            found.setdefault(name, f"{_global(name)} = external global %m4alloc.unknown")
    return found


def _callee(instruction: Instruction, cursor: Cursor, index: int) -> str:
    """The declaration of the function that a direct call names, its calling convention with it: a call through
    another convention would be undefined."""
    words = [token.text for token in cursor.tokens[:index]]
    convention = ""
    for place, word in enumerate(words):
        if word == "cc":
            convention = f"cc {words[place + 1]} "
        elif word.endswith("cc"):
            convention = f"{word} "
    if words[-1] == ")" and not _ends_in_address_space(words):
        place = index - 1
        depth = 1
        while depth:
            place -= 1
            depth += {")": 1, "(": -1}.get(words[place], 0)
        parameters = cursor.line[cursor.tokens[place].end : cursor.tokens[index - 1].start]
    else:
        parameters = ", ".join(_parameters(cursor, index + 2))
    return f"declare {convention}{instruction.type} {cursor.tokens[index].text}({parameters})"


def _ends_in_address_space(words: list[str]) -> bool:
    """What stands before the callee is a type as `ptr addrspace(1)`, not a function's type with its parameters."""
    return len(words) > 3 and words[-4:-2] == ["addrspace", "("]


def _parameters(cursor: Cursor, at: int) -> list[str]:
    cursor.at = at
    found = []
    while cursor.token.text != ")":
        found.append(str(read_type(cursor, Context())))
        while cursor.token.text not in {",", ")"}:
            cursor.balanced()
        cursor.accept(",")
    return found
