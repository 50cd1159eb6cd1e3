"""Never claims: Buchi automata as SPIN reads them, in Promela."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from spec.ltl.automaton import Automaton
from spec.ltl.cover import Cube, cover
from spec.ltl.error import LogicError
from spec.ltl.formula import Formula

END = "accept_all"
"""The label of the states that accept every word, which are one in the claim."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def never_claim(source: Formula | Automaton, propositions: Mapping[str, str] | None = None, name: str = "") -> str:
    """The never claim of the words that `source` accepts: what SPIN, given it, reports a run for.

    To check that a property holds of a model, claim its negation. An automaton must be a plain Buchi automaton with
    marks on states (or without marks); a formula is translated to a small one.
    propositions: the Promela expression of each proposition, which is put into parentheses; a proposition that is not
    there stands for itself, as a global variable or a macro of the model.
    name: a comment on the first line; of a formula that is left to it, its text.
    States are called T0_init or accept_init, T0_S3 or accept_S3, and accept_all where every word is accepted.
    Raises: LogicError for a proposition that is no identifier of Promela, and has no expression; TooLargeError as
    `spec.ltl.translate.buchi`; ValueError for an automaton that is no plain Buchi automaton.
    Source: Holzmann, The SPIN Model Checker (2003), chapter 6 and the manual page `never`.

    >>> from spec.ltl.automaton import Edge
    >>> eventually_p = Automaton(("p",), ((Edge(0b01, 0), Edge(0b10, 1)), (Edge(0b11, 1, 1),)), 0, 1)
    >>> print(never_claim(eventually_p, {"p": "x > 0"}))
    never {
    T0_init:
        do
        :: (!(x > 0)) -> goto T0_init
        :: ((x > 0)) -> goto accept_all
        od;
    accept_all:
        skip
    }
    """
    if isinstance(source, Formula):
        from spec.ltl.translate import buchi

        name = name or str(source)
        source = buchi(source)
    if source.sets > 1 or not source.state_based:
        raise ValueError(
            "a never claim is written of a plain Buchi automaton with marks on states; degeneralise it first"
        )
    expressions = [_expression(name, propositions or {}) for name in source.propositions]
    names = _names(source)
    # `*/` in the name would end the comment, and so would the name of a proposition in quotes that has it.
    lines = [f"never {{ /* {name} */" if name and "*/" not in name else "never {"]
    for state, name in names.items():
        if name != END:
            lines += [f"{name}:", *(f"    {line}" for line in _body(source, state, names, expressions))]
    if END in names.values():
        # Last, since what follows `skip` would be entered; a claim that reaches its end is reported.
        lines += [f"{END}:", "    skip"]
    return "\n".join([*lines, "}"])


def _expression(name: str, propositions: Mapping[str, str]) -> str:
    if name in propositions:
        return f"({propositions[name]})"
    if not _IDENTIFIER.fullmatch(name):
        raise LogicError(f'"{name}" is no identifier of Promela; it needs an expression that says what it means there')
    return name


def _names(automaton: Automaton) -> dict[int, str]:
    """The label of each reachable state, the initial one first, since a claim begins with its first line."""
    waiting, names = [automaton.initial], dict[int, str]()
    for state in waiting:
        if state in names:
            continue
        edges = automaton.edges[state]
        accepting = bool(edges) and all(edge.marks == automaton.all_marks for edge in edges)
        if accepting and any(edge.target == state and edge.label == automaton.everything for edge in edges):
            names[state] = END
            continue
        names[state] = f"{'accept' if accepting else 'T0'}_{f'S{state}' if names else 'init'}"
        waiting.extend(edge.target for edge in edges)
    return names


def _body(automaton: Automaton, state: int, names: dict[int, str], expressions: list[str]) -> Iterator[str]:
    if not automaton.edges[state]:
        yield "false"
        return
    yield "do"
    for edge in automaton.edges[state]:
        for cube in cover(edge.label, len(expressions)):
            yield f":: ({_condition(cube, expressions)}) -> goto {names[edge.target]}"
    yield "od;"


def _condition(cube: Cube, expressions: list[str]) -> str:
    return " && ".join(name if true else f"!{name}" for name, true in cube.literals(expressions)) or "1"
