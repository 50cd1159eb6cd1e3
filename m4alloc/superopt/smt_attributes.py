"""Attributes and metadata as conditions: what makes a value poison, what makes the function undefined.

Source: LLVM language reference, "Parameter Attributes", "Function Attributes", "Metadata".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import z3

from m4alloc.superopt.ir import (
    Float,
    Function,
    Global,
    Instruction,
    Local,
    Pointer,
    Struct,
    Type,
    Value,
    Vector,
    is_convention,
)
from m4alloc.superopt.smt_memory import World
from m4alloc.superopt.smt_values import Scalar, SymValue, Term, both, either, scalars
from m4alloc.superopt.verdict import UnsupportedError

_RANGE = re.compile(r"(?:range\()?i(\d+) (-?\d+), (?:i\d+ )?(-?\d+)\)?")
_NODE_PAIR = re.compile(r"i(\d+) (-?\d+), i\d+ (-?\d+)")
_NUMBER = re.compile(r"(align|dereferenceable|dereferenceable_or_null)[ (]+(?:i64 )?(\d+)\)?")

MODELLED = ("noundef", "nonnull", "align", "dereferenceable", "range", "noalias")
NEUTRAL_PARAMETER = frozenset(
    {"zeroext", "signext", "inreg", "nofree", "dead_on_unwind", "immarg", "allocptr", "noext"}
)
NEUTRAL_FUNCTION = frozenset(
    {
        *("nounwind", "willreturn", "norecurse", "nosync", "nofree", "mustprogress", "nocallback", "uwtable"),
        *("noinline", "alwaysinline", "inlinehint", "optsize", "minsize", "optnone", "cold", "hot", "nonlazybind"),
        *("ssp", "sspstrong", "sspreq", "noredzone", "nocf_check"),
        *("local_unnamed_addr", "unnamed_addr", "dso_local", "dso_preemptable"),
        *("internal", "private", "hidden", "protected", "fastcc"),
    }
)
"""On a function without calls and loops they promise what is so anyway, or they steer the code generator only."""
NEUTRAL_METADATA = frozenset({"dbg", "prof", "srcloc", "annotation", "unpredictable", "nontemporal", "llvm.loop"})
VALUE_METADATA = frozenset({"noundef", "range", "nonnull", "align"})


def _between(bits: Term, low: int, high: int) -> Term:
    """The value is in [low, high), which may wrap around; all values where both are the same."""
    width = bits.size()
    lower, upper = z3.BitVecVal(low, width), z3.BitVecVal(high, width)
    if (low - high) % (1 << width) == 0:
        return z3.BoolVal(True)
    return z3.ULT(bits - lower, upper - lower)


def _lane_violation(attribute: str, lane: Scalar) -> Term | None:
    """When a value breaks its attribute, so that it is poison; None where the attribute is no claim of that kind."""
    if attribute == "nonnull":
        return lane.bits == 0
    if attribute.startswith("range"):
        match = _RANGE.fullmatch(attribute)
        if not match:
            raise UnsupportedError(f"the attribute {attribute}")
        return z3.Not(_between(lane.bits, int(match[2]), int(match[3])))
    match = _NUMBER.fullmatch(attribute)
    if match and match[1] == "align":
        return (lane.bits & (int(match[2]) - 1)) != 0
    return None


def restricted(attributes: Iterable[str], value: SymValue) -> SymValue:
    """The value, poison where it breaks an attribute."""
    claims = [attribute for attribute in attributes if attribute.startswith(("nonnull", "range", "align"))]
    if not claims:
        return value
    if isinstance(value, tuple):
        return tuple(restricted(claims, lane) for lane in value)
    if value.local:
        raise UnsupportedError(f"the attribute {claims[0]} of a pointer into an alloca")
    broken = [found for claim in claims if (found := _lane_violation(claim, value)) is not None]
    return Scalar(value.bits, either(value.poison, *broken), value.choices, value.provenance, value.local, value.based)


def undefined_argument(attributes: Iterable[str], value: SymValue, world: World) -> Term:
    """When an argument breaks `dereferenceable`, so that the call is undefined."""
    broken = []
    for attribute in attributes:
        match = _NUMBER.fullmatch(attribute)
        if not match or match[1] == "align":
            continue
        for lane in scalars(value):
            inside = both(z3.Not(lane.poison), world.accessible(lane, int(match[2])))
            if match[1] == "dereferenceable_or_null":
                inside = either(inside, lane.bits == 0)
            broken.append(z3.Not(inside))
    return either(*broken)


def from_metadata(instruction: Instruction, value: SymValue) -> SymValue:
    """The value loaded or returned, poison where it breaks !range, !nonnull or !align."""
    claims = []
    for kind, node in instruction.metadata:
        if kind == "nonnull":
            claims.append("nonnull")
        elif kind == "align":
            match = re.search(r"i64 (\d+)", node)
            if not match:
                raise UnsupportedError(f"the metadata !align {node}")
            claims.append(f"align {match[1]}")
        elif kind == "range":
            value = _ranged(node, value)
    return restricted(claims, value)


def _ranged(node: str, value: SymValue) -> SymValue:
    pairs = _NODE_PAIR.findall(node)
    if not pairs:
        raise UnsupportedError(f"the metadata !range {node}")
    if isinstance(value, tuple):
        return tuple(_ranged(node, lane) for lane in value)
    inside = either(*(_between(value.bits, int(low), int(high)) for _, low, high in pairs))
    return Scalar(
        value.bits, either(value.poison, z3.Not(inside)), value.choices, value.provenance, value.local, value.based
    )


def tags(instruction: Instruction) -> frozenset[tuple[str, str]]:
    """Metadata of an access that says something of memory beyond its value, such as !tbaa."""
    ignored = NEUTRAL_METADATA | VALUE_METADATA
    return frozenset((kind, node) for kind, node in instruction.metadata if kind not in ignored)


def refuse_unknown_metadata(instruction: Instruction) -> None:
    """UnsupportedError where a target's instruction carries metadata whose meaning is not known here."""
    for kind, _ in instruction.metadata:
        if kind not in NEUTRAL_METADATA | VALUE_METADATA:
            raise UnsupportedError(f"the metadata !{kind} of the target's {instruction.opcode}")


