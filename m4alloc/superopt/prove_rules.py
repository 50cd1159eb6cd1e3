"""Proves the library's rules with the equivalence checker, each at several widths, and keeps the table of results."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Final

from m4alloc.superopt import equivalence, rules
from m4alloc.superopt.ir import Int, Pointer
from m4alloc.superopt.rule import Rule
from m4alloc.superopt.simplify_structural import STRUCTURAL
from m4alloc.superopt.terms import Compiled, compiled
from m4alloc.superopt.terms_pairs import (
    EXHAUSTIVE,
    Pair,
    amounts,
    constants,
    is_symbolic,
    pair_at,
    parts,
    typings,
    width_of,
)
from m4alloc.superopt.verdict import Outcome

TABLE: Final = Path(__file__).with_name("rules_proofs.json")
_CONTRADICTION: Final = equivalence.CONTRADICTION


class Result(Enum):
    """`PROVED` is for all constants; `SAMPLED` for some choices of them, which is said; `NONE`: no constant or width
    fits, or the source is always undefined; `LEFT_OUT`: z3 gave up in the budget; `REFUTED`: the rule is wrong."""

    PROVED = "proved"
    SAMPLED = "sampled"
    NONE = "does not apply"
    LEFT_OUT = "left out"
    REFUTED = "refuted"


@dataclass(frozen=True)
class Proof:
    """One row: a rule at a width.

    how: "all constants at once", "66 parts", "for values that are not undef", "12 choices of constants".
    detail: the counterexample, or why it was left out.
    """

    rule: str
    width: int
    result: Result
    how: str
    milliseconds: float
    detail: str = ""


@dataclass
class _Attempt:
    """One rule at one width, with the time it may take."""

    rule: Compiled
    until: float
    seconds: float
    queries: int = 0
    fits: bool = False

    def query(self, pair: Pair) -> tuple[Result, str]:
        self.queries += 1
        seconds = max(0.05, min(self.seconds, self.until - time.monotonic()))
        verdict = equivalence.refines(pair.source, pair.target, pair.facts, seconds=seconds)
        if verdict.outcome is Outcome.COUNTEREXAMPLE:
            return Result.REFUTED, f"{pair.where}: {verdict.counterexample}"
        if verdict.accepted:
            self.fits = self.fits or not verdict.vacuous
            return Result.PROVED, ""
        if verdict.reason == _CONTRADICTION:
            return Result.PROVED, ""
        return Result.LEFT_OUT, f"{pair.where}: {verdict.reason}"

    def split(
        self, types: dict[int, Int | Pointer], choice: dict[str, int], left: Sequence[str], extra: Sequence[str]
    ) -> tuple[Result, str]:
        """Proved with the constants of `left` open, or in parts: one for each value of the first, and what remains."""
        pair = pair_at(self.rule, types, choice, extra)
        if pair is None:
            return Result.PROVED, ""
        result, why = self.query(pair)
        if result is not Result.LEFT_OUT or not left:
            return result, why
        if time.monotonic() > self.until:
            return Result.LEFT_OUT, why
        name, rest = left[0], left[1:]
        if name[0].islower():
            return self.split_value(types, choice, left, extra)
        values = parts(self.rule, types, name)
        for value in values:
            result, why = self.split(types, {**choice, name: value}, rest, extra)
            if result is not Result.PROVED:
                return result, why
        others = " and ".join(f"{name} != {value}" for value in values)
        return self.split(types, choice, rest, [*extra, others] if others else list(extra))

    def split_value(
        self, types: dict[int, Int | Pointer], choice: dict[str, int], left: Sequence[str], extra: Sequence[str]
    ) -> tuple[Result, str]:
        """In parts for each amount that a value, which is not undef, shifts by, and for all wider ones."""
        width = width_of(types[self.rule.named_kinds[left[0]]])
        cases = [f"{left[0]}_value == {amount}" for amount in range(width)] + [f"{left[0]}_value >= {width}"]
        for case in cases:
            result, why = self.split(types, choice, left[1:], [*extra, case])
            if result is not Result.PROVED:
                return result, why
        return Result.PROVED, ""

    def without_undef(self, types: dict[int, Int | Pointer], names: Sequence[str], why: str) -> tuple[Result, str]:
        """Proved for values that may be poison but not undef, which is enough where each is used once at most.

        A value that is used twice is not undef anyway.  What an undef may be at the only use in the replacement, it may
        be at every use in the pattern; a division by an undef is UB in both.
        """
        values = frozenset(variable.name for variable in self.rule.variables) - self.rule.noundef
        fixed = replace(self.rule, notundef=values)
        other = _Attempt(fixed, time.monotonic() + 10 * self.seconds, self.seconds)
        result, told = other.split(types, {}, [*names, *amounts(fixed)], [])
        self.queries, self.fits = self.queries + other.queries, self.fits or other.fits
        return result, told if result is Result.REFUTED else why


def prove(rule: Rule, width: int, *, seconds: float = 2.0, budget: float = 20.0) -> Proof:
    """The rule at a main width, by as many queries as it takes.

    seconds: for a query; budget: for the rule at this width, after which it is left out or sampled.  Constants are
    open, then, where z3 gives up, split into amounts of shifts and powers of two with a last part for all others.
    Cost: 5-20 ms for most rules.
    """
    started = time.monotonic()
    ready = compiled(rule)
    attempt = _Attempt(ready, started + budget, seconds)
    worst, detail, how = Result.PROVED, "", AT_ONCE
    for types in typings(ready, width):
        way = AT_ONCE
        if is_symbolic(ready):
            names = [symbol.name for symbol in ready.symbols if parts(ready, types, symbol.name)]
            result, why = attempt.split(types, {}, [*names, *amounts(ready)], [])
            if result is Result.LEFT_OUT:
                result, why = attempt.without_undef(types, names, why)
                way = "for values that are not undef" if result is Result.PROVED else way
            if result is Result.LEFT_OUT and ready.symbols:
                result, why, way = _sampled(attempt, types, why)
        else:
            result, why, way = _sampled(attempt, types, "")
        if _ORDER.index(result) > _ORDER.index(worst):
            worst, detail, how = result, why, way
        elif result is worst and way != AT_ONCE:
            how = way
    if worst is Result.PROVED and attempt.queries > 2 and how == AT_ONCE:
        how = f"{attempt.queries} parts"
    if worst in (Result.PROVED, Result.SAMPLED) and not attempt.fits:
        worst, how = Result.NONE, ""
    return Proof(rule.name, width, worst, how, (time.monotonic() - started) * 1e3, detail)


AT_ONCE: Final = "all constants at once"
_ORDER: Final = (Result.PROVED, Result.SAMPLED, Result.LEFT_OUT, Result.REFUTED)


def _sampled(attempt: _Attempt, types: dict[int, Int | Pointer], why: str) -> tuple[Result, str, str]:
    """Proved constant by constant; left out where z3 gives up on one."""
    attempt.until = max(attempt.until, time.monotonic() + 10 * attempt.seconds)
    tried = 0
    for choice in constants(attempt.rule, types):
        pair = pair_at(attempt.rule, types, choice)
        if pair is None:
            continue
        result, told = attempt.query(pair)
        if result is not Result.PROVED:
            return result, told, ""
        tried += 1
        if time.monotonic() > attempt.until:
            return Result.LEFT_OUT, "the budget ended", ""
    if why and not tried:
        return Result.LEFT_OUT, why, ""
    if sum(width_of(types[symbol.kind]) for symbol in attempt.rule.symbols) <= EXHAUSTIVE:
        return Result.PROVED, "", "each choice of constants"
    return Result.SAMPLED, "", f"{tried} choices of constants"


def jobs(chosen: Iterable[Rule], widths: Sequence[int] = ()) -> Iterator[tuple[Rule, int]]:
    """Each rule with each of its widths, or with those of them that are in `widths`."""
    for rule in chosen:
        for width in rule.widths:
            if not widths or width in widths:
                yield rule, width


def _job(one: tuple[Rule, int, float, float]) -> Proof:
    rule, width, seconds, budget = one
    try:
        return prove(rule, width, seconds=seconds, budget=budget)
    except Exception as error:  # one rule's failure must not lose the others' proofs
        return Proof(rule.name, width, Result.LEFT_OUT, "", 0.0, f"{type(error).__name__}: {error}")


def proved(
    chosen: Iterable[Rule],
    widths: Sequence[int] = (),
    *,
    processes: int = 2,
    seconds: float = 2.0,
    budget: float = 20.0,
) -> Iterator[Proof]:
    """Proofs of the rules at their widths, in order, by several processes."""
    work = [(rule, width, seconds, budget) for rule, width in jobs(chosen, widths)]
    if processes == 1:
        yield from map(_job, work)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_job, work, chunksize=4)


def digest(rule: Rule) -> str:
    """Of everything in a rule that its proofs depend on."""
    compiled_ = compiled(rule)
    text = repr((rule.pattern, rule.replacement, rule.condition, rule.needs, sorted(compiled_.notundef)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def table() -> dict[str, dict[str, str]]:
    """Name of each rule to its digest and, by width, to how it was proved; as `write` left it."""
    found: dict[str, dict[str, str]] = json.loads(TABLE.read_text())
    return found


def widths_proved(rule: Rule, kept: dict[str, dict[str, str]]) -> tuple[int, ...]:
    """Where the table says that the rule was proved for all constants; none where the rule has changed since."""
    row = kept.get(rule.name, {})
    if row.get("digest") != digest(rule):
        return ()
    return tuple(int(width) for width, how in row.items() if width.isdigit() and how.startswith("proved"))


def widths_not_proved(rule: Rule, kept: dict[str, dict[str, str]]) -> tuple[tuple[int, str], ...]:
    """Widths where the table has no proof for all constants, each with "sampled" or "left out".

    A rule that has changed since, or was never tried, is left out at all of its widths.
    """
    row = kept.get(rule.name, {})
    if row.get("digest") != digest(rule):
        row = {}
    results = ((width, row.get(str(width), Result.LEFT_OUT.value).partition(":")[0]) for width in rule.widths)
    return tuple(one for one in results if one[1] in (Result.SAMPLED.value, Result.LEFT_OUT.value))


def write(rows: Iterable[Proof], path: Path = TABLE) -> dict[str, int]:
    """Put proofs into the table beside those of other widths, and count the results."""
    known = {rule.name: rule for rule in rules.ALL}
    kept = json.loads(path.read_text()) if path.exists() else {}
    kept = {name: row for name, row in kept.items() if name in known and row["digest"] == digest(known[name])}
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.result.value] = counts.get(row.result.value, 0) + 1
        line = kept.setdefault(row.rule, {"digest": digest(known[row.rule])})
        told = [row.result.value, *([row.how] if row.how and row.result is not Result.LEFT_OUT else [])]
        line[str(row.width)] = ": ".join(told)
    lines = [f"{json.dumps(name)}: {json.dumps(kept[name])}" for name in known if name in kept]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return counts


@dataclass(frozen=True)
class Listed:
    """A rule as it is shown: `needs` holds the condition and what must be established.

    widths: where it is proved for all constants; not_proved: other widths, and how it stands there, "sampled" or
    "left out"; where it does not apply is left out of both.
    """

    name: str
    kind: str
    rewrite: str
    needs: str
    reason: str
    widths: tuple[int, ...]
    not_proved: tuple[tuple[int, str], ...] = ()


def listing(kind: str | None = None) -> tuple[Listed, ...]:
    """Every rule of the library, or those of one kind, with the widths where it is proved for all constants.

    ValueError for a kind that there is not.

    >>> next(row.rewrite for row in listing("identity") if row.name == "add-zero")
    '(add x 0) -> x'
    """
    everything = (*rules.ALL, *STRUCTURAL)
    kinds = {rule.kind for rule in everything}
    if kind is not None and kind not in kinds:
        raise ValueError(f"there is no kind {kind!r} of rules; there are {', '.join(sorted(kinds))}")
    kept = table()
    return tuple(
        Listed(
            rule.name,
            rule.kind,
            f"{rule.pattern} -> {rule.replacement}",
            "; ".join(([rule.condition] if rule.condition != "True" else []) + list(_all_needs(rule))),
            rule.reason,
            widths_proved(rule, kept) if rule.widths else (),
            widths_not_proved(rule, kept) if rule.widths else (),
        )
        for rule in everything
        if kind in (None, rule.kind)
    )


def _all_needs(rule: Rule) -> tuple[str, ...]:
    """The needs as written, and those that follow from a value's being used twice."""
    if not rule.widths:
        return rule.needs
    implied = compiled(rule).notundef - {name for need in rule.needs for name in (need,) if name.isidentifier()}
    return (*rule.needs, *(f"notundef({name})" for name in sorted(implied) if f"notundef({name})" not in rule.needs))


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove rules, show what is not proved, and write the table; 1 where a rule is refuted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", type=int, nargs="*", default=[])
    parser.add_argument("--name", default="", help="only rules whose kind or name has this in it")
    parser.add_argument("--seconds", type=float, default=2.0, help="for a query")
    parser.add_argument("--budget", type=float, default=20.0, help="for a rule at a width")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most", type=int, default=None, help="rules at most")
    parser.add_argument("--write", action="store_true", help=f"into {TABLE.name}")
    given = parser.parse_args(arguments)
    chosen = islice((rule for rule in rules.ALL if given.name in f"{rule.kind} {rule.name}"), given.most)
    rows = []
    for row in proved(chosen, given.widths, processes=given.processes, seconds=given.seconds, budget=given.budget):
        rows.append(row)
        if row.result not in (Result.PROVED, Result.NONE):
            print(f"{row.rule} at i{row.width}: {row.result.value} {row.how} {row.detail}", flush=True)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.result.value] = counts.get(row.result.value, 0) + 1
    if given.write:
        write(rows)
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())), f"in {len(rows)} proofs")
    return int(any(row.result is Result.REFUTED for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
