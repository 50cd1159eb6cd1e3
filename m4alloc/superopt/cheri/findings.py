"""Where the verdict of a checker differs from the published table of rules: each with how it shows.

A row can be refuted under its own condition on some instruction set, or need less than it says. Tests derive every one
of these anew; nothing rests on this list.
"""

from __future__ import annotations

from dataclasses import dataclass

from m4alloc.superopt.cheri.observe import Effect


@dataclass(frozen=True)
class Finding:
    """`rule` under its published condition on the instruction set of that name does `effect`.

    strict: compared in every field of untagged values; else by their address.  why: what the row does not say.
    """

    rule: str
    isa: str
    effect: Effect
    why: str
    strict: bool = True


_FLAGS = "in bounds is judged on the address, bounds on the address without flags: the top byte must repeat bit 55"
_SIGN = "bounds are extended from bit 55: a move that changes it clears the tag, in bounds or not"
_PADDED = (
    "RRLEN rounds for a block at the end of memory, and for some lengths further than SCBNDS does at an aligned base"
)

REFUTED: tuple[Finding, ...] = (
    Finding("S1", "Morello", Effect.OTHER_VALUE, _FLAGS),
    Finding("S2", "Morello", Effect.GAINS_TAG, _FLAGS, strict=False),
    Finding("S3", "RISC-V draft, 64r", Effect.GAINS_PERMISSION, "sets without a row lose more, and twice is not once"),
    Finding("S5", "Morello", Effect.GAINS_TAG, _SIGN),
    Finding("S7", "Morello", Effect.GAINS_TAG, _FLAGS),
    Finding("S8", "Morello", Effect.GAINS_TAG, _SIGN),
    Finding("S9", "Morello", Effect.GAINS_TAG, _FLAGS),
    Finding("S12 base", "Morello", Effect.OTHER_VALUE, _SIGN),
    Finding("S13", "Morello", Effect.OTHER_VALUE, "bounds that use the address may not be set while it has flags"),
    Finding("S15", "RISC-V draft, 128r", Effect.OTHER_VALUE, "sets that make no sense lose more"),
    Finding("S15", "RISC-V draft, 64r", Effect.OTHER_VALUE, "sets without a row lose more"),
    Finding("S15", "CHERIoT", Effect.OTHER_VALUE, "sets of no kind lose more"),
    Finding("S15 subset", "RISC-V draft, 64r", Effect.OTHER_VALUE, "a row for code stands for EL and SL too"),
    *(
        Finding("S17", isa, Effect.NARROWS, "rounded(n) wraps to 0 for the largest n, and 0 bytes always fit")
        for isa in ("ISAv9", "ISAv8", "Morello")
    ),
    Finding("S18", "Morello", Effect.OTHER_VALUE, _PADDED),
    Finding("S19 load", "Morello", Effect.REMOVES_TRAP, _SIGN),
    Finding("S19 store", "Morello", Effect.REMOVES_TRAP, _SIGN),
    Finding("S20", "ISAv9", Effect.GAINS_TAG, "the authority must point at a type that seals"),
    Finding("S20", "ISAv8", Effect.REMOVES_TRAP, "the authority must point at a type that seals"),
    Finding("S20", "Morello", Effect.GAINS_TAG, "the authority must point at a type that seals, and 0 does not"),
    Finding("S20", "CHERIoT", Effect.GAINS_TAG, "code and data have types of their own"),
    Finding("S21", "ISAv8", Effect.REMOVES_TRAP, "only code may become a sentry there"),
    Finding("S22", "ISAv8", Effect.ADDS_TRAP, "taking permissions from what has no tag traps"),
)
"""Rows that a counterexample refutes under the condition that they state."""

PADDED = Finding("S17", "Morello", Effect.WIDENS_BOUNDS, _PADDED)
"""Even where the rounded length does not wrap."""

NEEDS_LESS: tuple[tuple[str, str], ...] = (
    ("S12 length", "on Morello bit 55 does not matter: the length does not move with the region"),
    ("S18", "no bound on n is needed: where the length wraps, 0 comes out, and 0 stays 0"),
    ("S23", "exactness is not needed: a rounded result is within its parent, proved over the full encoding"),
)
"""Rows whose replacement is proved under less than they state; `rules` has the weaker condition."""

SPARED: tuple[tuple[str, str, str], ...] = (
    ("U7", "RISC-V draft, 128r", "increments are checked precisely there, so that both instructions agree"),
    ("U8 length", "all", "of a tagged, unsealed capability the base moves with the region, the length does not"),
)
"""Killed rules that are sound: the rule, the instruction set, why."""
