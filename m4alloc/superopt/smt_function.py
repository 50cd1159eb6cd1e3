"""A whole function as one term: path conditions over its blocks, one result, one final memory, one condition of UB.

Source: LLVM language reference, "Terminator Instructions", "phi Instruction".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from m4alloc.superopt import smt_attributes
from m4alloc.superopt.ir import Function, Instruction, Local, Value
from m4alloc.superopt.smt_instructions import Instructions
from m4alloc.superopt.smt_memory import Access, Accessor, Memory, World, memories_merged
from m4alloc.superopt.smt_values import (
    FALSE,
    TRUE,
    Choices,
    Scalar,
    SymValue,
    Term,
    both,
    either,
    is_set,
    merged,
    negation,
    scalars,
)
from m4alloc.superopt.verdict import UnsupportedError

Node = tuple[str, int]
"""A block, and how many back edges were taken before it."""


@dataclass(frozen=True)
class Encoding:
    """What a function does.

    undefined: when its behaviour is undefined.  result: what it returns where it is not; None for void or where it
    never returns.  exhausted: when a loop runs longer than it was unrolled.  doubts: when the encoding is not exact.
    """

    undefined: Term
    result: SymValue | None
    memory: Memory
    choices: Choices
    accesses: tuple[Access, ...]
    doubts: tuple[tuple[Term, str], ...]
    exhausted: Term = FALSE
    has_loop: bool = False


@dataclass
class _State:
    """What is known where a block begins."""

    path: Term
    memory: Memory
    values: dict[str, SymValue]


@dataclass
class _Edge:
    """A way into a block."""

    before: str
    path: Term
    memory: Memory
    values: dict[str, SymValue]


def back_edges(function: Function) -> set[tuple[str, str]]:
    """The edges that close a loop, in a depth-first walk from the entry."""
    successors = {block.name: block.successors for block in function.blocks}
    found: set[tuple[str, str]] = set()
    open_: set[str] = set()
    seen: set[str] = set()
    entry = function.blocks[0].name
    stack = [(entry, iter(successors[entry]))]
    open_.add(entry)
    seen.add(entry)
    while stack:
        name, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            open_.discard(name)
            stack.pop()
        elif following in open_:
            found.add((name, following))
        elif following not in seen:
            if following not in successors:
                raise UnsupportedError(f"a branch to %{following}, which is no block")
            seen.add(following)
            open_.add(following)
            stack.append((following, iter(successors[following])))
    return found


def _order(function: Function, backward: set[tuple[str, str]]) -> list[str]:
    """The reachable blocks, each after all its predecessors but those by back edges."""
    successors = {block.name: block.successors for block in function.blocks}
    finished: list[str] = []
    seen: set[str] = set()
    stack: list[tuple[str, bool]] = [(function.blocks[0].name, False)]
    while stack:
        name, done = stack.pop()
        if done:
            finished.append(name)
        elif name not in seen:
            seen.add(name)
            stack.append((name, True))
            stack += [(following, False) for following in successors[name] if (name, following) not in backward]
    return finished[::-1]


@dataclass
class _Walk:
    """One walk over a function's blocks."""

    function: Function
    world: World
    choices: Choices
    unroll: int
    is_target: bool
    undefined: list[Term] = field(default_factory=list)
    edges: dict[Node, list[_Edge]] = field(default_factory=dict)
    returns: list[tuple[Term, SymValue | None, Memory]] = field(default_factory=list)
    exhausted: list[Term] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accessor = Accessor(self.world, self.choices)
        self.instructions = Instructions(self.world, self.choices, self.accessor, self.is_target)
        self.backward = back_edges(self.function)
        if self.backward and not self.unroll:
            _, header = min(self.backward)
            raise UnsupportedError(f"loop at block %{header}: not unrolled")

    def run(self, arguments: Mapping[str, SymValue], undefined: Term) -> Encoding:
        self.undefined.append(undefined)
        start = self.accessor.start()
        order = _order(self.function, self.backward)
        blocks = {block.name: block for block in self.function.blocks}
        entry = order[0]
        for copy in range(self.unroll + 1 if self.backward else 1):
            for name in order:
                if name == entry and copy == 0:
                    state = _State(TRUE, start, dict(arguments))
                elif incoming := self.edges.get((name, copy)):
                    state = self._joined(incoming)
                    self._phis(blocks[name].instructions, incoming, state)
                else:
                    continue
                for instruction in blocks[name].instructions:
                    self.world.require_time()
                    if instruction.opcode != "phi":
                        self._step(instruction, state, name, copy)
        if self.returns:
            cases = [(path, memory) for path, _, memory in self.returns]
            memory = memories_merged(cases)
            results = [(path, value) for path, value, _ in self.returns if value is not None]
            result = merged(results) if results else None
        else:
            memory, result = start, None
        return Encoding(
            either(*self.undefined),
            result,
            memory,
            self.choices,
            tuple(self.accessor.accesses),
            tuple(self.accessor.doubts),
            either(*self.exhausted),
            bool(self.backward),
        )

    def _joined(self, incoming: list[_Edge]) -> _State:
        path = either(*(edge.path for edge in incoming))
        memory = memories_merged([(edge.path, edge.memory) for edge in incoming])
        if len(incoming) == 1 or not self.backward:
            # Without loops every value has one definition, which dominates its uses, so that one table serves all.
            return _State(path, memory, incoming[0].values if not self.backward else dict(incoming[0].values))
        names = set.intersection(*(set(edge.values) for edge in incoming))
        values: dict[str, SymValue] = {}
        for name in names:
            cases = [(edge.path, edge.values[name]) for edge in incoming]
            same = all(value is cases[0][1] for _, value in cases)
            values[name] = cases[0][1] if same else merged(cases)
        return _State(path, memory, values)

    def _phis(self, instructions: tuple[Instruction, ...], incoming: list[_Edge], state: _State) -> None:
        found: dict[str, SymValue] = {}
        for phi in instructions:
            if phi.opcode != "phi":
                break
            if phi.metadata and self.is_target:
                smt_attributes.refuse_unknown_metadata(phi)
            source = dict(zip(phi.labels, phi.operands, strict=True))
            cases = []
            for edge in incoming:
                if edge.before not in source:
                    raise UnsupportedError(f"phi %{phi.name} has no value for block %{edge.before}")
                cases.append((edge.path, self._operand(source[edge.before], edge.values)))
            found[phi.name] = merged(cases)
        state.values.update(found)

    def _operand(self, value: Value, values: Mapping[str, SymValue]) -> SymValue:
        if isinstance(value, Local):
            if value.name not in values:
                raise UnsupportedError(f"%{value.name} is used where it is not defined")
            return self.choices.used(values[value.name])
        return self.instructions.constant(value)

    def _step(self, instruction: Instruction, state: _State, block: str, copy: int) -> None:
        opcode = instruction.opcode
        operands = [self._operand(operand, state.values) for operand in instruction.operands]
        if opcode == "ret":
            self._return(operands, state)
        elif opcode == "br":
            if not operands:
                self._enter(instruction.labels[0], TRUE, state, block, copy)
                return
            condition = self._decided(operands[0], state)
            taken = is_set(condition)
            self._enter(instruction.labels[0], taken, state, block, copy)
            self._enter(instruction.labels[1], negation(taken), state, block, copy)
        elif opcode == "switch":
            self._switch(instruction, operands, state, block, copy)
        elif opcode == "unreachable":
            self.undefined.append(state.path)
        else:
            done = self.instructions.run(instruction, operands, state.memory, state.path)
            state.memory = done.memory
            if done.undefined is not FALSE:
                self.undefined.append(both(state.path, done.undefined))
            if instruction.name and done.value is not None:
                state.values[instruction.name] = done.value

    def _decided(self, value: SymValue, state: _State) -> Term:
        """A value that decides a branch: undefined behaviour where it is poison or undef."""
        assert isinstance(value, Scalar)
        settled, undef = self.choices.settled(value)
        bad = either(settled.poison, undef)
        if bad is not FALSE:
            self.undefined.append(both(state.path, bad))
        return settled.bits

    def _switch(self, instruction: Instruction, operands: list[SymValue], state: _State, block: str, copy: int) -> None:
        bits = self._decided(operands[0], state)
        default, *destinations = instruction.labels
        by_label: dict[str, list[Term]] = {}
        matched = []
        for case, label in zip(operands[1:], destinations, strict=True):
            assert isinstance(case, Scalar)
            here = bits == case.bits
            matched.append(here)
            by_label.setdefault(label, []).append(here)
        by_label.setdefault(default, []).append(negation(either(*matched)))
        for label, conditions in by_label.items():
            self._enter(label, either(*conditions), state, block, copy)

    def _enter(self, label: str, condition: Term, state: _State, block: str, copy: int) -> None:
        path = both(state.path, condition)
        if (block, label) in self.backward:
            copy += 1
            if copy > self.unroll:
                self.exhausted.append(path)
                return
        incoming = self.edges.setdefault((label, copy), [])
        for number, edge in enumerate(incoming):
            if edge.before == block and edge.values is state.values:  # both ways of one branch lead here
                incoming[number] = _under(edge, either(edge.path, path))
                return
        incoming.append(_Edge(block, path, state.memory, state.values))

    def _return(self, operands: list[SymValue], state: _State) -> None:
        if not operands:
            self.returns.append((state.path, None, state.memory))
            return
        attributes = self.function.return_attributes
        value = smt_attributes.restricted(attributes, operands[0])
        for lane in scalars(value):
            if lane.local:
                raise UnsupportedError(f"the address of alloca %{lane.local} is returned")
        if smt_attributes.noundef(attributes):
            fixed = []
            for lane in scalars(value):
                settled, undef = self.choices.settled(lane)
                bad = either(settled.poison, undef)
                if bad is not FALSE:
                    self.undefined.append(both(state.path, bad))
                fixed.append(replace(settled, poison=FALSE))
            value = _rebuilt(value, iter(fixed))
        if any(attribute.startswith("dereferenceable") for attribute in attributes):
            broken = smt_attributes.undefined_argument(attributes, value, self.world)
            self.undefined.append(both(state.path, broken))
        self.returns.append((state.path, value, state.memory))


def _rebuilt(value: SymValue, lanes: Iterator[Scalar]) -> SymValue:
    """The value's shape with other lanes."""
    if isinstance(value, Scalar):
        return next(lanes)
    return tuple(_rebuilt(part, lanes) for part in value)


def _under(edge: _Edge, path: Term) -> _Edge:
    """The edge under another condition."""
    return _Edge(edge.before, path, edge.memory, edge.values)


def encode(
    function: Function,
    world: World,
    choices: Choices,
    arguments: Mapping[str, SymValue],
    undefined: Term = FALSE,
    *,
    unroll: int = 0,
    is_target: bool = False,
) -> Encoding:
    """The function on these arguments; `undefined` is when entering it is undefined already.

    unroll: how many back edges are followed; 0: none.
    Raises UnsupportedError for what is not covered.
    Cost: a few terms for each instruction, for each copy of its block.
    """
    return _Walk(function, world, choices, unroll, is_target).run(arguments, undefined)
