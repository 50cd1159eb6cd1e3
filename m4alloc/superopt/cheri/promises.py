"""What LLVM's text promises of a capability function beyond what terms say: flags, attributes, metadata.

A term has no poison and no undef.  What a source promises may be left out, as that leaves it fewer inputs on which it
is undefined.  What a target promises may be broken where the source is defined, so that it has to be known to be kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from m4alloc.superopt import ir
from m4alloc.superopt.smt_attributes import EXTENDED, NEUTRAL_FUNCTION, NEUTRAL_METADATA, NEUTRAL_PARAMETER, PASSING

CALL = re.compile(
    r"(?:tail |notail )?call (?P<result>(?:\w+(?:\([^()]*\))? )*)(?P<type>ptr addrspace\(200\)|i\d+|void) "
    r"@(?P<name>llvm\.cheri\.[\w.]+)\((?P<operands>[^()]*(?:\([^()]*\)[^()]*)*)\)(?P<after>.*)"
)
"""A call as the IR keeps its text."""
_WORD = re.compile(r'"[^"]*"(?:="[^"]*")?|\w+(?:\([^()]*\))?')
_TYPE = re.compile(r"^(?:ptr addrspace\(200\)|i\d+) ")
_OF_CALLS = NEUTRAL_FUNCTION | {"memory", "nocallback", "speculatable"}
"""On a call of an intrinsic of the language they say what is so anyway."""


@dataclass(frozen=True, slots=True)
class Promises:
    """What is said of one function.

    convention: how it is called, with what says where and how values are passed: equal on both sides, or they are not
    the same function to a caller.  parameters, result: attributes; noundef is among those of the result.  others:
    flags of instructions, metadata, attributes of the function and of calls.  loose: integers worked out by kept code
    that may be poison, and are not frozen.  aligned: the steps that access memory at an alignment, with it.
    """

    convention: tuple[str, ...] = ()
    parameters: tuple[tuple[str, ...], ...] = ()
    result: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    aligned: tuple[tuple[str, int], ...] = ()


NONE = Promises()


def _first(attribute: str) -> str:
    return re.split(r"[ (=]", attribute, maxsplit=1)[0]


def _split(attributes: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """What says how a value is passed, and what is promised of it."""
    passed = sorted(one for one in attributes if _first(one) in PASSING | EXTENDED)
    return " ".join(passed), tuple(one for one in attributes if _first(one) not in NEUTRAL_PARAMETER | PASSING)


def of(function: ir.Function) -> Promises:
    """The promises of a function, but for `loose` and `aligned`, which its reader knows.

    >>> from m4alloc.superopt.parse import parse_function
    >>> of(parse_function("define i64 @f(i64 noundef %x) { %r = add nuw i64 %x, 1 ret i64 %r }")).others
    ('%r = add nuw',)
    """
    given = [_split(argument.attributes) for argument in function.arguments]
    passed, result = _split(function.return_attributes)
    convention = " ".join(filter(ir.is_convention, function.linkage)) or "ccc"
    parameters = tuple(tuple(one for one in promised if one != "noundef") for _, promised in given)
    return Promises((convention, passed, *(how for how, _ in given)), parameters, result, tuple(_others(function)))


def _others(function: ir.Function) -> Iterator[str]:
    for attribute in function.attributes:
        if not attribute.startswith('"') and _first(attribute) not in NEUTRAL_FUNCTION:
            yield attribute
    for one in function:
        named = f"%{one.name} = {one.opcode}" if one.name else one.opcode
        if one.flags:
            yield f"{named} {' '.join(sorted(one.flags))}"
        yield from (f"{named} !{kind}" for kind, _ in one.metadata if kind not in NEUTRAL_METADATA)
        yield from (f"{named} {word}" for word in one.attributes)
        if one.opcode == "opaque" and (call := CALL.fullmatch(one.text)):
            words = _WORD.findall(call["result"])
            for operand in re.split(r",(?![^()]*\))", call["operands"]):
                words += _WORD.findall(_TYPE.sub("", operand.strip()).rpartition(" ")[0])
            words += [word for word in _WORD.findall(call["after"]) if _first(word) not in _OF_CALLS]
            yield from (f"%{one.name} = call {word}" for word in words if word[0] != '"')


def may_be_poison(instruction: ir.Instruction) -> bool:
    """Integer code on defined operands that may give poison: by a flag, or by a shift that may go too far."""
    amount = instruction.operands[-1]
    is_shift = instruction.opcode in ("shl", "lshr", "ashr")
    assert isinstance(instruction.type, ir.Int)
    goes_too_far = is_shift and not (isinstance(amount, ir.Constant) and amount.value < instruction.type.width)
    return bool(instruction.flags) or goes_too_far


def unkept(source: Promises, target: Promises) -> str:
    """A promise of the target that it may break where the source is defined, as a reason; "" where there is none.

    Two functions with the same steps promise the same and keep it alike; that is for the caller to know.
    """
    if source.convention != target.convention:
        told = [" ".join(filter(None, one.convention)) for one in (target, source)]
        return f"the second is called otherwise than the first: {told[0]}, and {told[1]}"
    for number, (theirs, ours) in enumerate(zip(source.parameters, target.parameters, strict=True), 1):
        if new := [one for one in ours if one not in theirs]:
            return f"argument {number} of the second is {new[0]}, that of the first is not"
    if new := [one for one in target.result if one not in source.result]:
        return f"the result of the second is {new[0]}, that of the first is not"
    return f"the second promises `{target.others[0]}`, which nothing shows to be kept" if target.others else ""
