"""Rewrites between branches and selects, and of branches that dominating conditions decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from m4alloc.superopt.ir import (
    I1,
    VOID,
    Block,
    Constant,
    Function,
    Instruction,
    Int,
    Local,
    Value,
    Vector,
    constant,
)
from m4alloc.superopt.known import Known, width_of
from m4alloc.superopt.simplify import is_movable
from m4alloc.superopt.simplify_cfg import jump, with_edge_removed, with_terminator

Site = tuple[str, Callable[[], Function]]
_DIVISIONS = frozenset({"udiv", "urem"})
MOST_SPECULATED = 8
"""Instructions of an arm that are run whether or not it is taken."""


def names_of(function: Function) -> set[str]:
    """Every name of a value."""
    return {argument.name for argument in function.arguments} | {one.name for one in function if one.name}


def fresh(taken: set[str], stem: str) -> str:
    """A name that is not taken, which it then is."""
    name = next(f"{stem}{number}" for number in range(len(taken) + 1) if f"{stem}{number}" not in taken)
    taken.add(name)
    return name


def implied_branches(function: Function, known: Known) -> Iterator[Site]:
    """A branch or a switch whose condition is known where its block runs goes one way."""
    for block in function.blocks:
        end = block.terminator
        if end.opcode not in ("br", "switch") or not end.operands or block.name not in known.dominators:
            continue
        condition = end.operands[0]
        extent = known.extent(condition, block.name)
        if isinstance(condition, Constant) or extent is None or extent.value is None:
            continue
        if end.opcode == "br":
            label = end.labels[0 if extent.value else 1]
        else:
            cases = {
                case.value: label
                for case, label in zip(end.operands[1:], end.labels[1:], strict=True)
                if isinstance(case, Constant)
            }
            label = cases.get(extent.value, end.labels[0])
        yield block.name, partial(with_terminator, function, block.name, jump(label))


def implied_selects(function: Function, known: Known) -> Iterator[Site]:
    """A result that is known where its block runs is a constant; it may be poison, which a constant refines."""
    for block in function.blocks:
        if block.name not in known.dominators:
            continue
        for one in block.instructions:
            if not (is_movable(one) or one.opcode == "phi") or isinstance(one.type, Vector):
                continue
            extent = known.extent(one.result, block.name)
            if extent is not None and extent.value is not None and isinstance(one.type, Int):
                value = constant(one.type, extent.value)
                yield f"%{one.name}", partial(_with_value, function, one, value)


def _with_value(function: Function, one: Instruction, value: Value) -> Function:
    def change(instruction: Instruction) -> Instruction:
        operands = tuple(value if operand == one.result else operand for operand in instruction.operands)
        return instruction if operands == instruction.operands else instruction.with_operands(operands)

    changed = function.mapped(change)
    return replace(
        changed,
        blocks=tuple(
            replace(block, instructions=tuple(each for each in block.instructions if each.name != one.name))
            for block in changed.blocks
        ),
    )


def speculated(block: Block, known: Known, taken: set[str]) -> list[Instruction] | None:
    """The block's instructions, but for its end, so that they may run whether or not it is reached; None where not.

    A division is made harmless: its divisor is frozen where it may be poison or undef, and 0 becomes 1.  Where the
    block is reached the divisor is none of these, since that would be UB, so that the result is the same.
    """
    made: list[Instruction] = []
    for one in block.instructions[:-1]:
        if one.opcode in _DIVISIONS and isinstance(one.type, Int) and one.type.width > 1:
            divisor = one.operands[1]
            extent = known.extent(divisor)
            if not known.is_defined(divisor):
                frozen = Instruction("freeze", one.type, (divisor,), fresh(taken, "frozen"))
                made.append(frozen)
                divisor, extent = frozen.result, None
            if extent is None or extent.low == 0:
                callee = f"llvm.umax.{one.type}"
                safe = Instruction(
                    "call", one.type, (divisor, constant(one.type, 1)), fresh(taken, "divisor"), callee=callee
                )
                made.append(safe)
                divisor = safe.result
            made.append(one.with_operands((one.operands[0], divisor)))
        elif is_movable(one) and one.opcode not in ("sdiv", "srem", "udiv", "urem") and "noundef" not in one.attributes:
            made.append(one)
        else:
            return None
    return made if len(made) <= MOST_SPECULATED else None


def branches_to_selects(function: Function, known: Known) -> Iterator[Site]:
    """A branch around pure instructions becomes selects; a branch on poison was UB, so any select refines it."""
    before = function.predecessors()
    for head in function.blocks:
        end = head.terminator
        if end.opcode != "br" or len(end.labels) != 2 or end.labels[0] == end.labels[1]:
            continue
        arms = [function.block(label) for label in end.labels]
        alone = [before[arm.name] == (head.name,) and arm.name != head.name for arm in arms]
        if all(alone) and all(arm.terminator.opcode == "ret" for arm in arms):
            yield head.name, partial(_returned, function, known, head, arms)
            continue
        inner: tuple[Block | None, Block | None]
        following = [arm.terminator.labels if arm.terminator.opcode == "br" else () for arm in arms]
        if all(alone) and following[0] == following[1] and len(following[0]) == 1:
            join = following[0][0]
            inner = (arms[0], arms[1])
        elif alone[0] and following[0] == (arms[1].name,):
            join, inner = arms[1].name, (arms[0], None)
        elif alone[1] and following[1] == (arms[0].name,):
            join, inner = arms[0].name, (None, arms[1])
        else:
            continue
        if join == head.name:
            continue
        yield head.name, partial(_joined, function, known, head, join, inner)


class NotHereError(ValueError):
    """A rewrite that looked possible is not."""


def _body(function: Function, known: Known, arms: list[Block]) -> list[Instruction]:
    taken = names_of(function)
    body: list[Instruction] = []
    for arm in arms:
        if any(one.opcode == "phi" for one in arm.instructions):
            raise NotHereError(f"{arm.name} has a phi")
        made = speculated(arm, known, taken)
        if made is None:
            raise NotHereError(f"{arm.name} must not run unless it is reached")
        body += made
    return body


def _chosen(condition: Value, first: Value, second: Value, name: str) -> Instruction:
    return Instruction("select", first.type, (condition, first, second), name)


def _returned(function: Function, known: Known, head: Block, arms: list[Block]) -> Function:
    body = _body(function, known, arms)
    values = [arm.terminator.operands for arm in arms]
    condition = head.terminator.operands[0]
    last: list[Instruction] = []
    if values[0] and values[1]:
        if values[0] == values[1]:
            last = [arms[0].terminator]
        else:
            choice = _chosen(condition, values[0][0], values[1][0], fresh(names_of(function), "choice"))
            last = [choice, replace(arms[0].terminator, operands=(choice.result,))]
    else:
        last = [arms[0].terminator]
    merged = replace(head, instructions=(*head.instructions[:-1], *body, *last))
    gone = {arm.name for arm in arms}
    return replace(
        function,
        blocks=tuple(
            merged if block.name == head.name else block for block in function.blocks if block.name not in gone
        ),
    )


def _joined(
    function: Function, known: Known, head: Block, join: str, inner: tuple[Block | None, Block | None]
) -> Function:
    body = _body(function, known, [arm for arm in inner if arm is not None])
    taken = names_of(function)
    condition = head.terminator.operands[0]
    sources = [head.name if arm is None else arm.name for arm in inner]
    target = function.block(join)
    choices: list[Instruction] = []
    rest: list[Instruction] = []
    for one in target.instructions:
        if one.opcode != "phi":
            rest.append(one)
            continue
        values = [one.operands[one.labels.index(source)] for source in sources]
        if values[0] == values[1]:
            value = values[0]
        else:
            choice = _chosen(condition, values[0], values[1], fresh(taken, "choice"))
            choices.append(choice)
            value = choice.result
        pairs = [pair for pair in zip(one.operands, one.labels, strict=True) if pair[1] not in sources]
        pairs.append((value, head.name))
        operands, labels = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
        rest.append(replace(one, operands=operands, labels=labels))
    merged = replace(head, instructions=(*head.instructions[:-1], *body, *choices, jump(join)))
    joined = replace(target, instructions=tuple(rest))
    gone = {arm.name for arm in inner if arm is not None}
    new = {head.name: merged, join: joined}
    return replace(
        function, blocks=tuple(new.get(block.name, block) for block in function.blocks if block.name not in gone)
    )


def selects_to_branches(function: Function, known: Known) -> Iterator[Site]:
    """A scalar select becomes a branch and a phi, on a frozen condition where that may be poison or undef."""
    for block in function.blocks:
        for at, one in enumerate(block.instructions):
            if one.opcode == "select" and one.operands[0].type == I1 and not isinstance(one.operands[0], Constant):
                yield f"%{one.name}", partial(_split, function, known, block, at)


def _split(function: Function, known: Known, block: Block, at: int) -> Function:
    taken = {one.name for one in function.blocks}
    first, second, join = (fresh(taken, stem) for stem in ("then", "else", "join"))
    one = block.instructions[at]
    condition = one.operands[0]
    before = list(block.instructions[:at])
    if not known.is_defined(condition):
        frozen = Instruction("freeze", I1, (condition,), fresh(names_of(function), "frozen"))
        before.append(frozen)
        condition = frozen.result
    head = replace(block, instructions=(*before, Instruction("br", VOID, (condition,), labels=(first, second))))
    phi = Instruction("phi", one.type, one.operands[1:], one.name, labels=(first, second))
    tail = Block(join, (phi, *block.instructions[at + 1 :]))
    blocks: list[Block] = []
    for each in function.blocks:
        if each.name == block.name:
            blocks += [head, Block(first, (jump(join),)), Block(second, (jump(join),)), tail]
        else:
            blocks.append(_from(each, block.name, join))
    renamed = [_from(each, block.name, join) if each.name in (join, block.name) else each for each in blocks]
    return replace(function, blocks=tuple(renamed))


def _from(block: Block, old: str, new: str) -> Block:
    """Phis that came from `old` come from `new`; a block's own phis before the split keep their predecessors."""
    return replace(
        block,
        instructions=tuple(
            replace(one, labels=tuple(new if label == old else label for label in one.labels))
            if one.opcode == "phi" and old in one.labels
            else one
            for one in block.instructions
        ),
    )


