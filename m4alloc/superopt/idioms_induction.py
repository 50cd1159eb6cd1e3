"""Proves a closed form of a loop by induction: one turn of the loop is checked from every state, not every run.

The loop has two values that change, a state s and an accumulator n.  With F the closed form of the whole function, the
claim is R: a loop that starts a turn with (n, s) makes the function return n + F(s).  Checked, each by
equivalence.refines on functions without loops:

1. a turn from any (n, s) returns n + F(s) where it leaves the loop, and leads to (n', s') with n' + F(s') = n + F(s)
   where it does not;
2. where the loop is entered with (n0, s0), n0 + F(s0) is what F returns for the arguments, and every way around the
   loop returns that too;
3. the loop ends: within a bound, proved by following its back edges.

An invariant `s != 0` may be assumed in 1; then it is proved where the loop is entered and wherever a turn leads on.

Of n and s no use may differ from another (they may be poison), as 1 says nothing of values such as `or undef, 1`.  So
an argument without `noundef` has to be one that the source is undefined for where it is undef.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from m4alloc.superopt import idioms_sums
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_lanes import evaluate
from m4alloc.superopt.idioms_tables import Arithmetic, NotASumError
from m4alloc.superopt.idioms_unroll import Loop, NotBoundedError, loops, numbered
from m4alloc.superopt.ir import I1, VOID, Argument, Block, Constant, Function, Instruction, Int, Local, Value
from m4alloc.superopt.known import Known
from m4alloc.superopt.simplify import cleaned
from m4alloc.superopt.slices_facts import is_fixed
from m4alloc.superopt.verdict import Outcome, Verdict

METHOD = "induction over a loop, each part by SMT"


@dataclass(frozen=True)
class _State:
    """What changes in the loop: the accumulator's phi, the state's phi."""

    loop: Loop
    accumulator: Instruction
    state: Instruction


def refines_by_induction(
    source: Function, target: Function, facts: Sequence[Fact] = (), *, bound: int = 64, seconds: float = 10.0
) -> Verdict:
    """Whether `target`, one block that computes F of one integer, refines `source`, which has one loop.

    UNKNOWN where the loop has another shape or a part is not proved; a part that is refuted says nothing of the whole.
    Cost: four to six queries.
    """
    started = time.monotonic()
    end = started + seconds
    reason = "no loop with one state and one accumulator"
    original, (source, target) = source, _named(source, target)
    found = _states(source, target)
    if found and "noundef" not in source.arguments[0].attributes:
        sure = refines(_once(source, found[0]), _demanding(source), facts, seconds=seconds)
        source, target = _demanded(source), _demanded(target)
        if not sure.accepted:
            found, reason = [], "the argument may be undef, and no use of it up to the second turn would be undefined"
    for state in found:
        header = original.blocks[[block.name for block in source.blocks].index(state.loop.header)].name
        for invariant in (f"{_arguments(source)[1].name} != 0", ""):
            reason = _failed(source, target, state, invariant, facts, bound, end)
            if not reason:
                obligations = (
                    f"a turn of the loop at %{header} from any state gives accumulator + F(state)",
                    f"the loop is entered with accumulator + F(state) = F(%{source.arguments[0].name})",
                    f"the loop ends within {bound} repetitions",
                    *((f"invariant of the loop: {invariant}",) if invariant else ()),
                )
                spent = time.monotonic() - started
                return Verdict(Outcome.REFINES, METHOD, "", None, tuple(facts), obligations, (), spent)
    spent = time.monotonic() - started
    return Verdict(Outcome.UNKNOWN, METHOD, reason, None, tuple(facts), (), (), spent)


def _named(source: Function, target: Function) -> tuple[Function, Function]:
    """Both with names that nothing made here has."""
    argument = source.arguments[0].name if source.arguments else ""
    return numbered(source, "v"), numbered(target, "w" if not argument.startswith("w") else f"{argument}_")


def _own(source: Function, name: str) -> str:
    """A name for what is made here, which is not that of the source's argument."""
    return name if name != source.arguments[0].name else f"{name}_"


