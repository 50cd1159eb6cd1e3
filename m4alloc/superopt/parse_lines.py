"""Instructions: one logical line of LLVM's text to one `Instruction`, opaque where it is outside the subset."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from m4alloc.superopt.ir import (
    BINARY,
    CASTS,
    FLAGS,
    I1,
    PREDICATES,
    VOID,
    Constant,
    ConstantVector,
    Instruction,
    Local,
    OpaqueType,
    Pointer,
    Poison,
    Struct,
    Type,
    Undef,
    Value,
    Vector,
)
from m4alloc.superopt.parse_tokens import Cursor, IrError, unquoted
from m4alloc.superopt.parse_types import Context, is_type, read_type, read_value

INTRINSICS = (
    *("abs", "bitreverse", "bswap", "ctlz", "ctpop", "cttz", "fshl", "fshr", "scmp", "ucmp"),
    *("smax", "smin", "umax", "umin", "ptrmask", "expect"),
    *(f"{sign}{operation}.with.overflow" for sign in "su" for operation in ("add", "sub", "mul")),
    *(f"{sign}{operation}.sat" for sign in "su" for operation in ("add", "sub", "shl")),
    *(f"vector.reduce.{operation}" for operation in ("add", "mul", "and", "or", "xor", "smax", "smin", "umax", "umin")),
)
"""Pure intrinsics over integers and pointers, which are calls of the subset; so is llvm.assume without bundles."""

_KNOWN_CALL = re.compile(rf"llvm\.(?:(?:{'|'.join(map(re.escape, INTRINSICS))})\.[a-z0-9.]+|assume)")
_FLOAT_FLAGS = frozenset({"fast", "nnan", "ninf", "nsz", "arcp", "contract", "afn", "reassoc"})
_CALL_WORDS = frozenset({"tail", "musttail", "notail", "call"})
_UNSUPPORTED = {
    "invoke": "exception handling",
    "landingpad": "exception handling",
    "resume": "exception handling",
    "catchswitch": "exception handling",
    "catchpad": "exception handling",
    "catchret": "exception handling",
    "cleanuppad": "exception handling",
    "cleanupret": "exception handling",
    "indirectbr": "a computed goto",
    "callbr": "asm goto",
}
_DROPPED_METADATA = frozenset({"dbg"})
"""Debug locations; everything else on an instruction is kept."""


class UnsupportedFunctionError(Exception):
    """The function cannot be held in the subset's form at all, not even with opaque instructions."""


class _OutsideError(Exception):
    """The instruction is outside the subset, so it becomes opaque."""


