"""Writes a program in Promela, the language of SPIN: one state of ours is one state there, one step one step."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from spec.ltl.formula import Formula, Operator, always, conjunction, eventually, implies, negation, proposition
from spec.model.enabled import TRUE, defined, disjunction, enabled, equal, in_range
from spec.model.enabled import conjunction as both
from spec.model.interval import interval
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Choice,
    Command,
    Constant,
    Element,
    Expression,
    Guard,
    Program,
    Raise,
    Read,
    Statement,
    Unary,
    reads,
)
from spec.model.vocabulary import PropositionError, refuse_unknown, vocabulary


class PromelaError(ValueError):
    """The program or the formula says something that Promela has no words for."""


class Export(NamedTuple):
    """A program in Promela.

    text: of the file. commands: from a line of it, counted from 1, to the number of the command that stands there; the
    line of the idle step has -1.
    """

    text: str
    commands: Mapping[int, int]


KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
        active assert atomic bit bool break byte chan cond_expr d_step d_step_do do else empty enabled end eval false
        fair fi for full get_priority goto hidden if in init inline int len local ltl mtype nempty never nfull not np_
        notrace od of pc_value pid print printf printm priority proctype provided return run select set_priority short
        show skip timeout trace true typedef unless unsigned xr xs D_proctype c_code c_decl c_expr c_state c_track
        always eventually until weakuntil stronguntil release implies equivalent next U V W X

        auto case char const continue default double enum extern float long register restrict signed sizeof static
        struct switch typeof union void volatile while asm now uchar uint ushort
        """,
    )
)
"""Words of Promela, and those of the C that SPIN makes of it, in which the names of variables stand as they are."""
INT = 2**31
"""Promela computes with ints of 32 bits."""


def promela(program: Program, formula: Formula | None = None, *, fair: Collection[int] = (), ltl: bool = False) -> str:
    """The text of `export`, whose first comment says how to run it.

    >>> from spec.model.program import Cell, Process
    >>> more = Assign(Read(0), Binary("+", Read(0), Constant(1)))
    >>> count = Command(0, 0, 0, (Guard(Binary("<", Read(0), Constant(2))), more), "n < 2 -> n++")
    >>> cells = Cell("n", 0, 2, 0), Cell("p@", 0, 0, 0, owner=0)
    >>> print(promela(Program("count", cells, (Process("p", 1, ("main",), frozenset({0})),), (count,))), end="")
    /* count: made from a model of m4alloc; every command of it is one step here.
     * spin -a -o1 -o2 -o3 FILE && gcc -O2 -DSAFETY -DNOCLAIM -DNOREDUCE -o pan pan.c && ./pan
     * (without -o1 -o2 -o3 and -DNOREDUCE SPIN leaves out states that it can do without) */
    <BLANKLINE>
    byte n = 0;
    <BLANKLINE>
    active proctype p() {
    end_0_main:
      if
      :: d_step { (n < 2) -> assert((n + 1) <= 2); n = n + 1; } goto end_0_main /* n < 2 -> n++ */
      fi
    }
    """
    return export(program, formula, fair=fair, ltl=ltl).text


def export(
    program: Program,
    formula: Formula | None = None,
    *,
    fair: Collection[int] = (),
    ltl: bool = False,
) -> Export:
    """The program in Promela, with a claim that a run breaks `formula` when there is one.

    Each process is a proctype and each location a label; a process that has come to its end stays there, a valid end
    state, so that no process is ever removed. Where the states of SPIN would carry more than ours they do not: with
    the options in the first comment `pan` stores exactly as many states as our own search of the program alone.
    The event cell is a variable that a process called idle clears, and while it is set no other can move. The tracked
    cell is the macro TRACKED: a run for each of its values (`spin -DTRACKED=1 -a FILE`) adds up to ours.
    A fault is an assertion that fails in its command.

    formula: over the predicates and events of the program; its negation becomes our own never claim, so X and the past
    are allowed. fair: numbers of processes scheduled weakly fairly: one that can move from some point on moves again
    (idle steps between do not matter). That is part of the claim, not SPIN's option -f, which would take a process to
    be unable to move whenever an event is shown. ltl: write the formula as an `ltl` block and let SPIN translate it.
    Raises: PromelaError for a name that the program does not have, numbers beyond 32 bits, `ltl` with X, N, M, a past
    operator or `fair`; TooLargeError when the formula has too large an automaton.
    Cost: linear in the program, and the translation of the formula.
    """
    return _Writer(program, formula, frozenset(fair), ltl).export()


