"""Proves that two straight-line functions return the same sums, however the terms were paired, widened or ordered.

Both are evaluated by idioms_lanes for every input; the claim is checked in three steps, none of which samples:

1. Every value computed from at most two bytes is computed for all their values (at most 65,536).
2. A sum that is widened, or that saturates, stays within its width for every input, because the extremes of its terms
   do.  So each result is, modulo 2**width, a sum of functions of at most two bytes; addition modulo 2**width may be
   reordered at will.
3. Two such sums are compared by their normal form, which is complete (idioms_tables.difference).

The rewrite must keep its own promises (nsw, inbounds, alignment ...); those of the original are not made use of, which
makes the claim stronger.  Where the functions differ, the input that shows it is known and is given.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from m4alloc.superopt import smt_attributes
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_lanes import Evaluated, evaluate
from m4alloc.superopt.idioms_tables import Arithmetic, Leaf, NotASumError, Sum, difference, unsigned
from m4alloc.superopt.ir import Function, Int, Pointer, Vector
from m4alloc.superopt.verdict import Counterexample, Outcome, UnsupportedError, Verdict

METHOD = "sums of two-byte functions"
INITIALISED = Fact("no argument and no byte that is read is undef or poison", "arrays are written before they are read")
"""Left out where it says nothing: every argument is an integer or a vector, and `noundef`."""


def refines(
    source: Function, target: Function, domains: Mapping[str, tuple[int, ...]] | None = None, origin: str = "given"
) -> Verdict:
    """Whether `target` refines `source`, both of one block, of integers, vectors of integers and loads.

    domains: unsigned values that every byte of an argument (or of the memory it points to) may take, where they are
    not all 256; `origin` says who promises it.  About 0.5 s for 128 products.
    """
    started = time.monotonic()
    domains = dict(domains or {})
    assumed = [Fact(_domain(name, values), origin) for name, values in domains.items()]
    if not all(isinstance(each.type, Int | Vector) and "noundef" in each.attributes for each in source.arguments):
        assumed.insert(0, INITIALISED)
    assumptions = tuple(assumed)
    obligations: list[str] = []

    def verdict(outcome: Outcome, reason: str = "", counterexample: Counterexample | None = None) -> Verdict:
        seconds = time.monotonic() - started
        kept = tuple(obligations) if outcome is Outcome.REFINES else ()
        return Verdict(outcome, METHOD, reason, counterexample, assumptions, kept, (), seconds)

    unlike = _signatures(source, target)
    if unlike:
        return verdict(Outcome.UNKNOWN, unlike)
    try:
        smt_attributes.refuse_new_promises(source, target)
        names = {b.name: a.name for a, b in zip(source.arguments, target.arguments, strict=True)}
        before = evaluate(source, Arithmetic(domains, strict=False))
        after = evaluate(target, Arithmetic({b: domains[a] for b, a in names.items() if a in domains}, strict=True))
        problem = _memory(before, after, names, source)
        if problem:
            return verdict(Outcome.UNKNOWN, problem)
        arithmetic = Arithmetic(domains)
        leaves: set[Leaf] = set()
        for index, (a, b) in enumerate(zip(before.lanes, after.lanes, strict=True)):
            if a is None:
                return verdict(Outcome.UNKNOWN, f"lane {index} of the original is poison or undef")
            if b is None:
                return verdict(Outcome.UNKNOWN, f"lane {index} of the rewrite is poison or undef")
            ours, theirs = arithmetic.joined(a), _renamed(arithmetic.joined(b), names)
            at = difference(ours, theirs)
            if at is not None:
                found = _shown(arithmetic, source, ours, theirs, at, index if len(before.lanes) > 1 else None)
                doubt = _may_be_poison(source, domains)
                if doubt:
                    return verdict(Outcome.UNKNOWN, f"{found}; but the original may be poison there: {doubt}")
                return verdict(Outcome.COUNTEREXAMPLE, counterexample=found)
            leaves.update(ours.leaves)
    except (NotASumError, UnsupportedError) as error:
        return verdict(Outcome.UNKNOWN, str(error))
    obligations += [
        f"{len(before.lanes)} result lane(s) are the same sum over {len(leaves)} bytes, on every input",
        "no sum of the rewrite that is widened or saturates leaves its width, and no flag of it is violated",
        "the rewrite reads no byte that the original does not, at no greater alignment, and writes none",
    ]
    return verdict(Outcome.REFINES)


def _may_be_poison(source: Function, domains: Mapping[str, tuple[int, ...]]) -> str:
    """Which of the original's own promises may be broken by some input, or ""."""
    try:
        evaluate(source, Arithmetic(domains, strict=True))
    except NotASumError as error:
        return str(error)
    return ""