def _demanding(source: Function) -> Function:
    """A function that is undefined where the source's argument is undef or poison."""
    (argument,) = source.arguments
    assert isinstance(argument.type, Int)
    sure = _own(source, "sure")
    call = Instruction(
        "call", argument.type, (argument.value, Constant(argument.type, 0)), sure,
        callee=f"llvm.expect.{argument.type}", attributes=("noundef",),
    )  # fmt: skip
    block = Block("entry", (call, Instruction("ret", VOID, (Constant(I1, 1),))))
    return Function("demanding", I1, (argument,), (block,), linkage=source.linkage)


def _demanded(function: Function) -> Function:
    """The same for an argument that is neither undef nor poison."""
    (argument,) = function.arguments
    return replace(function, arguments=(replace(argument, attributes=(*argument.attributes, "noundef")),))


def _once(source: Function, state: _State) -> Function:
    """The source up to the second turn of its loop, giving true wherever it returns and there."""
    again = Block("again", (Instruction("ret", VOID, (Constant(I1, 1),)),))
    blocks = _returning_true(_cut(source, state, [(state.loop.latch, again)], source.blocks[0].name), set())
    return _reached(replace(source, type=I1, blocks=blocks))


def _states(source: Function, target: Function) -> list[_State]:
    try:
        found = loops(source)
    except NotBoundedError:
        return []
    if len(found) != 1 or len(target.blocks) != 1 or len(source.arguments) != 1:
        return []
    phis = [one for one in source.block(found[0].header).instructions if one.opcode == "phi"]
    if len(phis) != 2 or not isinstance(source.type, Int):
        return []
    argument = source.arguments[0].type
    known = Known(_defined(source))
    if not all(is_fixed(known, operand) for phi in phis for operand in phi.operands):
        return []
    return [_State(found[0], n, s) for n, s in (phis, phis[::-1]) if (n.type, s.type) == (source.type, argument)]


def _failed(
    source: Function, target: Function, state: _State, invariant: str, facts: Sequence[Fact], bound: int, end: float
) -> str:
    """Which part is not proved, and why; "" where all are."""
    turn, closed = _turn(source, target, state), _claim(source, target)
    if _leads_on_as_sums(source, target, state, closed):
        turn, closed = _defined(_turn(source, target, state, closed=True)), _defined(closed)
    assumed = (Fact(invariant, "invariant of the loop"),) if invariant else ()
    parts = [
        ("the loop's end", _constant(source, state.loop), _zero(source), tuple(facts), bound),
        ("the loop's entry", _entered(source, target, state), target, tuple(facts), 0),
        ("one turn", turn, closed, assumed, 0),
    ]
    if invariant:
        # "true" is the original here: the test has to be true, and neither undef nor poison.
        parts.append(("the invariant at the entry", _true(source), _entry_keeps(source, state), tuple(facts), 0))
        parts.append(("the invariant after a turn", _true(turn), _turn_keeps(source, state), assumed, 0))
    for name, ours, theirs, given, unroll in parts:
        left = end - time.monotonic()
        if left <= 0:
            return f"{name}: the time is used up"
        verdict = refines(ours, theirs, given, seconds=left, unroll=unroll)
        if not verdict.accepted:
            return f"{name}: {verdict.reason or 'refuted'}"
    return ""


def _applied(target: Function, accumulator: Value, state: Value, tag: str) -> tuple[list[Instruction], Value]:
    """accumulator + F(state), as instructions whose names end in `tag`."""
    names: dict[str, Value] = {target.arguments[0].name: state}
    made: list[Instruction] = []
    for one in target.blocks[0].instructions:
        operands = tuple(names.get(v.name, v) if isinstance(v, Local) else v for v in one.operands)
        if one.opcode == "ret":
            name = f"{target.blocks[0].name}.total{tag}"
            total = Instruction("add", operands[0].type, (accumulator, operands[0]), name)
            return [*made, total], total.result
        made.append(replace(one, operands=operands, name=f"{one.name}{tag}"))
        names[one.name] = made[-1].result
    raise NotBoundedError("the closed form returns nothing")


def _claim(source: Function, target: Function) -> Function:
    """R: from accumulator and state to what the function returns."""
    n, s = _arguments(source)
    made, total = _applied(target, n.value, s.value, ".r")
    block = Block("entry", (*made, Instruction("ret", VOID, (total,))))
    return Function("claim", source.type, (n, s, source.arguments[0]), (block,))


