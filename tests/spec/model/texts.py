"""Classics in the modelling language, whose numbers of states are pinned."""

from __future__ import annotations

from spec.model.program import Program
from spec.model.reader import read

PETERSON = """
model peterson
var wants: array[2] of bool = false
var turn: 0..1 = 0
process p[i: 0..1] {
    loop {
        skip
        wants[i] = true
        turn = 1 - i
        waiting: await !wants[1 - i] || turn == i
        critical: skip
        wants[i] = false
    }
}
predicate waiting0 = p[0]@waiting
predicate critical0 = p[0]@critical
predicate both = p[0]@critical && p[1]@critical
"""

LEADER = """
model leader
const PROCESSES = {count}
channel ring[PROCESSES][PROCESSES] of 0..PROCESSES-1
var leaders: 0..PROCESSES = 0
process node[i: 0..PROCESSES-1] {{
    var heard: 0..PROCESSES-1 = 0
    ring[(i + 1) % PROCESSES] ! i
    loop {{
        ring[i] ? heard
        if heard == i {{ leaders = leaders + 1  goto done }}
        if heard > i {{ ring[(i + 1) % PROCESSES] ! heard }}
        if heard == PROCESSES - 1 {{ goto done }}
        heard = 0
    }}
    done: end
}}
predicate elected = leaders == 1
predicate two = leaders > 1
"""


def peterson() -> Program:
    """Two processes that exclude one another: Peterson, Myths about the mutual exclusion problem (1981)."""
    return read(PETERSON)


def leader(count: int) -> Program:
    """Chang and Roberts's election in a ring (1979)."""
    return read(LEADER.format(count=count))


PHILOSOPHERS = """
model philosophers
const N = {count}
var taken: array[N] of bool = false
process philosopher[i: 0..N-1] {{
    loop {{
        thinking: skip
        if i == N - 1 {{
            atomic {{ await !taken[0]  taken[0] = true }}
            atomic {{ await !taken[i]  taken[i] = true }}
        }} else {{
            atomic {{ await !taken[i]  taken[i] = true }}
            atomic {{ await !taken[(i + 1) % N]  taken[(i + 1) % N] = true }}
        }}
        eating: skip
        taken[i] = false
        taken[(i + 1) % N] = false
    }}
}}
"""


def diners(count: int) -> Program:
    """Dining philosophers who also think and eat, the last with the other hand first."""
    return read(PHILOSOPHERS.format(count=count))