class _Group(NamedTuple):
    """Cells first .. stop - 1: one array of Promela, or one variable; values are stored less `offset`."""

    name: str
    first: int
    stop: int
    offset: int
    array: bool
    owner: int


class _Writer:
    def __init__(self, program: Program, formula: Formula | None, fair: frozenset[int], ltl: bool) -> None:
        self.program, self.cells = program, program.cells
        self.formula, self.fair, self.ltl = formula, fair, ltl
        self.lines: list[str] = []
        self.commands: dict[int, int] = {}
        try:
            refuse_unknown(program, () if formula is None else formula.propositions)
        except PropositionError as error:
            raise PromelaError(str(error)) from None
        self.counters = {process.counter: number for number, process in enumerate(program.processes)}
        # What the claims look at has to be global. Whether there is a claim must not change the file otherwise.
        self.guards = [enabled(command.body, self.cells) for command in program.commands]
        looked_at = [expression for _, expression in program.predicates]
        looked_at += [guard for guard, c in zip(self.guards, program.commands, strict=True) if c.process in fair]
        self.public = {cell for expression in looked_at for cell in reads(expression)}
        self.public |= {program.processes[number].counter for number in fair}
        self.names = _Names(vocabulary(program))
        self.groups = self._groups()
        self.place = {cell: group for group in self.groups for cell in range(group.first, group.stop)}
        self.event = self.names.new("event") if program.event_cell is not None else ""
        self.last = self.names.new("last_mover") if fair else ""
        self.index = self.names.new("place")
        self.proctypes = [self.names.new(process.name) for process in program.processes]
        self.labels: list[list[str]] = []
        for process in program.processes:
            scope = _Names(self.names.taken)  # labels are names of their proctype's own
            self.labels.append(
                [
                    scope.new(f"{'end' if number in process.ends else 'at'}_{number}_{name}")
                    for number, name in enumerate(process.locations)
                ]
            )

    # -- cells

    def _groups(self) -> list[_Group]:
        """The variables: arrays where an index is computed, and whose they are."""
        program = self.program
        users: dict[int, set[int]] = {}
        spans: set[tuple[int, int]] = set()
        for command in program.commands:
            for expression in _expressions(command.body):
                for cell in reads(expression):
                    users.setdefault(cell, set()).add(command.process)
                spans |= set(_spans(expression))
        for _, expression in program.predicates:
            spans |= set(_spans(expression))
        merged: list[tuple[int, int]] = []
        for first, stop in sorted(spans):
            if merged and first < merged[-1][1]:
                merged[-1] = merged[-1][0], max(stop, merged[-1][1])
            else:
                merged.append((first, stop))
        inside = {cell for first, stop in merged for cell in range(first, stop)}
        merged += [(cell, cell + 1) for cell in range(len(self.cells)) if cell not in inside]
        read = set(users) | self.public
        groups = []
        for first, stop in sorted(merged):
            if first in (program.event_cell, program.tracked) or (first in self.counters and first not in read):
                continue
            cells = self.cells[first:stop]
            array = first in inside
            owners = {cell.owner for cell in cells}.union(*(users.get(cell, set()) for cell in range(first, stop)))
            local = len(owners) == 1 and -1 not in owners and self.public.isdisjoint(range(first, stop))
            local = local and first not in self.counters
            # Promela lists no negative number as an element's initial value.
            lowest = min(cell.low for cell in cells)
            offset = lowest if array and lowest < 0 and len({cell.initial for cell in cells}) > 1 else 0
            name = cells[0].name.rpartition("[")[0] if array else cells[0].name
            groups.append(_Group(self.names.new(name), first, stop, offset, array, owners.pop() if local else -1))
        return groups

    def _declaration(self, group: _Group) -> str:
        cells = self.cells[group.first : group.stop]
        kind = _type(min(c.low for c in cells) - group.offset, max(c.high for c in cells) - group.offset)
        values = [cell.initial - group.offset for cell in cells]
        same = len(set(values)) == 1
        size = f"[{len(cells)}]" if group.array else ""
        return f"{kind} {group.name}{size} = {values[0] if same else '{' + ', '.join(map(str, values)) + '}'};"

    # -- expressions

    def value(self, expression: Expression) -> str:
        """The value, in parentheses unless it is one word."""
        found = interval(expression, self.cells)
        if not found.within(-INT, INT - 1):
            raise PromelaError(f"numbers up to {max(-found.low, found.high)} are beyond the 32 bits of Promela's int")
        match expression:
            case Constant(value):
                return str(value) if value >= 0 else f"({value})"
            case Read(cell):
                return self._cell(cell)
            case Element(first, length, index):
                group = self.place[first]
                if self._looks_at(index, group):
                    # SPIN does not index an array with itself.
                    text, at = self._cell(first + length - 1), self.value(index)
                    for number in reversed(range(length - 1)):
                        text = f"({at} == {number} -> {self._cell(first + number)} : {text})"
                    return text
                return _plus(f"{group.name}[{_sum(self.value(index), first - group.first)}]", group.offset)
            case Unary(operator, operand):
                return f"({operator}{self.value(operand)})"
            case Binary(operator, left, right):
                return f"({self.value(left)} {operator} {self.value(right)})"
            case Choice(condition, then, otherwise):
                return f"({self.value(condition)} -> {self.value(then)} : {self.value(otherwise)})"

    def _cell(self, cell: int) -> str:
        if cell == self.program.tracked:
            return "TRACKED"
        if cell == self.program.event_cell:
            return self.event
        group = self.place[cell]
        return _plus(f"{group.name}[{cell - group.first}]", group.offset) if group.array else group.name

    # -- commands

    def _command(self, number: int) -> str:
        """The option that is the command: what it waits for, then all that it does, then where it goes."""
        command, guard = self.program.commands[number], self.guards[number]
        waits = self.value(guard) if guard != TRUE else ""
        if self.event:
            waits = f"({self.event} == 0 && {waits})" if waits else f"({self.event} == 0)"
        does = [text for statement in self._statements(command) for text in statement]
        # A step may raise no event and change nothing, but something has to stand here.
        first = f"{waits} -> " if waits and does else waits or ("" if does else "skip")
        step = f"d_step {{ {first}{' '.join(f'{text};' for text in does)} }}"
        comment = command.text.replace("*/", "* /").replace("\n", " ")
        shown = f" /* {comment} */" if comment else ""
        return f"  :: {step} goto {self.labels[command.process][command.target]}{shown}"

    def _statements(self, command: Command) -> Iterator[list[str]]:
        raised = _Raised(self.program)
        for statement in _joined(command.body):
            match statement:
                case Guard(condition):
                    # That it is true has been looked at before; a guard that fails lets its command begin, and fail.
                    yield self._assert(defined(condition, self.cells))
                case Assert(condition, _):
                    yield self._assert(both(defined(condition, self.cells), condition))
                case (frozenset() as events, condition):
                    yield self._assert(defined(condition, self.cells))
                    yield [f"{self.event} = {raised.step(events, condition, self)}"]
                case Assign(target, value):
                    yield self._assert(both(defined(value, self.cells), defined(target, self.cells)))
                    yield self._assert(in_range(target, value, self.cells))
                    yield self._assign(target, value)
        counter = self.program.processes[command.process].counter
        if counter in self.place and command.source != command.target:
            yield [f"{self.place[counter].name} = {command.target}"]
        if self.last:
            yield [f"{self.last} = {command.process}"]

    def _assert(self, condition: Expression) -> list[str]:
        return [] if condition == TRUE else [f"assert({_bare(self.value(condition))})"]

    def _assign(self, target: Read | Element, value: Expression) -> list[str]:
        if isinstance(target, Read):
            if target.cell in (self.program.tracked, self.program.event_cell) or target.cell in self.counters:
                raise PromelaError(f"a command gives {self.cells[target.cell].name} a value, which is not its to give")
            group = self.place[target.cell]
            place = f"{group.name}[{target.cell - group.first}]" if group.array else group.name
            return [f"{place} = {self._stored(value, group)}"]
        group = self.place[target.first]
        place, before = self.value(target.index), []
        if self._looks_at(target.index, group):
            before = [f"{self.index} = {place}"]
            place = self.index
        shift = target.first - group.first
        return [*before, f"{group.name}[{_sum(place, shift)}] = {self._stored(value, group)}"]

    def _stored(self, value: Expression, group: _Group) -> str:
        if isinstance(value, Constant):
            return _bare(self.value(Constant(value.value - group.offset)))
        return _bare(_plus(self.value(value), -group.offset))

    def _looks_at(self, index: Expression, group: _Group) -> bool:
        return any(self.place.get(cell) is group for cell in reads(index))

    # -- the file

    def export(self) -> Export:
        program, put = self.program, self.lines.append
        put(f"/* {program.name}: made from a model of m4alloc; every command of it is one step here.")
        for line in _how(self.formula is not None, program.tracked is not None):
            put(line)
        put("")
        if program.tracked is not None:
            cell = self.cells[program.tracked]
            self.lines += ["#ifndef TRACKED", f"#define TRACKED {cell.low} /* to {cell.high} */", "#endif", ""]
        shared = [self._declaration(group) for group in self.groups if group.owner < 0]
        if self.event:
            kind = _type(0, max(2, 2 * len(program.event_letters)))
            shared.append(f"{kind} {self.event} = 0; /* {self._letters()} */")
        if self.last:
            shared.append(f"{_type(0, len(program.processes))} {self.last} = {len(program.processes)};")
        indices = [
            (one.target.first, one.target.index)
            for command in program.commands
            for one in command.body
            if isinstance(one, Assign) and isinstance(one.target, Element)
        ]
        if any(self._looks_at(index, self.place[first]) for first, index in indices):
            shared.append(f"hidden int {self.index}; /* of the element that a step is about to change */")
        self.lines += [*shared, ""] if shared else []
        for number in range(len(program.processes)):
            self._proctype(number)
        if self.event:
            idle = self.names.new("idle")
            self.lines += [f"active proctype {idle}() {{", f"end_{idle}:", "  if"]
            put(f"  :: d_step {{ {self.event} != 0 -> {self.event} = 0; }} goto end_{idle}")
            self.commands[len(self.lines)] = -1
            self.lines += ["  fi", "}"]
        if self.formula is not None:
            self._claim(self.formula)
        return Export("\n".join(self.lines).rstrip() + "\n", self.commands)

    def _letters(self) -> str:
        shown = (" ".join(sorted(letter)) for letter in self.program.event_letters[1:])
        return ", ".join(f"{number}: {names}" for number, names in enumerate(shown, 1))

    def _proctype(self, number: int) -> None:
        process = self.program.processes[number]
        self.lines.append(f"active proctype {self.proctypes[number]}() {{")
        self.lines += [f"  {self._declaration(group)}" for group in self.groups if group.owner == number]
        first = self.cells[process.counter].initial
        for location in sorted(range(len(process.locations)), key=lambda place: (place != first, place)):
            here = [
                index
                for index, command in enumerate(self.program.commands)
                if (command.process, command.source) == (number, location)
            ]
            label = self.labels[number][location]
            if not here:
                self.lines.append(f"{label}: false;")
                continue
            self.lines += [f"{label}:", "  if"]
            for index in here:
                self.lines.append(self._command(index))
                self.commands[len(self.lines)] = index
            self.lines.append("  fi;")
        self.lines[-1] = self.lines[-1].rstrip(";")
        self.lines += ["}", ""]

    # -- the claim

    def _claim(self, formula: Formula) -> None:
        from spec.ltl.never import never_claim
        from spec.ltl.printer import Spelling, show
        from spec.ltl.translate import buchi

        fairness = {proposition(f"fair {number}"): self._fair(number) for number in sorted(self.fair)}
        if self.ltl:
            if self.fair:
                raise PromelaError("fairness is part of our own never claim; an ltl block cannot say it")
            wrong = _operators(formula) & NOT_IN_SPIN
            if wrong:
                signs = ", ".join(sorted(operator.value for operator in wrong))
                raise PromelaError(f"SPIN does not know {signs}; without `ltl` the formula becomes our own never claim")
        whole = implies(conjunction(*(always(eventually(one)) for one in fairness)), formula) if fairness else formula
        macros = {name: self.names.new(f"p_{name}") for name in sorted(whole.propositions)}
        self.lines.append("")
        for name, macro in macros.items():
            meaning = fairness.get(proposition(name)) or self._meaning(name)
            self.lines.append(f"#define {macro} ({meaning})")
        if self.ltl:
            shown = show(_renamed(whole, macros), Spelling.SPIN)
            self.lines.append(f"ltl {self.names.new('property')} {{ {shown} }}")
        else:
            self.lines += never_claim(buchi(negation(whole)), macros).rstrip().split("\n")

    def _meaning(self, name: str) -> str:
        numbers = [number for number, letter in enumerate(self.program.event_letters) if name in letter]
        parts = [f"{self.event} == {number}" for number in numbers]
        parts += [self.value(expression) for known, expression in self.program.predicates if known == name]
        return _bare(parts[0]) if len(parts) == 1 else " || ".join(parts) or "0"

    def _fair(self, number: int) -> str:
        """That the process has just moved, or could not move if no event were shown."""
        counter = self.program.processes[number].counter
        can: Expression = Constant(0)
        for guard, command in zip(self.guards, self.program.commands, strict=True):
            if command.process == number:
                can = disjunction(can, both(equal(Read(counter), Constant(command.source)), guard))
        return f"{self.last} == {number} || !{self.value(can)}"