def _arguments(source: Function) -> tuple[Argument, Argument]:
    """Accumulator and state, of which nothing is known: they may be undef or poison."""
    names = [_own(source, name) for name in ("accumulator", "state")]
    return Argument(names[0], source.type), Argument(names[1], source.arguments[0].type)


def _edge(phi: Instruction, label: str) -> Value:
    return phi.operands[phi.labels.index(label)]


def _cut(source: Function, state: _State, returned: Sequence[tuple[str, Block]], entry: str) -> tuple[Block, ...]:
    """Blocks from `entry` on, each edge into the loop's header led to a block of its own instead."""
    places = dict(returned)
    blocks = []
    for block in source.blocks:
        instructions = block.instructions
        if block.name == state.loop.header and entry == state.loop.header:
            instructions = tuple(one for one in instructions if one.opcode != "phi")
        labels = tuple(
            places[block.name].name if label == state.loop.header and block.name in places else label
            for label in block.terminator.labels
        )
        blocks.append(Block(block.name, (*instructions[:-1], replace(block.terminator, labels=labels))))
    first = [block for block in blocks if block.name == entry]
    return (*first, *(block for block in blocks if block.name != entry), *places.values())


def _turn(source: Function, target: Function, state: _State, closed: bool = False) -> Function:
    """One turn from any state; on the way back it returns what R says of the next state (of this one, if `closed`)."""
    loop = state.loop
    n, s = _arguments(source)
    if closed:
        made, total = _applied(target, n.value, s.value, ".next")
    else:
        made, total = _applied(target, _edge(state.accumulator, loop.latch), _edge(state.state, loop.latch), ".next")
    back = Block("back", (*made, Instruction("ret", VOID, (total,))))
    return _opened(source, state, _cut(source, state, [(loop.latch, back)], loop.header), source.type)


def _leads_on_as_sums(source: Function, target: Function, state: _State, closed: Function) -> bool:
    """n' + F(s') = n + F(s) by idioms_sums, for all values of n and s, and no value becomes undef or poison on the way.

    Then those may be left out where the turn is checked: the loop starts from values that are neither.
    """
    loop = state.loop
    starts = [_edge(phi, label) for phi in (state.accumulator, state.state) for label in _outside(state)]
    sound = {argument.name for argument in source.arguments if "noundef" in argument.attributes}
    if (
        len(loop.blocks) != 1
        or len(sound) != len(source.arguments)
        or not all(
            isinstance(value, Constant) or (isinstance(value, Local) and value.name in sound) for value in starts
        )
    ):
        return False
    instructions = tuple(one for one in source.block(loop.header).instructions[:-1] if one.opcode != "phi")
    following = _edge(state.state, loop.latch)
    made, total = _applied(target, _edge(state.accumulator, loop.latch), following, ".next")

    def returning(value: Value, *more: Instruction) -> Function:
        block = Block("entry", (*instructions, *more, Instruction("ret", VOID, (value,))))
        return replace(cleaned(_opened(source, state, (block,), source.type)), type=value.type)

    onward = returning(total, *made)
    try:
        never_lost = None not in evaluate(returning(following), Arithmetic(strict=True)).lanes
    except NotASumError:
        return False
    return never_lost and all(idioms_sums.refines(a, b).accepted for a, b in ((closed, onward), (onward, closed)))


def _defined(function: Function) -> Function:
    """The same for arguments that are neither undef nor poison."""
    arguments = tuple(replace(argument, attributes=("noundef",)) for argument in function.arguments)
    return replace(function, arguments=arguments)


def _opened(source: Function, state: _State, blocks: tuple[Block, ...], type: Int | object) -> Function:
    """The function of accumulator, state and argument that these blocks are, from the loop's header on."""
    n, s = _arguments(source)
    names = {state.accumulator.name: n.value, state.state.name: s.value}

    def change(one: Instruction) -> Instruction:
        return one.with_operands(tuple(names.get(v.name, v) if isinstance(v, Local) else v for v in one.operands))

    arguments = (n, s, source.arguments[0])
    made = Function("turn", source.type if type is source.type else I1, arguments, blocks).mapped(change)
    return _reached(made)


