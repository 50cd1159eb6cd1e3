"""Equivalence checkers that are wrong on purpose, one mistake each: if no test notices one, the tests are too weak.

Each is the real checker with one part replaced while it is in use: a mutation test of `m4alloc.superopt.equivalence`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from unittest import mock

from m4alloc.superopt import (
    equivalence,
    fact_terms,
    smt_address,
    smt_attributes,
    smt_clock,
    smt_function,
    smt_inputs,
    smt_instructions,
    smt_integers,
    smt_intrinsics,
    smt_memory,
    smt_refinement,
)
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.smt_values import TRUE, Choices
from m4alloc.superopt.verdict import Verdict
from tests.m4alloc.superopt.weakened_parts import (
    Patches,
    always,
    binary,
    bytes_defined,
    bytes_without_poison,
    decided_blindly,
    division_is_total,
    first_lane,
    frozen_is_itself,
    frozen_once,
    gives_up_gladly,
    lanes_alone,
    least_over_minus_one,
    never_exhausted,
    no_overflow,
    on_target,
    picks_all_poison,
    picks_on_poison,
    picks_without_poison,
    poison_equal_only,
    poison_stops,
    shift_is_total,
    signs_forgotten,
    steps_are_right,
    target_defined,
    unaligned,
    undef_is_fine,
    unknown_is_equal,
    without_flag,
    without_poison,
    without_promise,
    without_provenance,
)


@dataclass(frozen=True)
class Probe:
    """A check whose right answer is known: `accept` where `target` refines `source`, else it must not be accepted."""

    name: str
    accept: bool
    source: Function
    target: Function
    facts: tuple[Fact, ...] = ()
    seconds: float = 10.0
    shared: bool = False
    unroll: int = 0

    def verdict(self) -> Verdict:
        """What the checker that is in force says."""
        return equivalence.refines(
            self.source, self.target, self.facts, seconds=self.seconds, shared=self.shared, unroll=self.unroll
        )

    @property
    def is_right(self) -> bool:
        """The checker says what it must."""
        return self.verdict().accepted is self.accept


@dataclass(frozen=True)
class Weakened:
    """A checker with one mistake: its name, what it gets wrong, and which parts are replaced by what."""

    name: str
    mistake: str
    patches: Patches

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """While this is open, `equivalence.refines` makes the mistake."""
        with contextlib.ExitStack() as stack:
            for owner, name, make in self.patches:
                stack.enter_context(mock.patch.object(owner, name, make(getattr(owner, name))))
            yield

    def noticed_by(self, probes: Sequence[Probe]) -> list[str]:
        """Names of the probes that the real checker answers rightly and this one does not; a crash is noticed too."""
        found = []
        with self.in_force():
            for probe in probes:
                try:
                    right = probe.is_right
                except Exception:  # whatever a wrong checker runs into shows that it is wrong
                    right = False
                if not right:
                    found.append(probe.name)
        return found


CHECKERS: tuple[Weakened, ...] = (
    Weakened("nsw", "nsw on the target is ignored", without_flag("nsw")),
    Weakened("nuw", "nuw on the target is ignored", without_flag("nuw")),
    Weakened("exact", "exact on the target is ignored", without_flag("exact")),
    Weakened("disjoint", "disjoint on the target is ignored", without_flag("disjoint")),
    Weakened("nneg", "nneg on the target is ignored", without_flag("nneg")),
    Weakened("samesign", "samesign on the target is ignored", without_flag("samesign")),
    Weakened("inbounds", "inbounds and nusw on the target are ignored", without_flag("inbounds", "nusw")),
    Weakened("promise", "the i1 of ctlz, cttz and abs is ignored on the target", on_target(without_promise)),
    Weakened(
        "metadata", "!range and !noundef are ignored on the target", on_target(lambda one: replace(one, metadata=()))
    ),
    Weakened("undef", "undef is one fixed value", ((Choices, "renewed", lambda real: lambda self, value, *_: value),)),
    Weakened("lanes alone", "the lanes of an undef value choose each for itself", ((Choices, "used", lanes_alone),)),
    Weakened("steps", "nusw and nuw are ignored", ((smt_address._Walk, "go", steps_are_right),)),
    Weakened("turns", "one use in a loop is one", ((smt_inputs, "back_edges", lambda real: lambda function: set()),)),
    Weakened("freeze", "freeze gives back its operand", ((Choices, "frozen", frozen_is_itself),)),
    Weakened("freeze alike", "all freezes choose one value", ((Choices, "frozen", frozen_once),)),
    Weakened("branch", "a branch on poison takes one way", ((smt_function._Walk, "_decided", decided_blindly),)),
    Weakened("branch undef", "a branch on undef takes one way", ((smt_function._Walk, "_decided", undef_is_fine),)),
    Weakened("shift", "a shift by the width gives 0", binary(shift_is_total)),
    Weakened("division", "a division by zero gives a value", binary(division_is_total)),
    Weakened("least", "INT_MIN / -1 gives a value", binary(least_over_minus_one)),
    Weakened("arithmetic poison", "arithmetic on poison gives a value", binary(poison_stops)),
    Weakened(
        "select arms never",
        "select takes no poison from its arms",
        ((smt_instructions, "_picked", picks_without_poison),),
    ),
    Weakened(
        "select arms both", "select takes poison from both arms", ((smt_instructions, "_picked", picks_all_poison),)
    ),
    Weakened("select condition", "select on poison picks an arm", ((smt_instructions, "_picked", picks_on_poison),)),
    Weakened(
        "target poison",
        "poison in the target's result is ignored",
        ((smt_refinement, "_lane_differs", without_poison),),
    ),
    Weakened(
        "source poison",
        "poison in the source's result permits nothing",
        ((smt_refinement, "_lane_differs", poison_equal_only),),
    ),
    Weakened(
        "target UB", "undefined behaviour of the target is ignored", ((equivalence, "difference", target_defined),)
    ),
    Weakened("lanes", "only the first lane is compared", ((smt_refinement, "value_differs", first_lane),)),
    Weakened("memory", "memory is not compared", ((smt_refinement, "_bytes_that_differ", always([])),)),
    Weakened("provenance", "pointers are their addresses", ((smt_refinement, "_lane_differs", without_provenance),)),
    Weakened("bounds", "every address may be accessed", ((smt_memory.World, "accessible", always(TRUE)),)),
    Weakened("alignment", "alignment is ignored", ((smt_memory.Accessor, "_checked", unaligned),)),
    Weakened("undef bytes", "memory is always initialised", ((smt_memory.Accessor, "_assembled", bytes_defined),)),
    Weakened(
        "poison bytes", "a poison byte gives a value", ((smt_memory.Accessor, "_assembled", bytes_without_poison),)
    ),
    Weakened("noundef", "noundef demands nothing", ((smt_attributes, "noundef", always(False)),)),
    Weakened(
        "range",
        "range, nonnull and align of arguments and results are ignored",
        ((smt_attributes, "restricted", lambda real: lambda attributes, value: value),),
    ),
    Weakened("overflow", "overflow intrinsics never overflow", ((smt_intrinsics, "overflow", no_overflow),)),
    Weakened("signs", "signed comparisons are unsigned", ((smt_integers, "COMPARISONS", signs_forgotten),)),
    Weakened("time-out", "a query that runs out of time is a proof", ((smt_clock.Clock, "check", gives_up_gladly),)),
    Weakened("unsupported", "what is not covered is equal", ((equivalence._Check, "run", unknown_is_equal),)),
    Weakened("facts", "facts are ignored", ((fact_terms, "conditions", always([])),)),
    Weakened(
        "contradiction",
        "facts that cannot hold together prove everything",
        ((equivalence, "_consistent", always(None)),),
    ),
    Weakened(
        "shared",
        "memory that another thread may change is taken to be the function's own",
        ((smt_inputs, "world_of", lambda real: lambda a, b, shared, strict: real(a, b, False, strict)),),
    ),
    Weakened("kinds", "an integer's bytes are a pointer's", ((smt_inputs, "mixes_kinds", always(False)),)),
    Weakened(
        "loops",
        "what happens after the last copy of a loop does not count",
        ((equivalence, "encode", never_exhausted),),
    ),
)
"""All of them; `tests/m4alloc/superopt/test_weakened.py` says by which probe each is noticed."""
