"""Gate 2: the small model that is made from a strategy's shape, explored to its end, asked for the promised wait.

The promise of a real strategy, say 16 frees, has too many states to exhaust. What is explored is the same mechanism
with small numbers that stand to one another as the real ones do: a line that keeps its promise keeps it in the small
model, one that is too short is too short there, and a quarantine that gives out any of its slots still does.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from m4alloc.strategy import Strategy
from m4alloc.tune.prove_result import MODEL, GateResult
from m4alloc.tune.security import Floor
from m4alloc.tune.security_sizes import slot_wait
from m4alloc.view.quantity import number, plural
from spec.ltl.formula import Formula
from spec.ltl.parser import parse
from spec.model.counterexample import show
from spec.model.execution import Execution
from spec.model.generated import PROPERTIES, generated
from spec.model.program import (
    Assign,
    Binary,
    Choice,
    Constant,
    Program,
    Raise,
    Read,
    Statement,
)
from spec.model.search import check
from spec.model.shape import Shape
from spec.model.system import Result, Verdict
from spec.properties import REPORTED
from spec.property import Kind

FREES = "[](access -> <>free) && [](malloc -> <>access)"
"""What is assumed of the clients where a property needs that they free."""
LARGEST = 2
"""The length of each of the two lines in a small model at most: longer ones behave no differently, only later."""
FEW = 20_000
"""States up to which the readable search is the faster one: the compiled one has to be compiled."""
MOST = 2_000_000
"""States of one search at most."""
UNDECIDED = "not decided: "
"""How the line of a model begins that was not explored to its end."""


@dataclass(frozen=True, slots=True)
class Question:
    """A small model and what is asked of it. promised: frees that a freed slot has to wait for, in its numbers."""

    shape: Shape
    promised: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the search of one small model came to. violated: the property; run: what shows it, in words."""

    verdict: Verdict
    states: int
    depth: int
    properties: int
    violated: str = ""
    run: str = ""


def model_gate(strategy: Strategy, floor: Floor, seconds: float) -> GateResult:
    """Explore small models of the strategy, from one thread to two threads and two classes, within `seconds`.

    HOLDS: the first was explored to its end, and so were the others that the detail names. Models are remembered by
    shape and promise in this process, so that many candidates cost one search.
    Cost: 0.1 s for the two smaller models; up to some seconds for the third.
    """
    began = time.monotonic()
    size, promised = weakest(strategy, floor)
    real = strategy.shape(slot_size=size)
    said: list[str] = []
    for asked in questions(real, promised):
        left = seconds - (time.monotonic() - began)
        answer = answered(asked) if left > 0 else None
        if answer is None or answer.verdict is Verdict.EXHAUSTED:
            why = "no time was left" if answer is None else f"more than {number(MOST)} states"
            said.append(f"{_scope(asked)}: {UNDECIDED}{why}")
            break
        if answer.verdict is Verdict.VIOLATED:
            head = f"{answer.violated} is violated: {_promise(real, promised, size)}; {_scaled(asked, promised)}"
            return GateResult(
                name=MODEL,
                verdict=Verdict.VIOLATED,
                seconds=time.monotonic() - began,
                detail=f"{head}; {plural(answer.states, 'state')}",
                counterexample=answer.run,
            )
        said.append(f"{_scope(asked)}: {plural(answer.states, 'state')}, depth {number(answer.depth)}")
    undecided = UNDECIDED in said[0]
    count = 0 if undecided else answered(next(questions(real, promised))).properties
    head = f"{plural(count, 'property', 'properties')}; {_promise(real, promised, size)}"
    return GateResult(
        name=MODEL,
        verdict=Verdict.EXHAUSTED if undecided else Verdict.HOLDS,
        seconds=time.monotonic() - began,
        detail=f"{head}; {_scaled(next(questions(real, promised)), promised)}; {'; '.join(said)}",
    )


def weakest(strategy: Strategy, floor: Floor) -> tuple[int, int]:
    """The slot size at which the promise is hardest to keep, and what is promised there, in frees.

    Without a promise asked for, what the strategy promises itself.

    >>> weakest(Strategy(), Floor()), weakest(Strategy(), Floor(promise=32, up_to=4000))
    ((1024, 16), (4096, 32))
    """
    own = strategy.quarantine_length
    within = floor.asked_of(strategy)
    if floor.promise and within:
        worst = min(within, key=lambda size: (slot_wait(strategy, size), -size))
        if slot_wait(strategy, worst) < max(floor.promise, own):
            return worst, floor.promise
    kept = [size for size in strategy.classes if slot_wait(strategy, size) >= own]
    return (kept[-1] if kept else strategy.classes[0]), own


def questions(real: Shape, promised: int) -> Iterator[Question]:
    """The small models that stand for a shape, smallest first.

    >>> [(one.shape.slots, one.shape.threads, one.promised) for one in questions(Shape(delay_line=16), 16)]
    [(5, 1, 2), (4, 2, 2), (2, 2, 1)]
    >>> next(questions(Shape(delay_line=8), 16)).promised
    3
    """
    for longest, more, sizes, threads in ((LARGEST, 3, 1, 1), (LARGEST, 2, 1, 2), (1, 1, 2, 2)):
        pool = min(real.quarantine, longest)
        line = min(real.delay_line, 1 if pool else longest)
        if threads > 1 and line:
            pool = min(pool, 1)
        if sizes > 1 and not real.quarantine_random:
            line, pool = min(line + pool, 1), 0  # two ordered lines, one after the other, are a longer one
        small = replace(real, delay_line=line, quarantine=pool)
        asked = small.wait + (promised > real.wait) if promised else 0
        slots = small.wait + (min(more, 2) if pool and not real.quarantine_random else more)
        yield Question(replace(small, slots=slots, sizes=sizes, threads=threads, clients=threads), asked)