def switches_to_compares(function: Function, known: Known) -> Iterator[Site]:
    """A switch with one case is a comparison; one whose cases are a range, and go one way, a range check."""
    for block in function.blocks:
        end = block.terminator
        if end.opcode != "switch":
            continue
        cases = [case for case in end.operands[1:] if isinstance(case, Constant)]
        if len(cases) != len(end.operands) - 1 or not cases or len(set(end.labels[1:])) != 1:
            continue
        values = sorted(case.value for case in cases)
        if end.labels[1] != end.labels[0] and values == list(range(values[0], values[0] + len(values))):
            yield block.name, partial(_checked, function, block, values)


def _checked(function: Function, block: Block, values: list[int]) -> Function:
    end = block.terminator
    value = end.operands[0]
    width = width_of(value.type)
    assert width is not None
    type, taken = Int(width), names_of(function)
    made: list[Instruction] = []
    if len(values) == 1:
        test = Instruction("icmp", I1, (value, constant(type, values[0])), fresh(taken, "test"), predicate="eq")
    else:
        if values[0]:
            moved = Instruction("add", type, (value, constant(type, -values[0])), fresh(taken, "offset"))
            made.append(moved)
            value = moved.result
        if len(values) == 1 << width:
            raise NotHereError("every value is a case")
        test = Instruction("icmp", I1, (value, constant(type, len(values))), fresh(taken, "test"), predicate="ult")
    made.append(test)
    branch = Instruction("br", VOID, (test.result,), labels=(end.labels[1], end.labels[0]))
    changed = with_terminator(function, block.name, branch)
    old = changed.block(block.name)
    new = replace(old, instructions=(*old.instructions[:-1], *made, branch))
    return replace(changed, blocks=tuple(new if each.name == block.name else each for each in changed.blocks))


