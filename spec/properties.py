"""The property library: what order in time demands of allocators and their clients, written once, as text.

A model is checked against these formulas, a recorded trace is evaluated by them, a monitor steps on them, and other
tools read them. `spec.property` says what the parts of an entry mean.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from spec.ltl.error import LogicError
from spec.property import About, Index, Kind, Property, formula_of

__all__ = ["PROPERTIES", "REPORTED", "About", "Index", "Kind", "Property", "find"]

_ONCE = "(!access W malloc)"

PROPERTIES: Final = (
    # The published property, and what its sentence meant.
    Property(
        "published",
        "[](<>access -> ((!access U malloc) && (!free U access) && <>free))",
        Index.ADDRESS,
        "Whenever an access is to come, none comes before a malloc, no free comes before it, and a free comes.",
        About.NOBODY,
        Kind.RECURRENCE,
        satisfied=("malloc; free; cycle{1}", "malloc; cycle{1}", "free; cycle{1}", "malloc&access; free; cycle{1}"),
        violated=("malloc; access; free; cycle{1}", "malloc; access; cycle{1}", "cycle{malloc; access; free}"),
        aliases=("LIT",),
        note="Read literally it is [](access -> (malloc && <>free)) && [](free -> (access || []!access)): the outer [] "
        "asks again at the access itself, where !access U malloc demands a malloc in the same instant. With one event "
        "at a time it says []!access, so that every program that uses its memory violates it, and a leak of unused "
        "memory or the free of what was never allocated satisfies it. Not part of reports.",
    ),
    Property(
        "access-only-while-allocated",
        f"{_ONCE} && [](free -> X{_ONCE})",
        Index.ADDRESS,
        "Memory is accessed only between a malloc and the next free.",
        About.PROGRAM,
        Kind.SAFETY,
        satisfied=(
            "malloc; access; free",
            "malloc; access; free; malloc; access; free; cycle{1}",
            "malloc; cycle{access}",
        ),
        violated=("access; malloc; free", "malloc; free; access", "malloc; access; free; access; cycle{1}"),
        aliases=("S1",),
    ),
    Property(
        "access-only-while-allocated-x-free",
        f"{_ONCE} && [](free -> (free W (!free && {_ONCE})))",
        Index.ADDRESS,
        "Memory is accessed only between a malloc and the next free; said without X, for tools that refuse it.",
        About.PROGRAM,
        Kind.SAFETY,
        satisfied=("malloc; access; free", "malloc; access; 1; 1; free; 1; malloc; access; cycle{1}"),
        violated=("access; malloc; free", "malloc; free; access", "malloc; 1; free; 1; access; cycle{1}"),
        restates=("access-only-while-allocated",),
        aliases=("XS1",),
        note="Equal to the form with X wherever at most one event happens at a time.",
    ),
    Property(
        "access-only-while-allocated-past",
        "[](access -> (!free S malloc))",
        Index.ADDRESS,
        "At every access there was a malloc and no free since.",
        About.PROGRAM,
        Kind.SAFETY,
        satisfied=("malloc; access; free", "malloc; access; free; malloc; access; free; cycle{1}"),
        violated=("access; malloc; free", "malloc; free; access", "malloc; access; free; access; cycle{1}"),
        restates=("access-only-while-allocated",),
        aliases=("PS1",),
        note="The cheapest to monitor: one bit an address. Equal to the form with X where at most one event happens at "
        "a time.",
    ),
    Property(
        "accessed-then-freed",
        "[](access -> <>free)",
        Index.ADDRESS,
        "What was accessed is freed in the end.",
        About.PROGRAM,
        Kind.RECURRENCE,
        satisfied=("malloc; access; free", "malloc; cycle{1}", "cycle{malloc; access; free}"),
        violated=("malloc; access", "malloc; access; free; malloc; access; cycle{1}", "malloc; cycle{access}"),
        aliases=("L1",),
    ),
    Property(
        "freed-eventually",
        "[](malloc -> <>free)",
        Index.ADDRESS,
        "Every block is freed in the end.",
        About.PROGRAM,
        Kind.RECURRENCE,
        satisfied=("malloc; free", "malloc; access; free; cycle{1}", "cycle{malloc; access; free}"),
        violated=("malloc", "malloc; free; malloc; cycle{1}", "malloc; free; cycle{malloc; access}"),
        note="No finite trace violates it while the program runs; at exit it is the leak. An allocator alone cannot "
        "make it true: a model needs the assumption that its client frees.",
    ),
    Property(
        "access-then-freed",
        f"{_ONCE} && [](free -> X{_ONCE}) && [](access -> <>free)",
        Index.ADDRESS,
        "Memory is accessed only between a malloc and the next free, and what was accessed is freed in the end.",
        About.PROGRAM,
        Kind.RECURRENCE,
        satisfied=("malloc; access; free", "malloc; cycle{1}", "malloc; access; free; free; cycle{1}"),
        violated=("malloc; access", "malloc; access; free; access; cycle{1}", "access; malloc; free"),
        restates=("access-only-while-allocated", "accessed-then-freed"),
        aliases=("F1",),
        note="The English sentence of the published property, made faithful, for addresses that are used again.",
    ),
    Property(
        "access-then-freed-x-free",
        f"{_ONCE} && [](free -> (free W (!free && {_ONCE}))) && [](access -> <>free)",
        Index.ADDRESS,
        "Memory is accessed only between a malloc and the next free, and what was accessed is freed; without X.",
        About.PROGRAM,
        Kind.RECURRENCE,
        satisfied=("malloc; access; free", "malloc; 1; access; 1; free; cycle{1}"),
        violated=("malloc; access", "malloc; 1; access; 1; free; 1; access; cycle{1}"),
        restates=("access-only-while-allocated", "accessed-then-freed"),
        aliases=("XF1",),
        note="Equal to the form with X wherever at most one event happens at a time.",
    ),
    Property(
        "no-double-free",
        "(!free W malloc) && [](free -> X(!free W malloc))",
        Index.ADDRESS,
        "Only what was handed out is freed, and only once.",
        About.PROGRAM,
        Kind.SAFETY,
        satisfied=("malloc; free", "malloc; access; free; malloc; free; cycle{1}"),
        violated=("free", "malloc; free; free", "malloc; access; free; access; free; cycle{1}"),
    ),
    Property(
        "no-double-free-past",
        "[](free -> Y(!free S malloc))",
        Index.ADDRESS,
        "At every free there was a malloc before, and no free since.",
        About.PROGRAM,
        Kind.SAFETY,
        satisfied=("malloc; free", "malloc; access; free; malloc; free; cycle{1}"),
        violated=("free", "malloc; free; free", "malloc; access; free; access; free; cycle{1}"),
        restates=("no-double-free",),
    ),
    Property(
        "no-double-allocation",
        "[](malloc -> X(!malloc W free))",
        Index.ADDRESS,
        "An address that was handed out is not handed out again before it is freed.",
        About.ALLOCATOR,
        Kind.SAFETY,
        satisfied=("malloc; free; malloc; free", "malloc; access; cycle{1}"),
        violated=("malloc; malloc", "malloc; access; malloc; free", "malloc; free; malloc; malloc; cycle{1}"),
    ),
    Property(
        "whole-life",
        f"{_ONCE} && [](free -> X{_ONCE}) && (!free W malloc) && [](free -> X(!free W malloc)) && "
        "[](malloc -> X(!malloc W free)) && [](malloc -> <>free) && [](access -> <>free)",
        Index.ADDRESS,
        "Each address is handed out, accessed, and freed once, in this order, again and again.",
        About.PROGRAM,
        Kind.RECURRENCE,
        satisfied=("malloc; access; free", "malloc; free; cycle{1}", "cycle{malloc; access; free}"),
        violated=("malloc", "free", "malloc; free; free; cycle{1}", "malloc; malloc; access; free; cycle{1}"),
        restates=(
            "access-only-while-allocated",
            "accessed-then-freed",
            "freed-eventually",
            "no-double-free",
            "no-double-allocation",
        ),
        aliases=("F2",),
    ),
    Property(
        "one-life",
        f"{_ONCE} && (!free W malloc) && [](free -> X[](!access && !free)) && [](malloc -> <>free)",
        Index.BLOCK,
        "A block is handed out, then accessed, then freed, and that is the end of it.",
        About.PROGRAM,
        Kind.OBLIGATION,
        satisfied=("malloc; access; free", "malloc; free; cycle{1}", "cycle{1}"),
        violated=("malloc", "malloc; free; access", "malloc; access; free; free; cycle{1}", "access; malloc; free"),
        restates=("access-only-while-allocated", "no-double-free", "freed-eventually"),
        note="The strict reading: each malloc makes a block of its own, even at an address that was used before.",
    ),
    Property(
        "access-in-bounds",
        "[](access -> !outside)",
        Index.ADDRESS,
        "Every access of a block is wholly within the bytes that were requested.",
        About.PROGRAM,
        Kind.SAFETY,
        satisfied=("malloc; access; free", "malloc; free; access", "malloc; cycle{access}"),
        violated=("malloc; access&outside", "malloc; access; access&outside; free; cycle{1}"),
        note="Of memory that was freed it asks the same, of the block that was freed last: whether there is a block at "
        "all is what access-only-while-allocated asks. What an allocator gives beyond the request is outside.",
    ),
    Property(
        "initialised-before-read",
        "[](access -> !uninitialised)",
        Index.ADDRESS,
        "What is read of a block was written before, or handed out as zero.",
        About.PROGRAM,
        Kind.SAFETY,
        satisfied=("malloc; access; free", "malloc; cycle{access}"),
        violated=("malloc; access&uninitialised", "malloc; access; access&uninitialised; free; cycle{1}"),
        note="Known to whoever watches every write of a program; a recording has no evidence of it.",
    ),
    # What the allocator promises about memory that is used again.
    Property(
        "no-overlap",
        "[](malloc -> !overlap)",
        Index.ADDRESS,
        "No block shares a byte with a live block when it is handed out.",
        About.ALLOCATOR,
        Kind.SAFETY,
        satisfied=("malloc; free; malloc; free", "malloc; cycle{1}"),
        violated=("malloc&overlap", "malloc; free; malloc&overlap; cycle{1}"),
    ),
    Property(
        "no-early-reuse",
        "[](malloc -> !early)",
        Index.ADDRESS,
        "No byte of a freed block is handed out before Q other blocks of its size class have been freed.",
        About.ALLOCATOR,
        Kind.SAFETY,
        satisfied=("malloc; free; malloc; free", "malloc; cycle{1}"),
        violated=("malloc; free; malloc&early", "malloc; free; malloc&early; free; cycle{1}"),
        note="Q is what the allocator promises: the header of a recording carries it.",
    ),
    Property(
        "quarantine",
        "[](free -> (!malloc W quarantine_end))",
        Index.ADDRESS,
        "A freed block is not handed out before its quarantine ends.",
        About.ALLOCATOR,
        Kind.SAFETY,
        satisfied=("malloc; free; quarantine_end; malloc", "malloc; free; cycle{1}"),
        violated=("malloc; free; malloc", "malloc; free; quarantine_end; malloc; free; malloc; cycle{1}"),
        note="The end of the quarantine is an event here, a label of models and scripts; no-early-reuse counts frees.",
    ),
    Property(
        "tag-freshness",
        "[](malloc -> !stale_tag)",
        Index.ADDRESS,
        "Memory that is handed out again has another tag than before it was freed.",
        About.ALLOCATOR,
        Kind.SAFETY,
        satisfied=("malloc; free; malloc; free", "malloc; cycle{1}"),
        violated=("malloc; free; malloc&stale_tag", "malloc; free; malloc&stale_tag; cycle{1}"),
    ),
    Property(
        "zeroed-before-reuse",
        "[](free -> (!malloc W zeroed))",
        Index.ADDRESS,
        "Between the free of a block and the next malloc there its memory is zeroed.",
        About.ALLOCATOR,
        Kind.SAFETY,
        satisfied=("malloc; free; zeroed; malloc; free", "malloc; free; cycle{1}"),
        violated=("malloc; free; malloc", "malloc; zeroed; free; malloc; cycle{1}"),
    ),
    Property(
        "handed-out-zero",
        "[](malloc -> !dirty)",
        Index.ADDRESS,
        "A block that has to be zero when it is handed out is zero.",
        About.ALLOCATOR,
        Kind.SAFETY,
        satisfied=("malloc; free; malloc; free", "malloc; cycle{1}"),
        violated=("malloc&dirty", "malloc; free; malloc&dirty; cycle{1}"),
    ),
    Property(
        "revoked-before-reuse",
        "[](free -> (!malloc W revoked))",
        Index.ADDRESS,
        "Between the free of a block and the next malloc there, every pointer to it has been revoked.",
        About.ALLOCATOR,
        Kind.SAFETY,
        satisfied=("malloc; free; revoked; malloc; free", "malloc; free; cycle{1}"),
        violated=("malloc; free; malloc", "malloc; revoked; free; malloc; cycle{1}"),
    ),
    # Progress: true under fair scheduling of a correct allocator.
    Property(
        "allocation-ends",
        "[](mem_allocate_start -> <>mem_allocate_end)",
        Index.THREAD,
        "Every request for memory is answered.",
        About.ALLOCATOR,
        Kind.RECURRENCE,
        satisfied=("mem_allocate_start; malloc&mem_allocate_end", "cycle{mem_allocate_start; mem_allocate_end}"),
        violated=("mem_allocate_start", "mem_allocate_start; mem_allocate_end; mem_allocate_start; cycle{1}"),
        note="In a model, under fair scheduling. It says nothing of what the answer is: NULL is one.",
    ),
    Property(
        "free-ends",
        "[](mem_free_start -> <>mem_free_end)",
        Index.THREAD,
        "Every free returns.",
        About.ALLOCATOR,
        Kind.RECURRENCE,
        satisfied=("free&mem_free_start; mem_free_end", "cycle{mem_free_start; mem_free_end}"),
        violated=("mem_free_start", "mem_free_start; mem_free_end; mem_free_start; cycle{1}"),
        note="In a model, under fair scheduling.",
    ),
)
"""The library."""

REPORTED: Final = tuple(p for p in PROPERTIES if not p.restates and p.about is not About.NOBODY)
"""What reports speak of when nothing else is asked: each property in one form, none twice."""

_OWN = re.compile(r"\s*(\w+)\s*:(?![:=])\s*(.*)", re.DOTALL)
_WORD = re.compile(r"[\w-]+")


def find(name_or_text: str) -> Property:
    """The property of this name or alias, or that of the formula itself.

    A formula is of an address unless it says otherwise: `block: FORMULA`, `thread: FORMULA`, `global: FORMULA`. One
    that the library has is the library's. Propositions are those of KNOWN; every other name is a label of the history.
    Raises: LogicError for a word that is no name (the message lists them), for an index that there is not, and for a
    formula that cannot be read.

    >>> find("S1").name, find("thread: [](begin -> <>commit)").index
    ('access-only-while-allocated', <Index.THREAD: 'thread'>)
    >>> find("address: [](malloc -> F free)").name
    'freed-eventually'
    >>> find("no-leaks")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    spec.ltl.error.LogicError: no property is called no-leaks. The properties are published, ...
    """
    asked = name_or_text.strip()
    for one in PROPERTIES:
        if asked == one.name or asked.upper() in one.aliases:
            return one
    own = _OWN.fullmatch(asked)
    if own is None and _WORD.fullmatch(asked):
        near = get_close_matches(asked, [one.name for one in PROPERTIES], 1)
        raise LogicError(
            f"no property is called {asked}{f'; did you mean {near[0]}?' if near else '.'} The properties are "
            f"{', '.join(p.name for p in PROPERTIES)}; a formula of one word is written with its index, as in "
            "`address: malloc`"
        )
    if own is not None and own[1] not in frozenset(Index):
        raise LogicError.at(asked, own.start(1), f"{own[1]} is no index; a property is of {', '.join(Index)}")
    index, text = (Index(own[1]), own[2]) if own else (Index.ADDRESS, asked)
    formula = formula_of(text)
    for one in PROPERTIES:
        if (one.index, one.formula) == (index, formula):
            return one
    return Property(f"{index}: {formula}", str(formula), index, "", About.PROGRAM)
