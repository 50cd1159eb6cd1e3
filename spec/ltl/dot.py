"""Automata as drawings: the text that GraphViz draws."""

from __future__ import annotations

from spec.ltl.automaton import Automaton
from spec.ltl.cover import label_formula
from spec.ltl.printer import Spelling, show


def dot(automaton: Automaton, name: str = "", spelling: Spelling = Spelling.MATHEMATICAL) -> str:
    """The automaton as a GraphViz digraph, edges labelled by formulas.

    name: a caption, such as the formula. spelling: of labels. Accepting states of a plain Buchi automaton have a double
    circle; otherwise each mark of an edge is its set's number in braces. No sets: every infinite run accepts.

    >>> from spec.ltl.automaton import Edge
    >>> print(dot(Automaton(("p", "q"), ((Edge(0b0101, 0), Edge(0b1000, 0, 1)),), 0, 1)), end="")
    digraph automaton {
        rankdir=LR
        node [shape=circle]
        start [shape=point]
        start -> 0
        0 -> 0 [label="¬p"]
        0 -> 0 [label="p ∧ q {0}"]
    }
    """
    on_states = automaton.state_based and automaton.sets <= 1
    lines = ["digraph automaton {", "    rankdir=LR", "    node [shape=circle]"]
    if name:
        lines.append(f"    label={_quoted(name)}")
    for state, edges in enumerate(automaton.edges):
        if on_states and edges and edges[0].marks == automaton.all_marks:
            lines.append(f"    {state} [shape=doublecircle]")
        elif not edges:
            lines.append(f"    {state}")
    lines += ["    start [shape=point]", f"    start -> {automaton.initial}"]
    for state, edges in enumerate(automaton.edges):
        for edge in edges:
            label = show(label_formula(edge.label, automaton.propositions), spelling)
            marks = "" if on_states else " ".join(str(i) for i in range(automaton.sets) if edge.marks >> i & 1)
            text = f"{label} {{{marks}}}" if marks else label
            lines.append(f"    {state} -> {edge.target} [label={_quoted(text)}]")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
