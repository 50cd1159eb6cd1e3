"""What the questions of `m4alloc.ltl` answer: reports that print themselves, as text and as plain data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from m4alloc.view.quantity import plural
from m4alloc.view.text import table
from spec.ltl.automaton import Automaton
from spec.ltl.classify import Classes
from spec.ltl.cover import label_formula
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, depth
from spec.ltl.intersection import nonempty
from spec.ltl.monitor import Monitor
from spec.ltl.printer import Spelling, readable_by_spin, readable_by_spot, show
from spec.ltl.truth import FourTruth
from spec.ltl.word import Word, show_letter

ROWS = 500
"""Rows of a table in the text; JSON has the whole."""


class LogicReport(ABC):
    """What every report has: the command that makes it, whether its answer is yes, its text, its plain data."""

    __slots__ = ()
    command: ClassVar[str]

    @property
    def holds(self) -> bool:
        """Whether the answer is yes; reports that answer no question are True."""
        return True

    @property
    def exit_status(self) -> int:
        """0 for yes, 1 for no."""
        return 0 if self.holds else 1

    @abstractmethod
    def lines(self) -> list[str]:
        """The report as text."""

    def _repr_html_(self) -> str:
        """For notebooks: the text; of an automaton or a monitor its picture too."""
        from spec.picture import lines

        drawn = getattr(self, "automaton", None) or getattr(self, "monitor", None)
        return lines(self.lines()) + (drawn._repr_html_() if drawn is not None else "")

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """What is particular to the report, as plain data."""

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, with the schema's name."""
        head = {"schema": "m4alloc/1", "verb": "ltl", "command": self.command, "exit_status": self.exit_status}
        return {**head, **self.fields()}


def _word_json(word: Word | None) -> dict[str, Any] | None:
    if word is None:
        return None
    letters = {name: [sorted(letter) for letter in part] for name, part in zip(("prefix", "cycle"), word, strict=True)}
    return {"text": str(word), **letters}


@dataclass(frozen=True, slots=True)
class ParseReport(LogicReport):
    """A formula in every spelling, its normal form, simplified, and what kind of property it is."""

    command: ClassVar[str] = "parse"
    formula: Formula
    normal: Formula
    simplified: Formula
    classes: Classes

    @property
    def spellings(self) -> dict[str, str]:
        """The text of the formula by the name of each spelling; without N, which neither SPIN nor Spot knows, nor M."""
        texts = {spelling.value: show(self.formula, spelling) for spelling in Spelling}
        spin, spot = readable_by_spin(self.formula)[0], readable_by_spot(self.formula)[0]
        return {**texts, "spin": show(spin, Spelling.SPIN), "spot": show(spot, Spelling.SPOT)}

    @property
    def unread_by_spin(self) -> tuple[str, ...]:
        """What is in the spelling for SPIN that it cannot read as Debian packages it."""
        return readable_by_spin(self.formula)[1]

    def lines(self) -> list[str]:
        names = ", ".join(sorted(self.formula.propositions)) or "none"
        rows = {
            **self.spellings,
            "normal form": str(self.normal),
            "simplified": str(self.simplified),
            "propositions": names,
            "size": f"{self.formula.size} nodes, depth {depth(self.formula)}{', with past' * self.formula.past}",
            "class": _class_line(self.classes),
        }
        if self.unread_by_spin:
            rows["spin"] += f"  (SPIN does not read {', '.join(self.unread_by_spin)}: take `translate --never`)"
        if past := readable_by_spot(self.formula)[1]:
            rows["spot"] += f"  (Spot does not read {', '.join(past)}: take `translate --hoa`)"
        return [f"{name:<14}{text}" for name, text in rows.items()]

    def fields(self) -> dict[str, Any]:
        return {
            "formula": str(self.formula),
            "spellings": self.spellings,
            "unread_by_spin": list(self.unread_by_spin),
            "negation_normal_form": str(self.normal),
            "simplified": str(self.simplified),
            "propositions": sorted(self.formula.propositions),
            "size": self.formula.size,
            "depth": depth(self.formula),
            "past": self.formula.past,
            "class": self.classes.name,
            "classes": _classes_json(self.classes),
        }


@dataclass(frozen=True, slots=True)
class SatReport(LogicReport):
    """Whether a formula is true of some infinite word, with one."""

    command: ClassVar[str] = "sat"
    formula: Formula
    witness: Word | None

    @property
    def holds(self) -> bool:
        return self.witness is not None

    def lines(self) -> list[str]:
        return ["unsatisfiable" if self.witness is None else f"satisfiable, by {self.witness}"]

    def fields(self) -> dict[str, Any]:
        return {"formula": str(self.formula), "satisfiable": self.holds, "witness": _word_json(self.witness)}