NOT_IN_SPIN = frozenset(
    {
        Operator.NEXT,
        Operator.WEAK_NEXT,
        Operator.STRONG_RELEASE,
        Operator.YESTERDAY,
        Operator.WEAK_YESTERDAY,
        Operator.SINCE,
        Operator.TRIGGER,
        Operator.ONCE,
        Operator.HISTORICALLY,
    }
)
"""Operators that SPIN as it is packaged does not read."""


class _Raised:
    """Which events a command has raised so far, in terms of the event variable."""

    def __init__(self, program: Program) -> None:
        self.letters = list(program.event_letters)
        self.sets: list[frozenset[str]] = [frozenset()]

    def step(self, events: frozenset[str], condition: Expression, writer: _Writer) -> str:
        """The new value of the event variable when these events are raised on that condition."""
        before, after = self.sets, [letter | events for letter in self.sets]
        if condition == TRUE:
            self.sets = list(dict.fromkeys(after))
            return self._moved(before, after, writer)
        self.sets = list(dict.fromkeys([*before, *after]))
        return f"({writer.value(condition)} -> {self._moved(before, after, writer)} : {writer.event})"

    def _moved(self, before: list[frozenset[str]], after: list[frozenset[str]], writer: _Writer) -> str:
        if len(before) == 1:
            return str(self._number(after[0]))
        text = writer.event
        for old, new in zip(before, after, strict=True):
            if old != new:
                text = f"({writer.event} == {self._number(old)} -> {self._number(new)} : {text})"
        return text

    def _number(self, letter: frozenset[str]) -> int:
        """The number of a letter; sets that are raised in part have numbers beyond, which no state shows."""
        if letter not in self.letters:
            self.letters.append(letter)
        return self.letters.index(letter)