@dataclass
class Lines:
    """Reads the instructions of one function.

    locals_: every name the function defines.  result: the type of the instruction's result as LLVM knows it, asked for
    opaque instructions only.
    """

    context: Context
    locals_: Collection[str]
    result: Callable[[], Type]

    def read(self, line: str) -> Instruction:
        """The instruction that `line` writes.  Operands of an opaque one have the type `void` until all are known."""
        cursor = Cursor(line)
        name = ""
        if cursor.token.kind == "local" and cursor.peek().text == "=":
            name = unquoted(cursor.take().text)
            cursor.take()
        start = cursor.at
        opcode = cursor.token.text
        if opcode in _UNSUPPORTED:
            raise UnsupportedFunctionError(f"{opcode}: {_UNSUPPORTED[opcode]}")
        reader = _READERS.get("call" if opcode in _CALL_WORDS else opcode)
        if reader is not None:
            try:
                cursor.take()
                found = reader(self, cursor, opcode)
                metadata = self._metadata(cursor)
                if cursor.is_done and _is_inside(found):
                    return _finished(found, name, metadata)
            except (_OutsideError, IrError):
                pass
        if opcode in {"phi", "br", "switch", "ret"}:
            raise UnsupportedFunctionError(f"a {opcode} outside the subset: {line.strip()}")
        cursor.at = start
        return self._opaque(cursor, name)

    def _metadata(self, cursor: Cursor) -> tuple[tuple[str, str], ...]:
        found = []
        while cursor.token.text == "," and cursor.peek().kind == "metadata":
            cursor.take()
            kind = cursor.take().text[1:]
            start = cursor.at
            first = cursor.take()
            if first.text == "!" or cursor.token.text == "(":
                cursor.balanced()
            text = cursor.since(start)
            if kind not in _DROPPED_METADATA:
                found.append((kind, self.context.node(text) if text[1:].isdigit() else text))
        return tuple(found)

    def _opaque(self, cursor: Cursor, name: str) -> Instruction:
        """The right-hand side as text, with {0}, {1} ... for the values that the function defines."""
        start, operands, parts = cursor.at, [], []
        end = self._before_metadata(cursor)
        previous = cursor.tokens[start].start
        for index in range(start, end):
            token = cursor.tokens[index]
            parts.append(cursor.line[previous : token.start])
            previous = token.end
            text = token.text
            if token.kind == "local":
                if is_type(cursor, index, self.context, self.locals_):
                    text = str(self.context.named_type(unquoted(text)))
                elif cursor.tokens[index - 1].text == "label":
                    raise UnsupportedFunctionError(f"a block's address outside the subset: {cursor.line.strip()}")
                else:
                    operand = Local(unquoted(text), VOID)
                    if operand not in operands:
                        operands.append(operand)
                    text = f"{{{operands.index(operand)}}}"
            elif token.kind == "string":
                text = re.sub(r"\{(?=\d+\})", r"\\7B", text)
            elif token.kind == "group":
                text = self.context.groups.get(text, text)
            elif token.kind == "metadata" and text[1:].isdigit():
                text = self.context.node(text)
            parts.append(text)
        cursor.at = end
        metadata = self._metadata(cursor)
        if not cursor.is_done:
            raise cursor.error("the instruction goes on after its metadata")
        type_ = self.result() if name else VOID
        return Instruction("opaque", type_, tuple(operands), name, metadata=metadata, text="".join(parts).rstrip())

    @staticmethod
    def _before_metadata(cursor: Cursor) -> int:
        """Number of the comma before the first attachment, or of the end."""
        cursor_at = cursor.at
        while not cursor.is_done:
            if cursor.token.text == "," and cursor.peek().kind == "metadata" and not cursor.peek().text[1:].isdigit():
                break
            cursor.balanced()
        end, cursor.at = cursor.at, cursor_at
        return end

    # Operands.

    def type(self, cursor: Cursor) -> Type:
        """The type that stands here."""
        return read_type(cursor, self.context)

    def value(self, cursor: Cursor, type: Type) -> Value:
        """The operand that stands here."""
        return read_value(cursor, type, self.context)

    def typed(self, cursor: Cursor) -> Value:
        """A type and its operand."""
        return self.value(cursor, self.type(cursor))

    def label(self, cursor: Cursor) -> str:
        """`label %name`."""
        cursor.expect("label")
        return unquoted(cursor.take().text)

    # One reader for each opcode of the subset.

    def _binary(self, cursor: Cursor, opcode: str) -> Instruction:
        flags = _flags(cursor, opcode)
        type_ = self.type(cursor)
        left = self.value(cursor, type_)
        cursor.expect(",")
        return Instruction(opcode, type_, (left, self.value(cursor, type_)), flags=flags)

    def _cast(self, cursor: Cursor, opcode: str) -> Instruction:
        flags = _flags(cursor, opcode)
        value = self.typed(cursor)
        cursor.expect("to")
        return Instruction(opcode, self.type(cursor), (value,), flags=flags)

    def _icmp(self, cursor: Cursor, opcode: str) -> Instruction:
        flags = _flags(cursor, opcode)
        predicate = cursor.take().text
        if predicate not in PREDICATES:
            raise _OutsideError
        type_ = self.type(cursor)
        left = self.value(cursor, type_)
        cursor.expect(",")
        operands = (left, self.value(cursor, type_))
        return Instruction(opcode, _comparison(type_), operands, flags=flags, predicate=predicate)

    def _select(self, cursor: Cursor, opcode: str) -> Instruction:
        if cursor.token.text in _FLOAT_FLAGS:
            raise _OutsideError
        condition = self.typed(cursor)
        cursor.expect(",")
        true = self.typed(cursor)
        cursor.expect(",")
        return Instruction(opcode, true.type, (condition, true, self.typed(cursor)))

    def _freeze(self, cursor: Cursor, opcode: str) -> Instruction:
        value = self.typed(cursor)
        return Instruction(opcode, value.type, (value,))

    def _phi(self, cursor: Cursor, opcode: str) -> Instruction:
        if cursor.token.text in _FLOAT_FLAGS:
            raise _OutsideError
        type_ = self.type(cursor)
        operands, labels = [], []
        while True:
            cursor.expect("[")
            operands.append(self.value(cursor, type_))
            cursor.expect(",")
            labels.append(unquoted(cursor.take().text))
            cursor.expect("]")
            if cursor.token.text != "," or cursor.peek().kind == "metadata":
                break
            cursor.take()
        return Instruction(opcode, type_, tuple(operands), labels=tuple(labels))

    def _load(self, cursor: Cursor, opcode: str) -> Instruction:
        if cursor.token.text == "atomic":
            raise _OutsideError
        flags = _flags(cursor, opcode)
        type_ = self.type(cursor)
        cursor.expect(",")
        pointer = self.typed(cursor)
        return Instruction(opcode, type_, (pointer,), flags=flags, align=_align(cursor))

    def _store(self, cursor: Cursor, opcode: str) -> Instruction:
        if cursor.token.text == "atomic":
            raise _OutsideError
        flags = _flags(cursor, opcode)
        value = self.typed(cursor)
        cursor.expect(",")
        pointer = self.typed(cursor)
        return Instruction(opcode, VOID, (value, pointer), flags=flags, align=_align(cursor))

    def _getelementptr(self, cursor: Cursor, opcode: str) -> Instruction:
        flags = _flags(cursor, opcode)
        element = self.type(cursor)
        operands = []
        while cursor.token.text == "," and cursor.peek().kind != "metadata":
            cursor.take()
            operands.append(self.typed(cursor))
        base = operands[0].type
        type_: Type = base
        for operand in operands:
            if isinstance(operand.type, Vector) and isinstance(base, Pointer):
                type_ = Vector(operand.type.count, base)
            elif isinstance(operand.type, OpaqueType):
                raise _OutsideError
        return Instruction(opcode, type_, tuple(operands), flags=flags, element=element)

    def _alloca(self, cursor: Cursor, opcode: str) -> Instruction:
        if cursor.token.text in {"inalloca", "swifterror"}:
            raise _OutsideError
        element = self.type(cursor)
        operands: tuple[Value, ...] = ()
        following = cursor.peek() if cursor.token.text == "," else cursor.token
        if following.kind == "word" and following.text not in {"align", "addrspace"}:
            cursor.take()
            operands = (self.typed(cursor),)
        align = _align(cursor)
        if cursor.token.text == "," and cursor.peek().text == "addrspace":
            raise _OutsideError
        return Instruction(opcode, Pointer(), operands, element=element, align=align)

    def _extractvalue(self, cursor: Cursor, opcode: str) -> Instruction:
        value = self.typed(cursor)
        indices = _indices(cursor)
        return Instruction(opcode, _field(value.type, indices), (value,), indices=indices)

    def _insertvalue(self, cursor: Cursor, opcode: str) -> Instruction:
        whole = self.typed(cursor)
        cursor.expect(",")
        part = self.typed(cursor)
        return Instruction(opcode, whole.type, (whole, part), indices=_indices(cursor))

    def _shufflevector(self, cursor: Cursor, opcode: str) -> Instruction:
        left = self.typed(cursor)
        cursor.expect(",")
        right = self.typed(cursor)
        cursor.expect(",")
        mask = self.typed(cursor)
        if not (isinstance(left.type, Vector) and isinstance(mask.type, Vector)):
            raise _OutsideError
        type_ = Vector(mask.type.count, left.type.element)
        return Instruction(opcode, type_, (left, right), indices=_mask(mask, mask.type.count))

    def _extractelement(self, cursor: Cursor, opcode: str) -> Instruction:
        vector = self.typed(cursor)
        cursor.expect(",")
        index = self.typed(cursor)
        if not isinstance(vector.type, Vector):
            raise _OutsideError
        return Instruction(opcode, vector.type.element, (vector, index))

    def _insertelement(self, cursor: Cursor, opcode: str) -> Instruction:
        vector = self.typed(cursor)
        cursor.expect(",")
        part = self.typed(cursor)
        cursor.expect(",")
        if not isinstance(vector.type, Vector):
            raise _OutsideError
        return Instruction(opcode, vector.type, (vector, part, self.typed(cursor)))

    def _call(self, cursor: Cursor, opcode: str) -> Instruction:
        """An intrinsic of the subset.  A `tail` mark and most attributes of a call say nothing of a pure one."""
        if opcode == "musttail" or (opcode != "call" and not cursor.accept("call")):
            raise _OutsideError
        attributes = []
        while cursor.token.text in {"noundef", "range", "nonnull", "zeroext", "signext"}:
            start = cursor.at
            cursor.take()
            if cursor.token.text == "(":
                cursor.balanced()
            attributes.append(cursor.since(start))
        type_ = self.type(cursor)
        if cursor.token.kind != "global":
            raise _OutsideError
        callee = unquoted(cursor.take().text)
        if not _KNOWN_CALL.fullmatch(callee):
            raise _OutsideError
        cursor.expect("(")
        operands = []
        while not cursor.accept(")"):
            operand_type = self.type(cursor)
            if cursor.token.text == "noundef" and callee == "llvm.assume":
                cursor.take()  # what llvm.assume demands anyway
            if cursor.token.kind == "word" and cursor.token.text in _PARAMETER_WORDS:
                raise _OutsideError
            operands.append(self.value(cursor, operand_type))
            cursor.accept(",")
        while cursor.token.kind in {"group", "word", "string"}:
            word = cursor.take().text
            if "noreturn" in self.context.groups.get(word, word).split():
                raise _OutsideError  # undefined, as it does return
            if cursor.accept("="):
                cursor.take()
            elif cursor.token.text == "(":
                cursor.balanced()
        if cursor.token.text == "[":
            raise _OutsideError
        return Instruction("call", type_, tuple(operands), callee=callee, attributes=tuple(attributes))

    def _ret(self, cursor: Cursor, opcode: str) -> Instruction:
        type_ = self.type(cursor)
        return Instruction(opcode, VOID, () if type_ == VOID else (self.value(cursor, type_),))

    def _br(self, cursor: Cursor, opcode: str) -> Instruction:
        if cursor.token.text == "label":
            return Instruction(opcode, VOID, labels=(self.label(cursor),))
        condition = self.typed(cursor)
        cursor.expect(",")
        true = self.label(cursor)
        cursor.expect(",")
        return Instruction(opcode, VOID, (condition,), labels=(true, self.label(cursor)))

    def _switch(self, cursor: Cursor, opcode: str) -> Instruction:
        operands = [self.typed(cursor)]
        cursor.expect(",")
        labels = [self.label(cursor)]
        cursor.expect("[")
        while not cursor.accept("]"):
            operands.append(self.typed(cursor))
            cursor.expect(",")
            labels.append(self.label(cursor))
        return Instruction(opcode, VOID, tuple(operands), labels=tuple(labels))

    def _unreachable(self, cursor: Cursor, opcode: str) -> Instruction:
        return Instruction(opcode, VOID)