@dataclass(frozen=True, slots=True)
class ValidReport(LogicReport):
    """Whether a formula is true of every infinite word, with one of which it is not."""

    command: ClassVar[str] = "valid"
    formula: Formula
    counterexample: Word | None

    @property
    def holds(self) -> bool:
        return self.counterexample is None

    def lines(self) -> list[str]:
        return ["valid" if self.holds else f"not valid: false of {self.counterexample}"]

    def fields(self) -> dict[str, Any]:
        return {"formula": str(self.formula), "valid": self.holds, "counterexample": _word_json(self.counterexample)}


@dataclass(frozen=True, slots=True)
class EquivReport(LogicReport):
    """Whether two formulas are true of the same infinite words, with one of which only one of them is."""

    command: ClassVar[str] = "equiv"
    left: Formula
    right: Formula
    difference: Word | None

    @property
    def holds(self) -> bool:
        return self.difference is None

    @property
    def left_holds(self) -> bool | None:
        """Whether it is the left formula that is true of `difference`."""
        return None if self.difference is None else holds(self.left, self.difference)

    def lines(self) -> list[str]:
        if self.difference is None:
            return ["equivalent"]
        which = "left" if self.left_holds else "right"
        return [f"not equivalent: only the {which} formula is true of {self.difference}"]

    def fields(self) -> dict[str, Any]:
        return {
            "left": str(self.left),
            "right": str(self.right),
            "equivalent": self.holds,
            "difference": _word_json(self.difference),
            "left_holds": self.left_holds,
        }


@dataclass(frozen=True, slots=True)
class ImpliesReport(LogicReport):
    """Whether a formula is true of every infinite word of which another is, with one where that fails."""

    command: ClassVar[str] = "implies"
    left: Formula
    right: Formula
    counterexample: Word | None

    @property
    def holds(self) -> bool:
        return self.counterexample is None

    def lines(self) -> list[str]:
        return ["implied" if self.holds else f"not implied: only the left formula is true of {self.counterexample}"]

    def fields(self) -> dict[str, Any]:
        return {
            "left": str(self.left),
            "right": str(self.right),
            "implies": self.holds,
            "counterexample": _word_json(self.counterexample),
        }


@dataclass(frozen=True, slots=True)
class ClassifyReport(LogicReport):
    """What kind of property a formula is."""

    command: ClassVar[str] = "classify"
    formula: Formula
    classes: Classes

    @property
    def exit_status(self) -> int:
        """0, or 3 when nothing is known but what the syntax shows."""
        semantic = [value for name, value in _classes_json(self.classes).items() if name != "syntactic_safety"]
        return 0 if any(value is not None for value in semantic) else 3

    def lines(self) -> list[str]:
        words = {True: "yes", False: "no", None: "not known within the bound"}
        rows = [f"{name.replace('_', ' '):<20}{words[value]}" for name, value in _classes_json(self.classes).items()]
        return [f"{'class':<20}{_class_line(self.classes)}", *rows]

    def fields(self) -> dict[str, Any]:
        return {
            "formula": str(self.formula),
            "class": self.classes.name,
            "classes": _classes_json(self.classes),
            "unknown": list(self.classes.unknown),
        }


def _classes_json(classes: Classes) -> dict[str, bool | None]:
    return {name: getattr(classes, name) for name in Classes.__slots__}


def _class_line(classes: Classes) -> str:
    more = [
        name
        for name, value in (("liveness", classes.liveness), ("stutter-invariant", classes.stutter_invariant))
        if value
    ]
    unknown = f" (not known within the bound: {', '.join(classes.unknown)})" if classes.unknown else ""
    return ", ".join([classes.name, *more]).replace("_", " ") + unknown


class Form(StrEnum):
    """How an automaton is written: a table, the Hanoi Omega-Automata format, GraphViz, a never claim for SPIN."""

    TABLE = "table"
    HOA = "hoa"
    DOT = "dot"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class TranslateReport(LogicReport):
    """The automaton of a formula, and its text in the form that was asked for."""

    command: ClassVar[str] = "translate"
    formula: Formula
    automaton: Automaton
    form: Form
    text: str

    def lines(self) -> list[str]:
        return self.text.splitlines()

    def fields(self) -> dict[str, Any]:
        automaton = self.automaton
        return {
            "formula": str(self.formula),
            "states": automaton.states,
            "edges": sum(map(len, automaton.edges)),
            "sets": automaton.sets,
            "state_based": automaton.state_based,
            "deterministic": automaton.deterministic,
            "propositions": list(automaton.propositions),
            "form": self.form.value,
            "text": self.text,
        }