def jumps_threaded(function: Function, known: Known) -> Iterator[Site]:
    """A predecessor that brings a constant to a block that only branches on it goes straight to where that leads."""
    for block in function.blocks[1:]:
        if len(block.instructions) != 2 or block.instructions[0].opcode != "phi":
            continue
        phi, end = block.instructions
        if end.opcode != "br" or end.operands != (phi.result,) or function.uses()[phi.name] != 1:
            continue
        for value, source in zip(phi.operands, phi.labels, strict=True):
            if isinstance(value, Constant):
                target = end.labels[0 if value.value else 1]
                yield (
                    source,
                    partial(_threaded, function, block, source, target),
                )


def _threaded(function: Function, block: Block, source: str, target: str) -> Function:
    before = function.predecessors()
    if source in before[target] or function.block(source).successors.count(block.name) != 1 or target == block.name:
        raise NotHereError(f"{source} reaches {target} already")
    if any(
        isinstance(operand, Local) and operand in [one.result for one in block.instructions if one.name]
        for one in function.block(target).instructions
        for operand in one.operands
    ):
        raise NotHereError(f"{target} uses what {block.name} defines")
    blocks = []
    for each in function.blocks:
        if each.name == source:
            end = each.terminator
            labels = tuple(target if label == block.name else label for label in end.labels)
            each = replace(each, instructions=(*each.instructions[:-1], replace(end, labels=labels)))
        elif each.name == block.name:
            each = with_edge_removed(each, source)
        if each.name == target:
            instructions = []
            for one in each.instructions:
                if one.opcode == "phi":
                    value = one.operands[one.labels.index(block.name)]
                    one = replace(one, operands=(*one.operands, value), labels=(*one.labels, source))
                instructions.append(one)
            each = replace(each, instructions=tuple(instructions))
        blocks.append(each)
    changed = replace(function, blocks=tuple(blocks))
    _refuse_lost_dominance(changed)
    return changed


def _refuse_lost_dominance(function: Function) -> None:
    """NotHereError where a definition no longer dominates a use."""
    known = Known(function)
    for block in function.blocks:
        if block.name not in known.dominators:
            continue
        seen = {argument.name for argument in function.arguments}
        for one in block.instructions:
            for number, operand in enumerate(one.operands):
                if not isinstance(operand, Local) or operand.name in known.arguments:
                    continue
                place = one.labels[number] if one.opcode == "phi" else block.name
                home = known.home[operand.name]
                inside = home == block.name and one.opcode != "phi"
                if home not in known.dominators.get(place, (home,)) or (inside and operand.name not in seen):
                    raise NotHereError(f"%{operand.name} would not dominate its use")
            if one.name:
                seen.add(one.name)