def _domain(name: str, values: Sequence[int]) -> str:
    """The bounds of a domain as text; a domain with gaps lists its values."""
    low, high = min(values), max(values)
    if sorted(values) == list(range(low, high + 1)):
        return f"each byte of {name}: {low} <= byte <= {high}"
    numbers = sorted(value - 256 if value > 127 else value for value in values)
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"each byte of {name}: {numbers[0]} <= signed(byte) <= {numbers[-1]}"
    return f"each byte of {name}: one of {', '.join(map(str, values))}"


def _signatures(source: Function, target: Function) -> str:
    """Why the two cannot be compared, or ""."""
    if source.type != target.type or [a.type for a in source.arguments] != [a.type for a in target.arguments]:
        return "the functions take or return different types"
    for a, b in zip(source.arguments, target.arguments, strict=True):
        more = set(b.attributes) - set(a.attributes) - {"noundef"}
        if more:
            return f"argument %{b.name} of the rewrite has {', '.join(sorted(more))}, which the original's has not"
    more = set(target.return_attributes) - set(source.return_attributes) - {"noundef"}
    if more:
        return f"the rewrite promises {', '.join(sorted(more))} of its result"
    return ""


def _renamed(value: Sum, names: Mapping[str, str]) -> Sum:
    """The same sum over the original's arguments."""
    tables = {}
    for leaves, table in value.tables.items():
        new = [Leaf(names[leaf.base], leaf.offset) for leaf in leaves]
        order = sorted(range(len(new)), key=new.__getitem__)
        tables[tuple(new[axis] for axis in order)] = table.transpose(order)
    return Sum(value.width, tables)


def _memory(before: Evaluated, after: Evaluated, names: Mapping[str, str], source: Function) -> str:
    """Why the rewrite's loads may be undefined where the original's are not, or ""."""
    read: dict[str, set[int]] = {a.name: set() for a in source.arguments if isinstance(a.type, Pointer)}
    inside: dict[str, set[int]] = {name: set() for name in read}
    for load in before.loads:
        at = load.address
        read[at.base].update(range(at.offset, at.offset + load.size))
        inside[at.base] |= at.inside | {at.offset, at.offset + load.size}
    for load in after.loads:
        base, offset = names[load.address.base], load.address.offset
        extra = set(range(offset, offset + load.size)) - read[base]
        if extra:
            return f"the rewrite reads byte {min(extra)} of %{base}, which the original does not"
        if load.align > 1 and not any(
            known.address.base == base and known.align % load.align == 0
            and (offset - known.address.offset) % load.align == 0 for known in before.loads
        ):  # fmt: skip
            return f"the rewrite reads %{base} + {offset} at alignment {load.align}, which nothing promises"
    for claim in after.claims:
        known = inside[names[claim.base]]
        within = known and min(known) <= min(claim.start, claim.end) and max(claim.start, claim.end) <= max(known)
        if not within or (claim.end < claim.start and "nuw" in claim.flags):
            flags = " ".join(sorted(claim.flags))
            return f"`getelementptr {flags}` to %{names[claim.base]} + {claim.end} may be poison"
    return ""


def _shown(
    arithmetic: Arithmetic, source: Function, ours: Sum, theirs: Sum, at: Mapping[Leaf, int], lane: int | None
) -> Counterexample:
    """The input at which the sums differ, in words."""

    def value(of: Sum) -> int:
        total = sum(int(table[tuple(at.get(leaf, 0) for leaf in leaves)]) for leaves, table in of.tables.items())
        return total & ((1 << of.width) - 1)

    def byte(leaf: Leaf) -> int:
        table = next(iter(arithmetic.byte(leaf).tables.values()))
        return int(unsigned(table[at.get(leaf, 0)], 8))

    pointers = {argument.name for argument in source.arguments if isinstance(argument.type, Pointer)}
    places = [
        (f"{leaf.base} + {leaf.offset}", str(byte(leaf))) for leaf in {*ours.leaves, *theirs.leaves} if byte(leaf)
    ]
    rest = "every other byte that is read", "0 (or the first value allowed)"
    where = "" if lane is None else f" in lane {lane}"
    inputs = tuple(
        (argument.name, "any pointer" if argument.name in pointers else "by bytes") for argument in source.arguments
    )
    return Counterexample(inputs, f"{value(ours)}{where}", f"{value(theirs)}{where}", (*sorted(places), rest))
