"""The bundled models: what each is of, which bugs are seeded in it, and what a search has to answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from spec.ltl.error import LogicError
from spec.model.program import Program
from spec.model.system import Verdict

HOLDS, VIOLATED = Verdict.HOLDS, Verdict.VIOLATED
FOLDER = Path(__file__).with_name("bundled")


class Bug(NamedTuple):
    """A seeded bug: the constants that bring it in, what it is, and the question whose answer it changes to VIOLATED.

    found_by: a property, or "deadlock", the search that finds deadlocks and faults.
    """

    constants: Mapping[str, int]
    sentence: str
    found_by: str


class Bundled(NamedTuple):
    """A model that comes with the project.

    states: that can be reached. answers: of each property, under the fairness and the assumptions that the model
    declares. alone: of those properties whose answer is another one of all runs. bugs: by name.
    """

    sentence: str
    states: int
    answers: Mapping[str, Verdict]
    alone: Mapping[str, Verdict] = {}
    bugs: Mapping[str, Bug] = {}


BUNDLED: Mapping[str, Bundled] = {
    "free_list": Bundled(
        "a free-list allocator with one lock, and clients that use it",
        states=1736,
        answers={
            "published": VIOLATED,
            "used_while_allocated": HOLDS,
            "accessed_then_freed": HOLDS,
            "freed_once": HOLDS,
            "handed_out_once": HOLDS,
            "no_leak": HOLDS,
        },
        alone={"accessed_then_freed": VIOLATED, "no_leak": VIOLATED},
        bugs={
            "missing-lock": Bug({"LOCKED": 0}, "two clients may pop the same block", "handed_out_once"),
            "double-free": Bug({"FREES_TWICE": 1}, "a client may free a block twice", "freed_once"),
            "use-after-free": Bug({"USES_FREED": 1}, "a client may access what it has freed", "used_while_allocated"),
        },
    ),
    "thread_stacks": Bundled(
        "the core's slots, freed by their owner and by another thread",
        states=2872,
        answers={
            "handed_out_once": HOLDS,
            "freed_once": HOLDS,
            "nothing_reported": HOLDS,
            "races_are_reported": HOLDS,
            "collected": HOLDS,
        },
        alone={"collected": VIOLATED},
        bugs={
            "count-after-states": Bug(
                {"COUNTS_LATE": 1}, "a drain finds more remote frees than are counted", "deadlock"
            ),
            "not-queued-again": Bug({"FORGETS_SLAB": 1}, "a remote free is never collected", "collected"),
            "unmarked": Bug({"UNMARKED": 1}, "a drain takes a free under way for a lost one", "nothing_reported"),
            "racing-double-free": Bug({"RACES": 1}, "the client's bug: both threads free one slot", "freed_once"),
        },
    ),
    "delay_line": Bundled(
        "a delay line in front of a stack of free slots",
        states=1431,
        answers={
            "no_early_reuse": HOLDS,
            "handed_out_once": HOLDS,
            "double_free_caught_in_time": HOLDS,
            "double_free_caught": VIOLATED,
        },
        bugs={
            "one-place-short": Bug({"WRAPS_EARLY": 1}, "the ring wraps one place too early", "no_early_reuse"),
            "bypassed": Bug({"BYPASSED": 1}, "a slot skips the line when the stack is empty", "no_early_reuse"),
        },
    ),
    "quarantine_epochs": Bundled(
        "a quarantine that waits for revocation, as in Cornucopia",
        states=1100,
        answers={
            "revoked_before_reuse": HOLDS,
            "handed_out_once": HOLDS,
            "leaves_quarantine": HOLDS,
            "used_while_allocated": VIOLATED,
        },
        alone={"leaves_quarantine": VIOLATED},
        bugs={
            "no-load-barrier": Bug({"NO_BARRIER": 1}, "a capability is copied past the sweep", "revoked_before_reuse"),
            "short-epoch": Bug(
                {"SHORT_EPOCH": 1}, "a sweep that has begun before the free counts", "revoked_before_reuse"
            ),
            "register-not-swept": Bug(
                {"FORGETS_REGISTER": 1}, "a capability outlives the sweep in a register", "revoked_before_reuse"
            ),
        },
    ),
    "mte_retag": Bundled(
        "Arm MTE: blocks get another tag when they are freed",
        states=398,
        answers={"no_false_fault": HOLDS, "first_generation_caught": HOLDS, "stale_access_caught": VIOLATED},
        bugs={
            "tags-at-malloc": Bug(
                {"TAGS_AT_MALLOC": 1}, "between free and malloc stale pointers work", "first_generation_caught"
            ),
            "old-tag-again": Bug(
                {"ANY_TAG": 1}, "the old tag is not excluded from the choice", "first_generation_caught"
            ),
        },
    ),
    "sgx_accept": Bundled(
        "an enclave accepts pages from a host that does what it likes",
        states=148,
        answers={"reads_what_it_wrote": HOLDS, "accepted_before_use": HOLDS},
        bugs={
            "accepts-again": Bug(
                {"ACCEPTS_AGAIN": 1}, "EACCEPT at any page fault: old contents come back", "reads_what_it_wrote"
            ),
        },
    ),
    "batch_queue": Bundled(
        "the queue of the xmalloc benchmark: a mutex and two condition variables",
        states=1233,
        answers={"all_taken_at_the_end": HOLDS, "ends": HOLDS},
        bugs={
            "if-not-while": Bug({"WHILE": 0}, "a thread that wakes up does not look again", "deadlock"),
            "no-signal-not-full": Bug({"NO_SIGNAL_FULL": 1}, "a producer sleeps for ever", "deadlock"),
            "no-signal-not-empty": Bug({"NO_SIGNAL_EMPTY": 1}, "a consumer sleeps for ever", "deadlock"),
            "signal-at-end": Bug({"SIGNAL_AT_END": 1}, "one consumer of two learns that all is done", "deadlock"),
        },
    ),
    "peterson": Bundled(
        "Peterson's mutual exclusion of two processes",
        states=42,
        answers={"exclusive": HOLDS, "enters": VIOLATED},
        bugs={"looks-first": Bug({"SAYS_LATE": 1}, "a process looks before it says that it wants to", "exclusive")},
    ),
    "philosophers": Bundled(
        "Dijkstra's dining philosophers",
        states=2163,
        answers={"neighbours_take_turns": HOLDS, "eats": VIOLATED},
        bugs={"same-order": Bug({"ORDERED": 0}, "everybody begins on the same side", "deadlock")},
    ),
    "leader": Bundled(
        "leader election in a ring, by Chang and Roberts",
        states=3388,
        answers={"at_most_one": HOLDS, "elects": HOLDS},
        bugs={"passes-all": Bug({"PASSES_ALL": 1}, "smaller numbers are passed on as well", "at_most_one")},
    ),
}


def text(name: str) -> str:
    """The text of a bundled model.  Raises: KeyError."""
    if name not in BUNDLED:
        raise KeyError(name)
    return (FOLDER / f"{name}.m4m").read_text(encoding="utf-8")


def program(name: str, constants: Mapping[str, int] | None = None) -> Program:
    """A bundled model with constants set.  Raises: KeyError; LogicError for a constant that it does not have.

    >>> program("peterson").processes[0].name
    'p[0]'
    """
    from spec.model.reader import read

    return read(with_constants(text(name), constants or {}), f"{name}.m4m")


_CONSTANT = re.compile(r"^([ \t]*const[ \t]+)([A-Za-z_]\w*)([ \t]*=[ \t]*)([^#\n]*?)([ \t]*)(?=#|$)", re.MULTILINE)


def with_constants(text: str, constants: Mapping[str, int]) -> str:
    """The model's text with other values for constants that it declares on lines of their own; places stay.

    A constant that is true or false stays a truth value: 0 and 1 are accepted for it.
    Raises: LogicError for a constant that the text does not declare, or a number for a truth value.

    >>> with_constants("model m\\nconst A = 1  # one\\nconst B = true", {"A": 2, "B": 0})
    'model m\\nconst A = 2  # one\\nconst B = false'
    >>> with_constants("model m\\nconst A = 1", {"C": 2})
    Traceback (most recent call last):
    spec.ltl.error.LogicError: the model has no constant C; it has A
    """
    declared = {match[2]: match[4] for match in _CONSTANT.finditer(text)}
    for name in constants:
        if name not in declared:
            raise LogicError(f"the model has no constant {name}; it has {', '.join(declared) or 'none'}")

    def replaced(match: re.Match[str]) -> str:
        name = match[2]
        if name not in constants:
            return match[0]
        value = str(constants[name])
        if match[4] in ("true", "false"):
            if constants[name] not in (0, 1):
                raise LogicError(f"the constant {name} is a truth value; {value} is none, 0 and 1 are")
            value = "true" if constants[name] else "false"
        return match[1] + name + match[3] + value + match[5]

    return _CONSTANT.sub(replaced, text)
