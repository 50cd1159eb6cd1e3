"""Random letters of a few addresses and threads, and what the specification says of properties of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from spec.properties import find
from spec.property import KNOWN, Property
from spec.property_verdict import judge
from spec.propositions import ACCESS, ALLOCATE_END, ALLOCATE_START, FREE, FREE_END, MALLOC, Delivery, Sort

LABELS = ("done", "end", "mem_free_end", "mem_free_start", "parsed", "start", "unheard")
ADDRESSES = (0x1000, 0x2000, 0x3000)

PLAIN = [
    "S1",
    "PS1",
    "L1",
    "F2",
    "one-life",
    "no-double-free",
    "no-double-allocation",
    "freed-eventually",
    "access-in-bounds",
    "initialised-before-read",
    "address: access || X free",
    "block: <>free",
    "block: !malloc",
    "block: [](access -> X X (free || access))",
    "block: !access W free",
    "address: [](malloc -> (!malloc U access && outside))",
]
LABELLED = [
    "quarantine",
    "zeroed-before-reuse",
    "address: [](parsed -> (!done W free))",
    "address: []!done",
    "address: [](malloc && (!end S start) -> (!end W free))",
    "address: [](start -> <>end)",
    "address: <>[](done || parsed)",
    "block: [](malloc -> <>done)",
    "block: [](malloc -> X done)",
    "block: [](free -> X !done)",
    "block: [](malloc -> X mem_free_end)",
    "block: [](free -> (!start U end))",
    "block: (free && done) || X(parsed -> X done)",
    "block: [](start -> X(!start W end)) && <>free",
    "address: [](mem_free_start -> <>mem_free_end)",
    "address: [](free -> X(mem_free_end || free))",
]
OTHERS = [
    "allocation-ends",
    "free-ends",
    "thread: <>free",
    "thread: [](start -> X(!start W end))",
    "thread: [](start -> (!malloc U end))",
    "thread: []!access || <>done",
    "global: [](malloc -> <>free)",
    "global: [](start -> X(!start U end))",
    "global: X X !access",
]
LIBRARY = [find(text) for text in (*PLAIN, *LABELLED, *OTHERS)]
"""Properties of every index, with and without labels."""


@dataclass
class Everything:
    """There was evidence of all there is; no call was cut off."""

    observed: frozenset[str] = frozenset({*KNOWN, *LABELS, "quarantine_end", "zeroed"})
    cut: frozenset[int] = field(default_factory=frozenset)


def deliveries(seed: int, length: int, threads: int) -> list[Delivery]:
    """Letters in any order: mallocs of what is live, frees of what is not, labels about blocks and about none."""
    rng = random.Random(seed)
    said = rng.sample(LABELS, rng.randint(1, len(LABELS)))
    addresses = ADDRESSES[: rng.randint(1, len(ADDRESSES))]
    generations = dict.fromkeys(addresses, 0)
    found: list[Delivery] = []
    while len(found) < length:
        number, thread, base = len(found) + 1, rng.randint(1, threads), rng.choice(addresses)
        about: int | None = base
        kind = rng.choice(("malloc", "free", "access", "access", "label", "label", "about", "call", "resize"))
        if kind == "malloc":
            generations[base] += 1
            letter, sort = MALLOC, Sort.EVENT
        elif kind == "free":
            letter, sort = FREE, Sort.EVENT
        elif kind == "access":
            letter, sort = ACCESS | rng.choice([set(), set(), {"outside"}, {"uninitialised"}]), Sort.EVENT
        elif kind == "resize":
            letter, sort = frozenset[str](), Sort.RESIZE
        elif kind == "call":
            letter, sort = rng.choice((ALLOCATE_START, ALLOCATE_END, FREE_END)), Sort.CALL
            about = base if letter == FREE_END else None
        else:
            letter, sort = frozenset({rng.choice(said)}), Sort.LABEL
            about = base if kind == "about" else None
        generation = generations[base] if about is not None else 0
        found.append(Delivery(letter, sort, number, thread, about, generation))
    return found


def told(properties: Sequence[Property], letters: Sequence[Delivery]) -> list[tuple[int, int]]:
    """How many words violate each property for good, and how many would if the run ended there: the specification."""
    verdicts = [judge(one, letters, Everything(), exited=False) for one in properties]
    return [(one.violated, one.unfulfilled) for one in verdicts]