def _word(attribute: str) -> str:
    return re.split(r"[ (=]", attribute, maxsplit=1)[0]


def _only_accessed(function: Function, name: str) -> bool:
    """The pointer and the addresses computed from it are only loaded from and stored to, so that none is captured."""
    for instruction in function:
        for place, operand in enumerate(instruction.operands):
            if not isinstance(operand, Local) or operand.name != name:
                continue
            is_address = (instruction.opcode, place) in (("load", 0), ("store", 1))
            is_step = (instruction.opcode, place) == ("getelementptr", 0) and _only_accessed(function, instruction.name)
            if not (is_address or is_step):
                return False
    return True


def refuse_new_promises(source: Function, target: Function) -> None:
    """UnsupportedError where the target promises something that the source does not and that is not modelled.

    Promises that the target's body plainly keeps, as LLVM infers them, pass: `readonly` without a store.
    """
    _refuse_another_convention(source, target)
    for function in (source, target):
        if "null_pointer_is_valid" in function.attributes:
            raise UnsupportedError(f"@{function.name} has the attribute null_pointer_is_valid")
    # What the source promises too is no promise that the target keeps, where the body may break it: `writeonly`.
    new = {one for one in _accesses(target) if one[1] == ANYWHERE or one not in _accesses(source)}
    for number, (ours, theirs) in enumerate(zip(target.arguments, source.arguments, strict=True)):
        may = {kind for kind, origin in new if origin in (f"argument {number}", ANYWHERE)}
        for attribute in ours.attributes:
            word = _word(attribute)
            kept = (
                not may & FORBIDDEN[word] and (attribute in theirs.attributes or not _reaches(target, FORBIDDEN[word]))
                if word in FORBIDDEN
                else attribute in theirs.attributes
                or word in NEUTRAL_PARAMETER
                or (word in MODELLED and word != "noalias")
                or (word == "dereferenceable_or_null")
                or (word in ("captures", "nocapture") and _only_accessed(target, ours.name))
            )
            if not kept:
                raise UnsupportedError(
                    f"the target's argument %{ours.name} has the attribute {attribute}, the source's not"
                )
    for attribute in target.return_attributes:
        word = _word(attribute)
        known = (
            word in NEUTRAL_PARAMETER or (word in MODELLED and word != "noalias") or word.startswith("dereferenceable")
        )
        if not known and attribute not in source.return_attributes:
            raise UnsupportedError(f"the target's result has the attribute {attribute}, the source's not")
    for attribute in target.attributes:
        word = _word(attribute)
        if word == "memory":
            if _memory_kept(attribute, new if attribute in source.attributes else _accesses(target)):
                continue
        elif attribute in source.attributes or attribute.startswith('"') or word in NEUTRAL_FUNCTION:
            continue
        raise UnsupportedError(f"the target has the function attribute {attribute}, the source not")


FORBIDDEN = {
    "readonly": frozenset({"store"}),
    "writeonly": frozenset({"load"}),
    "readnone": frozenset({"load", "store"}),
}
LOCAL, LOADED, ANYWHERE = "alloca", "loaded pointer", "anywhere"