def _reached(function: Function) -> Function:
    """Without blocks that cannot be reached, and without their edges into phis."""
    seen, work = {function.blocks[0].name}, [function.blocks[0].name]
    while work:
        for name in function.block(work.pop()).successors:
            if name not in seen:
                seen.add(name)
                work.append(name)
    before = {
        name: {block.name for block in function.blocks if block.name in seen and name in block.successors}
        for name in seen
    }

    def kept(one: Instruction, at: str) -> Instruction:
        if one.opcode != "phi":
            return one
        pairs = [(v, label) for v, label in zip(one.operands, one.labels, strict=True) if label in before[at]]
        return replace(one, operands=tuple(v for v, _ in pairs), labels=tuple(label for _, label in pairs))

    blocks = [
        Block(block.name, tuple(kept(one, block.name) for one in block.instructions))
        for block in function.blocks
        if block.name in seen
    ]
    return replace(function, blocks=tuple(blocks), return_attributes=())


def _outside(state: _State) -> list[str]:
    return [label for label in dict.fromkeys(state.state.labels) if label != state.loop.latch]


def _entered(source: Function, target: Function, state: _State) -> Function:
    """The function, its loop replaced by what R says of the state in which it is entered."""
    ends = []
    for index, label in enumerate(_outside(state)):
        made, total = _applied(target, _edge(state.accumulator, label), _edge(state.state, label), f".in{index}")
        ends.append((label, Block(f"in{index}", (*made, Instruction("ret", VOID, (total,))))))
    blocks = _cut(source, state, ends, source.blocks[0].name)
    return _reached(replace(source, blocks=blocks))


def _nonzero(value: Value, name: str) -> tuple[Instruction, ...]:
    assert isinstance(value.type, Int)
    test = Instruction("icmp", I1, (value, Constant(value.type, 0)), name, predicate="ne")
    return test, Instruction("ret", VOID, (test.result,))


def _returning_true(blocks: tuple[Block, ...], kept: set[str]) -> tuple[Block, ...]:
    """Every return of a block that is not in `kept` returns true."""
    end = Instruction("ret", VOID, (Constant(I1, 1),))
    return tuple(
        Block(block.name, (*block.instructions[:-1], end))
        if block.terminator.opcode == "ret" and block.name not in kept
        else block
        for block in blocks
    )


def _entry_keeps(source: Function, state: _State) -> Function:
    """Whether the state is not zero where the loop is entered; true where it is not entered."""
    ends = [
        (label, Block(f"in{index}", _nonzero(_edge(state.state, label), _own(source, f"test{index}"))))
        for index, label in enumerate(_outside(state))
    ]
    blocks = _returning_true(_cut(source, state, ends, source.blocks[0].name), {block.name for _, block in ends})
    return _reached(replace(source, type=I1, blocks=blocks))


def _turn_keeps(source: Function, state: _State) -> Function:
    """Whether the next state is not zero; true where the loop is left."""
    back = Block("back", _nonzero(_edge(state.state, state.loop.latch), _own(source, "test")))
    blocks = _returning_true(_cut(source, state, [(state.loop.latch, back)], state.loop.header), {"back"})
    return _opened(source, state, blocks, I1)


def _true(like: Function) -> Function:
    block = Block("entry", (Instruction("ret", VOID, (Constant(I1, 1),)),))
    return Function("true", I1, like.arguments, (block,), linkage=like.linkage)


def _zero(like: Function) -> Function:
    assert isinstance(like.type, Int)
    block = Block("entry", (Instruction("ret", VOID, (Constant(like.type, 0),)),))
    return Function("zero", like.type, like.arguments, (block,), linkage=like.linkage)


def _constant(source: Function, loop: Loop) -> Function:
    """The function returning 0 always: what is left of it is whether it ends."""
    assert isinstance(source.type, Int)
    end = Instruction("ret", VOID, (Constant(source.type, 0),))
    blocks = tuple(
        Block(block.name, (*block.instructions[:-1], end)) if block.terminator.opcode == "ret" else block
        for block in source.blocks
    )
    return replace(source, blocks=blocks, return_attributes=())
