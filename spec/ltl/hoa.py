"""Automata in the Hanoi Omega-Automata format, version 1, which other tools for temporal logic read and write.

Source: Babiak et al., The Hanoi Omega-Automata Format (CAV 2015), with the grammar of version 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from spec.ltl.automaton import Automaton
from spec.ltl.cover import cover
from spec.ltl.hoa_reader import read

__all__ = ["read", "write"]


def write(automaton: Automaton, name: str = "") -> str:
    """The automaton in the format, one line an edge; `read(write(a)) == a`.

    name: what the automaton is called in it, such as the formula. Marks are written on states where that is possible.
    Cost: linear in the edges and their labels' covers.

    >>> from spec.ltl.automaton import Edge
    >>> print(write(Automaton(("p",), ((Edge(0b01, 0), Edge(0b10, 0, 1)),), 0, 1), name="[]<>p"), end="")
    HOA: v1
    name: "[]<>p"
    States: 1
    Start: 0
    AP: 1 "p"
    acc-name: Buchi
    Acceptance: 1 Inf(0)
    properties: trans-labels explicit-labels trans-acc deterministic complete
    --BODY--
    State: 0
    [!0] 0
    [0] 0 {0}
    --END--
    """
    on_states = automaton.state_based
    lines = ["HOA: v1"]
    if name:
        lines.append(f"name: {_quoted(name)}")
    lines += [
        f"States: {automaton.states}",
        f"Start: {automaton.initial}",
        " ".join([f"AP: {len(automaton.propositions)}", *map(_quoted, automaton.propositions)]),
        *_acceptance_lines(automaton.sets),
        " ".join(["properties:", *_properties(automaton, on_states)]),
        "--BODY--",
    ]
    for state, edges in enumerate(automaton.edges):
        lines.append(f"State: {state}{_marks(edges[0].marks) if on_states and edges else ''}")
        for edge in edges:
            label = _label_text(edge.label, len(automaton.propositions))
            lines.append(f"[{label}] {edge.target}{'' if on_states else _marks(edge.marks)}")
    return "\n".join([*lines, "--END--", ""])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _acceptance_lines(sets: int) -> list[str]:
    if sets == 0:
        return ["acc-name: all", "Acceptance: 0 t"]
    name = "Buchi" if sets == 1 else f"generalized-Buchi {sets}"
    return [f"acc-name: {name}", f"Acceptance: {sets} {'&'.join(f'Inf({i})' for i in range(sets))}"]


def _properties(automaton: Automaton, on_states: bool) -> Iterator[str]:
    yield from ("trans-labels", "explicit-labels", "state-acc" if on_states else "trans-acc")
    if automaton.deterministic:
        yield "deterministic"
    if automaton.complete:
        yield "complete"


def _marks(marks: int) -> str:
    return f" {{{' '.join(str(i) for i in range(marks.bit_length()) if marks >> i & 1)}}}" if marks else ""


def _label_text(label: int, propositions: int) -> str:
    def product(literals: list[tuple[str, bool]]) -> str:
        return "&".join(name if true else f"!{name}" for name, true in literals) or "t"

    names = [str(i) for i in range(propositions)]
    return " | ".join(product(cube.literals(names)) for cube in cover(label, propositions)) or "f"