def _accesses(function: Function) -> set[tuple[str, str]]:
    """Opcode and origin of each access: "argument 0", "@global", LOCAL, LOADED, or ANYWHERE where it is not plain."""
    by_name = {one.name: one for one in function if one.name}
    numbers = {argument.name: f"argument {number}" for number, argument in enumerate(function.arguments)}
    keeps_pointers = any(one.opcode == "store" and isinstance(one.operands[0].type, Pointer) for one in function)

    def origin(pointer: Value) -> str:
        while isinstance(pointer, Local) and pointer.name in by_name:
            defined = by_name[pointer.name]
            if defined.opcode == "getelementptr":
                pointer = defined.operands[0]
                continue
            plain = {"alloca": LOCAL, "load": ANYWHERE if keeps_pointers else LOADED}
            return plain.get(defined.opcode, ANYWHERE)
        if isinstance(pointer, Local):
            return numbers[pointer.name]
        return f"@{pointer.name}" if isinstance(pointer, Global) else ANYWHERE

    return {(one.opcode, origin(one.operands[-1])) for one in function if one.opcode in ("load", "store")}


def _reaches(function: Function, kinds: frozenset[str]) -> bool:
    return any(one.opcode in kinds for one in function)


def _memory_kept(attribute: str, accesses: set[tuple[str, str]]) -> bool:
    """The accesses keep a `memory(read, argmem: readwrite)`: each has the right that its pointer's origin gives."""
    rights = {"": "none"}
    for part in attribute[attribute.find("(") + 1 : -1].split(","):
        place, _, right = part.strip().rpartition(":")
        rights[place.strip()] = right.strip()
    for kind, origin in accesses:
        needed = "read" if kind == "load" else "write"
        places = ("argmem",) if origin.startswith("argument") else ("", "argmem")
        if origin != LOCAL and any(needed not in rights.get(place, rights[""]) for place in places):
            return False
    return True


EXTENDED = frozenset({"zeroext", "signext", "noext"})
PASSING = frozenset(
    {
        *("inreg", "byval", "byref", "sret", "inalloca", "preallocated", "nest", "alignstack"),
        *("swiftself", "swiftasync", "swifterror"),
    }
)
"""They say where a value is passed, so that both sides have to say the same."""
_REGISTERS = re.compile(r'"(?:target-features|target-cpu|use-soft-float)"')
"""In which registers vectors and floats are passed depends on them."""


def _passing(attributes: Iterable[str]) -> tuple[str, ...]:
    """Where a value is passed; of one on the stack its alignment too."""
    found = {attribute for attribute in attributes if _word(attribute) in PASSING}
    if any(_word(attribute) in ("byval", "inalloca", "preallocated") for attribute in found):
        found |= {attribute for attribute in attributes if _word(attribute) == "align"}
    return tuple(sorted(found))


def _refuse_another_convention(source: Function, target: Function) -> None:
    """UnsupportedError where a caller of the source does not pass or take what the target's machine code does."""
    for theirs, ours in zip(source.arguments, target.arguments, strict=True):
        places = _passing(theirs.attributes), _passing(ours.attributes)
        if places[0] != places[1]:
            told = [" ".join(place) or "none of these" for place in places]
            raise UnsupportedError(f"the source's argument %{theirs.name} is {told[0]}, the target's {told[1]}")
        if new := EXTENDED & set(ours.attributes) - set(theirs.attributes):
            raise UnsupportedError(f"the target's argument %{ours.name} is {min(new)}, the source's not")
    if _passing(source.return_attributes) != _passing(target.return_attributes):
        raise UnsupportedError("the result is inreg on one side only")
    if lost := EXTENDED & set(source.return_attributes) - set(target.return_attributes):
        raise UnsupportedError(f"the source's result is {min(lost)}, the target's not")
    names = [" ".join(filter(is_convention, one.linkage)) or "ccc" for one in (source, target)]
    if names[0] != names[1]:
        raise UnsupportedError(f"the target's calling convention is {names[1]}, the source's {names[0]}")
    passed = [source.type, *(argument.type for argument in source.arguments)]
    machines = [sorted(filter(_REGISTERS.match, one.attributes)) for one in (source, target)]
    if machines[0] != machines[1] and any(map(_in_wide_registers, passed)):
        told = [" ".join(machine) or "no target-features" for machine in machines]
        raise UnsupportedError(f"vectors and floats are passed as the processor has it: {told[0]}, and {told[1]}")


def _in_wide_registers(type: Type) -> bool:
    return isinstance(type, Vector | Float) or (isinstance(type, Struct) and any(map(_in_wide_registers, type.fields)))


def noundef(attributes: Iterable[str]) -> bool:
    """The value is neither undef nor poison, or the behaviour is undefined."""
    return any(attribute in ("noundef",) or attribute.startswith("dereferenceable") for attribute in attributes)
