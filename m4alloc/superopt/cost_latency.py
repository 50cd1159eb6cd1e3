"""Latency of a function's longest chain of dependences by a table of cycles per opcode, without any tool."""

from __future__ import annotations

from m4alloc.superopt.ir import Function, Instruction, Int, Local, Vector

CYCLES = {
    **dict.fromkeys(("add", "sub", "and", "or", "xor", "shl", "lshr", "ashr", "icmp", "select", "getelementptr"), 1.0),
    **dict.fromkeys(("zext", "sext", "extractelement", "insertelement", "shufflevector"), 1.0),
    **dict.fromkeys(("trunc", "bitcast", "ptrtoint", "inttoptr", "ptrtoaddr", "freeze", "phi"), 0.0),
    **dict.fromkeys(("extractvalue", "insertvalue", "alloca", "ret", "unreachable"), 0.0),
    **dict.fromkeys(("br", "switch"), 1.0),
    "mul": 3.0,
    **dict.fromkeys(("udiv", "sdiv", "urem", "srem"), 18.0),
    "load": 4.0,
    "store": 1.0,
    "call": 2.0,
    "opaque": 10.0,
}
"""Cycles from operands to result, for a wide core of the last ten years (Agner Fog, "Instruction tables", the columns
of Zen 3 and Skylake, rounded to one figure): it ranks candidates and predicts nothing.  A cast that renames a
register takes none."""

INTRINSICS = {
    **dict.fromkeys(("umin", "umax", "smin", "smax", "abs"), 2.0),
    **dict.fromkeys(("uadd", "usub", "sadd", "ssub", "fshl", "fshr", "bswap"), 1.0),
    **dict.fromkeys(("umul", "smul"), 3.0),
    "bitreverse": 8.0,
    "vector": 4.0,
}
"""The same by the word after "llvm." of an intrinsic; saturating forms take one cycle more."""

COUNTS = {"ctpop": (10.0, 2.0), "ctlz": (4.0, 1.0), "cttz": (3.0, 1.0)}
"""Cycles without and with an instruction of the target's that counts bits; x86-64-v3 has all three."""
COUNTING = {"x86-64": (), "x86-64-v3": ("ctpop", "ctlz", "cttz"), "aarch64": ("ctlz", "cttz"), "riscv64": ()}


def latency(function: Function, target: str = "x86-64") -> float:
    """Cycles from the arguments to the last result or store, a branch counted as if its condition were waited for.

    Blocks are walked in their order and the back edge of a loop is not followed: of a loop, one turn is counted.
    Cost: linear in the function's size.
    """
    ready: dict[str, float] = {argument.name: 0.0 for argument in function.arguments}
    reached: dict[str, float] = {function.blocks[0].name: 0.0}
    last = 0.0
    for block in function.blocks:
        start = reached.get(block.name, 0.0)
        for instruction in block.instructions:
            inputs = [ready.get(operand.name, 0.0) for operand in instruction.operands if isinstance(operand, Local)]
            waits = instruction.opcode in {"phi", "store"} or instruction.is_terminator
            done = max([*inputs, start if waits else 0.0]) + cycles(instruction, target)
            if instruction.name:
                ready[instruction.name] = done
            if instruction.is_terminator:
                conditional = len(set(instruction.labels)) > 1
                for label in instruction.labels:
                    at = done if conditional else start
                    reached[label] = max(reached.get(label, 0.0), at)
            last = max(last, done if not instruction.is_terminator or instruction.opcode == "ret" else start)
    return last


def cycles(instruction: Instruction, target: str = "x86-64") -> float:
    """Cycles of one instruction on its own.

    >>> cycles(Instruction("mul", Int(32)))
    3.0
    """
    if instruction.opcode == "call":
        return _of_intrinsic(instruction, target)
    if instruction.opcode in {"udiv", "urem"} and isinstance(instruction.type, Int) and instruction.type.width <= 32:
        return 12.0
    if instruction.opcode == "br" and len(instruction.labels) == 1:
        return 0.0
    return CYCLES.get(instruction.opcode, CYCLES["opaque"])


def _of_intrinsic(instruction: Instruction, target: str) -> float:
    words = instruction.callee.split(".")
    word = words[1] if len(words) > 1 else ""
    if word in COUNTS:
        native = word in COUNTING.get(target, ()) and not isinstance(instruction.type, Vector)
        return COUNTS[word][native]
    return INTRINSICS.get(word, CYCLES["call"]) + (1.0 if "sat" in words else 0.0)