_PARAMETER_WORDS = frozenset(
    {
        "noundef",
        "nonnull",
        "align",
        "range",
        "dereferenceable",
        "dereferenceable_or_null",
        "noalias",
        "captures",
        "nocapture",
        "readonly",
        "readnone",
        "writeonly",
        "zeroext",
        "signext",
        "inreg",
        "returned",
        "immarg",
        "nofpclass",
        "writable",
        "nofree",
        "nest",
        "sret",
        "byval",
        "byref",
        "elementtype",
        "dead_on_unwind",
    }
)


def _finished(found: Instruction, name: str, metadata: tuple[tuple[str, str], ...]) -> Instruction:
    # Built by hand: `dataclasses.replace` costs more than the rest of the line.
    return Instruction(
        found.opcode,
        found.type,
        found.operands,
        name,
        found.flags,
        found.predicate,
        found.callee,
        found.element,
        found.align,
        found.indices,
        found.labels,
        found.attributes,
        metadata,
    )


def _is_inside(found: Instruction) -> bool:
    """Wide integers and scalable vectors are moved, never computed with."""
    return found.opcode not in _COMPUTED or not any(
        isinstance(type_, OpaqueType) for type_ in (found.type, *(operand.type for operand in found.operands))
    )


_COMPUTED = BINARY | CASTS | {"icmp", "call", "getelementptr"}