@cache
def answered(asked: Question) -> Answer:
    """Search one small model for a run that violates any of the properties. Cost: by the model; remembered.

    >>> answered(Question(Shape(slots=4, delay_line=1), 1)).verdict, answered(Question(Shape(slots=4), 1)).violated
    (<Verdict.HOLDS: 'HOLDS'>, 'no_early_reuse')
    """
    program = held_to(asked.shape, asked.promised)
    states, depth, asked_of = 0, 0, list(_formulas(program))
    for name, formula, assumed in asked_of:
        result = _searched(program, formula, assumed)
        states, depth = max(states, result.states), max(depth, result.depth)
        if result.verdict is Verdict.VIOLATED:
            path = result.counterexample
            run = "" if path is None else show(Execution(program), path)
            return Answer(Verdict.VIOLATED, result.states, result.depth, len(asked_of), name, run)
        if result.verdict is Verdict.EXHAUSTED:
            return Answer(Verdict.EXHAUSTED, result.states, result.depth, len(asked_of))
    return Answer(Verdict.HOLDS, states, depth, len(asked_of))


def _formulas(program: Program) -> Iterator[tuple[str, Formula | None, tuple[Formula, ...]]]:
    """What a generated model is asked: no deadlock, its own properties, and those of the library that speak of it."""
    yield "deadlock", None, ()
    for name, text in PROPERTIES.items():
        yield name, parse(text), ((parse(FREES),) if name == "freed_eventually" else ())
    raised = frozenset[str]().union(*program.event_letters)
    for one in REPORTED:
        if one.kind is Kind.SAFETY and one.formula.propositions <= raised:
            yield one.name, one.formula, ()


def _searched(program: Program, formula: Formula | None, assumed: tuple[Formula, ...]) -> Result:
    """The answer of the readable search while it is small, else of the compiled one where there is one."""
    compiles = all(importlib.util.find_spec(name) is not None for name in ("numba", "llvmlite"))
    few = FEW if compiles else MOST
    result = check(Execution(program), formula, assumptions=assumed, states=few)
    if result.verdict is not Verdict.EXHAUSTED or not compiles or result.reason == "interrupted":
        return result
    from m4alloc.model import compiled

    return compiled.check(program, formula, assumptions=assumed, states=MOST)


def held_to(shape: Shape, promised: int) -> Program:
    """The model of a shape, with its proposition `early` meaning: before `promised` others of the class were freed.

    As it is generated a model is held to the wait that its own lines have, which it cannot break.

    >>> check(Execution(held_to(Shape(slots=3), 1)), parse(PROPERTIES["no_early_reuse"])).verdict
    <Verdict.VIOLATED: 'VIOLATED'>
    """
    made = generated(shape)
    program = made.program
    names = [cell.name for cell in program.cells]
    since, tracked = names.index("since"), names.index("tracked")
    cells = list(program.cells)
    cells[since] = cells[since]._replace(high=max(1, promised), initial=promised)
    commands = []
    for command, action in zip(program.commands, made.actions, strict=True):
        mine = Binary("==", Read(tracked), Constant(action.slot))
        body: list[Statement] = []
        for statement in command.body:
            if isinstance(statement, Assign) and statement.target == Read(since):
                continue
            if isinstance(statement, Raise) and statement.event == "early":
                statement = Raise("early", Binary("&&", mine, Binary("<", Read(since), Constant(promised))))
            body.append(statement)
        if action.kind == "free":
            first = action.slot // shape.slots * shape.slots
            within = Binary(
                "&&",
                Binary(">=", Read(tracked), Constant(first)),
                Binary("<", Read(tracked), Constant(first + shape.slots)),
            )
            older = Choice(
                Binary("<", Read(since), Constant(promised)), Binary("+", Read(since), Constant(1)), Read(since)
            )
            aged = Choice(mine, Constant(0), Choice(within, older, Read(since)))
            body.insert(1, Assign(Read(since), aged))
        commands.append(command._replace(body=tuple(body)))
    return replace(program, cells=tuple(cells), commands=tuple(commands))


def _promise(real: Shape, promised: int, size: int) -> str:
    """What is promised, and what there is to keep it, in the numbers of the strategy."""
    lines = f"a delay line of {real.delay_line}"
    if real.quarantine:
        lines += f" and a {'random ' if real.quarantine_random else ''}quarantine of {real.quarantine}"
    return f"{plural(promised, 'free')} promised for slots of {number(size)} bytes, {lines}"


def _scaled(asked: Question, promised: int) -> str:
    """How the small model stands for the real one."""
    shape = asked.shape
    if asked.promised == promised:
        return "at full length"
    lines = f"{shape.delay_line} + {shape.quarantine}" if shape.quarantine else str(shape.delay_line)
    return f"scaled to {plural(asked.promised, 'free')} promised, lines of {lines}"


def _scope(asked: Question) -> str:
    """The size of a small model."""
    shape = asked.shape
    classes = f"{plural(shape.sizes, 'class', 'classes')} of {plural(shape.slots, 'slot')}"
    return f"{plural(shape.threads, 'thread')}, {classes}"
