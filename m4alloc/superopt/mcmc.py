"""Stochastic search: Metropolis-Hastings over programs, from nothing towards the tests and from the source downhill."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Final

from m4alloc.superopt import mutate, simplify
from m4alloc.superopt.ir import VOID, Block, Function, Instruction, Int, Local, Value, canonical, constant
from m4alloc.superopt.problem import Judge, Step

IDLE: Final = 2000
"""Mutations in a row that give nothing to propose, after which the search ends."""


@dataclass(frozen=True, slots=True)
class State:
    """Where the chain is: the program, its energy, the programs that led to it and were right on every test, and the
    mutations since the last of them."""

    function: Function
    energy: float
    steps: tuple[Step, ...]
    since: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mcmc:
    """Search as STOKE does (Schkufza, Sharma and Aiken, 2013), in rounds of two kinds that take turns.

    Optimisation begins at the best so far, synthesis at a random program of the source's signature, at most as large.
    Energy: instructions that something depends on, plus `mismatch` instructions for a program that is wrong on every
    test. A proposal with a higher energy is accepted by exp(-difference / temperature), and the temperature falls from
    `hot` to `cold` in each round. round: proposals of the first pair of rounds; later ones are longer by half.
    longest: steps that are remembered as the way to a program; one leads from a program that is right on every test to
    the next, by however many mutations.
    """

    mismatch: float = 12.0
    hot: float = 1.5
    cold: float = 0.25
    round: int = 400
    longest: int = 40
    name: str = "mcmc"

    def run(self, judge: Judge, seed: int) -> None:
        """Search until the budget is spent, or IDLE mutations in a row give nothing that could be proposed."""
        chain = _Chain(self, judge, random.Random(seed))
        for function in (judge.problem.source, *judge.problem.seeds):
            cleaned = simplify.cleaned(function)
            judge.offer(cleaned, self.name, (Step("clean", "the function", cleaned),))
        length = self.round
        while not judge.budget.is_spent and chain.idle < IDLE:
            chain.round(chain.from_best(), length)
            if can_be_made(judge.problem.source) and not judge.budget.is_spent and chain.idle < IDLE:
                chain.round(chain.from_nothing(), length)
            length += length // 2


def live_size(function: Function) -> int:
    """Instructions that the result, memory or control flow depends on; returns are not counted.

    >>> from m4alloc.superopt.parse import parse_function
    >>> live_size(parse_function("define i8 @f(i8 %x) { %a = add i8 %x, 1 %b = mul i8 %x, 3 ret i8 %a }"))
    1
    """
    definitions = function.definitions()
    todo = [one for one in function if not one.is_pure and one.opcode not in ("phi", "load", "alloca")]
    live = {id(one) for one in todo}
    while todo:
        for operand in todo.pop().operands:
            if isinstance(operand, Local) and (one := definitions.get(operand.name)) and id(one) not in live:
                live.add(id(one))
                todo.append(one)
    return sum(one.opcode != "ret" and id(one) in live for one in function)


def can_be_made(source: Function) -> bool:
    """A program without memory or branches may do the same: it gives an integer and touches nothing."""
    touches = any(one.opcode in ("store", "opaque") or (one.opcode == "call" and not one.is_pure) for one in source)
    return isinstance(source.type, Int) and not touches


class _Chain:
    def __init__(self, search: Mcmc, judge: Judge, rng: random.Random) -> None:
        self.search, self.judge, self.rng = search, judge, rng
        self.pool = mutate.pool_of(judge.problem.source)
        self.seen: set[Function] = set()
        self.idle = 0

    def from_best(self) -> State:
        best = self.judge.best
        return State(best.function, live_size(best.function), best.steps)

    def from_nothing(self) -> State:
        """A program that gives an argument or a constant, mutated as often as the best has instructions."""
        source = self.judge.problem.source
        values: list[Value] = [one.value for one in source.arguments if one.type == source.type]
        if isinstance(source.type, Int):
            values += [constant(source.type, number) for number in (0, 1, -1)]
        ret = Instruction("ret", VOID, (self.rng.choice(values),))
        function = replace(source, blocks=(Block(source.blocks[0].name, (ret,)),))
        for _ in range(self.judge.best.function.size):
            step = self.mutated(function)
            function = function if step is None else step.result
        wrong = 1.0 - self.judge.agreement(function)
        return State(function, live_size(function) + self.search.mismatch * wrong, (), ("begin anew",))

    def mutated(self, function: Function) -> Step | None:
        """One mutation, or None where it gives nothing or something larger than the source and a little."""
        try:
            _, step = mutate.mutated(function, self.rng, self.pool)
        except ValueError:
            return None
        most = self.judge.problem.source.size + 2
        return None if step.result == function or step.result.size > most else step

    def round(self, state: State, length: int) -> None:
        """Proposals from this state on while the temperature falls; what agrees with every test is offered."""
        search, budget = self.search, self.judge.budget
        for number in range(length):
            if budget.is_spent or self.idle >= IDLE:
                return
            step = self.mutated(state.function)
            if step is None:
                self.idle += 1
                continue
            self.idle = 0
            temperature = search.hot * (search.cold / search.hot) ** (number / length)
            # What decides is drawn first: what cannot be accepted even when it is right needs no test.
            worst = state.energy - temperature * math.log(1.0 - self.rng.random())
            size = live_size(step.result)
            if size > worst:
                budget.used += 1
                self.judge.tally.proposed += 1
                self.judge.tally.not_cheaper += 1
                continue
            agreement = self.judge.agreement(step.result)
            if agreement == 1.0 and size <= self.judge.best.cost.ir and self.is_refused(state, step):
                agreement = self.judge.agreement(step.result)  # the tests may have learned why
            energy = size + search.mismatch * (1.0 - agreement)
            if energy <= worst:
                since = (*state.since, step.rule)
                if agreement == 1.0:
                    state = State(step.result, energy, (*state.steps, _merged(since, step))[-search.longest :])
                else:
                    state = State(step.result, energy, state.steps, since)

    def is_refused(self, state: State, step: Step) -> bool:
        """Offer what is right on every test, unless it was before; true when the judge did not take it."""
        cleaned = simplify.cleaned(step.result)
        known = canonical(cleaned)
        if known in self.seen:
            return False
        self.seen.add(known)
        steps = (*state.steps, replace(_merged((*state.since, step.rule), step), result=cleaned))
        return self.judge.offer(cleaned, self.search.name, steps) is None


def _merged(mutations: tuple[str, ...], last: Step) -> Step:
    """One step for all mutations between two programs that are right."""
    if len(mutations) == 1:
        return last
    told = f"{len(mutations)} mutations, the last: {last.rule}"
    return Step(told, last.at, last.result)