def _flags(cursor: Cursor, opcode: str) -> frozenset[str]:
    allowed = FLAGS.get(opcode, frozenset())
    found = set()
    while cursor.token.text in allowed:
        found.add(cursor.take().text)
    return frozenset(found)


def _align(cursor: Cursor) -> int | None:
    if cursor.token.text == "," and cursor.peek().text == "align":
        cursor.take()
        cursor.take()
        return int(cursor.take().text)
    return None


def _indices(cursor: Cursor) -> tuple[int, ...]:
    found = []
    while cursor.token.text == "," and cursor.peek().kind == "number":
        cursor.take()
        found.append(int(cursor.take().text))
    return tuple(found)


def _field(type_: Type, indices: tuple[int, ...]) -> Type:
    for index in indices:
        if not isinstance(type_, Struct):
            raise _OutsideError
        type_ = type_.fields[index]
    return type_


def _comparison(type_: Type) -> Type:
    if isinstance(type_, Vector):
        return Vector(type_.count, I1)
    if isinstance(type_, OpaqueType):
        raise _OutsideError
    return I1


def _mask(mask: Value, count: int) -> tuple[int, ...]:
    if isinstance(mask, Poison | Undef):
        return (-1,) * count
    if not isinstance(mask, ConstantVector):
        raise _OutsideError
    return tuple(lane.value if isinstance(lane, Constant) else -1 for lane in mask.elements)


_Reader = Callable[[Lines, Cursor, str], Instruction]
_READERS: dict[str, _Reader] = {
    **dict.fromkeys(BINARY, Lines._binary),
    **dict.fromkeys(CASTS, Lines._cast),
    "icmp": Lines._icmp,
    "select": Lines._select,
    "freeze": Lines._freeze,
    "phi": Lines._phi,
    "load": Lines._load,
    "store": Lines._store,
    "getelementptr": Lines._getelementptr,
    "alloca": Lines._alloca,
    "extractvalue": Lines._extractvalue,
    "insertvalue": Lines._insertvalue,
    "shufflevector": Lines._shufflevector,
    "extractelement": Lines._extractelement,
    "insertelement": Lines._insertelement,
    "call": Lines._call,
    "ret": Lines._ret,
    "br": Lines._br,
    "switch": Lines._switch,
    "unreachable": Lines._unreachable,
}