def automaton_table(automaton: Automaton) -> list[str]:
    """What the automaton is in one line, then its edges as a table."""
    rows = []
    for state, edges in enumerate(automaton.edges):
        for i, edge in enumerate(edges):
            letters = str(label_formula(edge.label, automaton.propositions))
            marks = " ".join(str(j) for j in range(automaton.sets) if edge.marks >> j & 1)
            rows.append(["" if i else str(state), letters, str(edge.target), marks])
    sets = "a run accepts that has every mark again and again" if automaton.sets else "every infinite run accepts"
    if not nonempty(automaton):
        sets = "no run accepts"
    kind = "deterministic" if automaton.deterministic else "nondeterministic"
    counted = (
        f"{plural(automaton.states, 'state')}, {plural(len(rows), 'edge')}, {plural(automaton.sets, 'acceptance set')}"
    )
    return [
        f"{counted}, {kind}; initial state {automaton.initial}; {sets}",
        *table(rows, ["state", "letters", "to", "marks"], right=[0, 2]),
    ]


@dataclass(frozen=True, slots=True)
class AcceptsReport(LogicReport):
    """Whether a formula is true of a word. weak: of a finite word, with N for X."""

    command: ClassVar[str] = "accepts"
    formula: Formula
    word: Word
    weak: bool
    accepted: bool

    @property
    def holds(self) -> bool:
        return self.accepted

    def lines(self) -> list[str]:
        next_ = "weak" if self.weak else "strong"
        ends = f" of the finite word, X being {next_}" if self.word.finite else ""
        return [f"{'true' if self.accepted else 'false'}{ends}"]

    def fields(self) -> dict[str, Any]:
        return {
            "formula": str(self.formula),
            "word": _word_json(self.word),
            "finite": self.word.finite,
            "weak": self.weak,
            "accepts": self.accepted,
        }


def _labels(successors: tuple[int, ...]) -> dict[int, int]:
    """The label of each successor.  Cost: O(letters), and the label of each successor once."""
    bits: dict[int, bytearray] = {}
    for number, target in enumerate(successors):
        if target not in bits:
            bits[target] = bytearray(len(successors) // 8 + 1)
        bits[target][number >> 3] |= 1 << (number & 7)
    return {target: int.from_bytes(label, "little") for target, label in bits.items()}


@dataclass(frozen=True, slots=True)
class MonitorReport(LogicReport):
    """The smallest monitor of a formula and, of a finite word, what it says after each letter."""

    command: ClassVar[str] = "monitor"
    formula: Formula
    monitor: Monitor
    word: Word | None = None

    @property
    def states(self) -> tuple[int, ...]:
        """Where the monitor is after each letter of the word."""
        return () if self.word is None else tuple(self.monitor.run(self.word)[1:])

    @property
    def verdicts(self) -> tuple[FourTruth, ...]:
        """The RV-LTL verdict after each letter: definite, or what the run would be if it ended there."""
        return tuple(map(self.monitor.four, self.states))

    @property
    def holds(self) -> bool:
        """False when the word has a prefix that nothing can mend."""
        return not self.verdicts or self.verdicts[-1] is not FourTruth.FALSE

    def lines(self) -> list[str]:
        if self.word is None:
            return [f"{plural(self.monitor.states, 'state')}; initial state {self.monitor.initial}", *self._table()]
        rows = [
            [str(position), show_letter(letter), str(state), str(verdict)]
            for position, (letter, state, verdict) in enumerate(
                zip(self.word.prefix, self.states, self.verdicts, strict=True), 1
            )
        ]
        return [*table(rows, ["letter", "true", "state", "verdict"], right=[0, 2]), self._summary()]

    def _summary(self) -> str:
        """The last verdict in words, and since when it is definite."""
        last = self.verdicts[-1]
        if last.definite:
            kept = "satisfied" if last is FourTruth.TRUE else "violated"
            return f"{kept} at letter {1 + self.verdicts.index(last)}, whatever follows"
        return f"inconclusive; {'true' if last.favourable else 'false'} if the run ends here (X being weak)"

    def _table(self) -> list[str]:
        """The first rows of the monitor: what it is in each state, and where each letter leads."""
        rows = []
        for state, successors in enumerate(self.monitor.table):
            about = [str(state), str(self.monitor.verdict[state]), "true" if self.monitor.at_end[state] else "false"]
            for target, label in _labels(successors).items():
                rows.append([*about, str(label_formula(label, self.monitor.propositions)), str(target)])
                about = ["", "", ""]
            if len(rows) > ROWS:
                break
        lines = table(rows[:ROWS], ["state", "verdict", "if it ends", "letters", "to"], right=[0, 4])
        return lines if len(rows) <= ROWS else [*lines, "and more; --json prints the whole table"]

    def fields(self) -> dict[str, Any]:
        steps = [
            {"letter": sorted(letter), "state": state, "verdict": verdict.value}
            for letter, state, verdict in zip(
                () if self.word is None else self.word.prefix, self.states, self.verdicts, strict=True
            )
        ]
        return {
            "formula": str(self.formula),
            "monitor": self.monitor.to_json(),
            "word": _word_json(self.word),
            "steps": steps,
        }