class _Names:
    """Identifiers of Promela, each given once, none of them a keyword or the name of a proposition."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = {*taken, *KEYWORDS, "TRACKED"}

    def new(self, wanted: str) -> str:
        name = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_") or "x"
        name = name if name[0].isalpha() or name[0] == "_" else f"x_{name}"
        if name.isupper():
            name += "_"  # so many macros of the generated C are
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def _how(claim: bool, tracked: bool) -> Iterator[str]:
    define = " -DTRACKED=0" if tracked else ""
    if claim:
        yield f" * spin{define} -a -o1 -o2 -o3 FILE && gcc -O2 -DNOREDUCE -o pan pan.c && ./pan -a -E */"
        return
    safety = "-DSAFETY -DNOCLAIM -DNOREDUCE"
    yield f" * spin{define} -a -o1 -o2 -o3 FILE && gcc -O2 {safety} -o pan pan.c && ./pan"
    yield " * (without -o1 -o2 -o3 and -DNOREDUCE SPIN leaves out states that it can do without) */"


def _plus(text: str, number: int) -> str:
    return text if number == 0 else f"({text} {'+' if number > 0 else '-'} {abs(number)})"


def _bare(text: str) -> str:
    """What `_Writer.value` has made, without the parentheses around the whole, which a conditional needs."""
    return text[1:-1] if text[0] == "(" and " -> " not in text else text


def _sum(text: str, number: int) -> str:
    return f"{text} + {number}" if number else text


def _type(low: int, high: int) -> str:
    """The smallest type of Promela for low .. high."""
    if low < -INT or high >= INT:
        raise PromelaError(f"numbers from {low} to {high} are beyond the 32 bits of Promela's int")
    if low >= 0 and high <= 1:
        return "bit"
    if low >= 0 and high <= 255:
        return "byte"
    return "short" if low >= -(2**15) and high < 2**15 else "int"


def _joined(body: Iterable[Statement]) -> Iterator[Guard | Assert | Assign | tuple[frozenset[str], Expression]]:
    """The statements; events raised on one condition together."""
    for _, group in groupby(body, lambda one: one.condition if isinstance(one, Raise) else id(one)):
        several = list(group)
        if isinstance(several[0], Raise):
            yield frozenset(one.event for one in several if isinstance(one, Raise)), several[0].condition
        else:
            yield from (one for one in several if not isinstance(one, Raise))


def _expressions(body: Iterable[Statement]) -> Iterator[Expression]:
    for statement in body:
        match statement:
            case Guard(condition) | Assert(condition, _) | Raise(_, condition):
                yield condition
            case Assign(target, value):
                yield target
                yield value


def _spans(expression: Expression) -> Iterator[tuple[int, int]]:
    """The ranges of cells that are indexed."""
    match expression:
        case Element(first, length, index):
            yield first, first + length
            yield from _spans(index)
        case Unary(_, operand):
            yield from _spans(operand)
        case Binary(_, left, right):
            yield from _spans(left)
            yield from _spans(right)
        case Choice(condition, then, otherwise):
            for part in (condition, then, otherwise):
                yield from _spans(part)


def _operators(formula: Formula) -> set[Operator]:
    from spec.ltl.formula import subformulas

    return {part.operator for part in subformulas(formula)}


def _renamed(formula: Formula, names: Mapping[str, str]) -> Formula:
    from spec.ltl.formula import make, subformulas

    built: dict[Formula, Formula] = {}
    for part in subformulas(formula):
        if part.operator is Operator.PROPOSITION:
            built[part] = proposition(names[part.name])
        else:
            built[part] = make(part.operator, tuple(built[operand] for operand in part.operands))
    return built[formula]
