"""Which wrong uses of the heap does an allocator stop, and which knob of ours pays for which?

    python -m benchmarks.detect [--strategy PRESET] [--knobs] [--only CATEGORY] [--repeat 3] [--misses NAME]
                                [--library NAME=PATH] [--json FILE] [--list]

Each case of benchmarks/detection is a program that does one thing that no program may do and goes on. It counts as
caught when the program was stopped, or what it is after was not to be had, before its NOT_CAUGHT line: with a message
or by a fault at the wrong operation, at a later call, or because the old contents, the address, the block are not to
be had. A wrong free that is silently ignored does not count, nor does a hang. Cases that are caught in some runs only
show as a range: caught in every run, and in any.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from benchmarks.detection.runs import Case, Ran, Subject, Verdict, cases, compile_cases, false_alarm, run_all
from m4alloc.bench.peer import Peer, machine, peers, presets
from m4alloc.strategy import Strategy, StrategyError
from m4alloc.view.text import table

Results = Mapping[Case, Sequence[Ran]]
"""What became of every case in each of its runs."""


def strategy(text: str) -> Strategy:
    """The preset of that name, or default with `knob=number` changed, more than one with commas.

    Raises ValueError: there is no such preset or knob, or the value is none of its values.

    >>> strategy("guards=1,delay_line=64") == Strategy(guards=True, delay_line=64)
    True
    """
    if text in presets():
        return presets()[text]
    changed: dict[str, int] = {}
    for word in text.split(","):
        name, _, value = word.partition("=")
        default = getattr(Strategy.default(), name, None) if value.isdecimal() else None
        if not isinstance(default, int):
            numbers = ", ".join(field.name for field in fields(Strategy) if field.name != "classes")
            raise ValueError(f"--strategy {text}: want one of {', '.join(presets())}, or knob=number, knob: {numbers}")
        changed[name] = int(value)
    try:
        return Strategy.default().with_(**changed)
    except StrategyError as error:
        raise ValueError(f"--strategy {text}: {error}") from error


def knobs() -> dict[str, object]:
    """The knobs in which preset hardened differs from default, with hardened's values."""
    default, hardened = Strategy.default(), Strategy.hardened()
    values = {field.name: getattr(hardened, field.name) for field in fields(Strategy)}
    return {name: value for name, value in values.items() if value != getattr(default, name)}


def always(results: Results) -> set[Case]:
    """The cases caught in every run."""
    return {case for case, ran in results.items() if all(run.verdict.caught for run in ran)}


def ever(results: Results) -> set[Case]:
    """The cases caught in some run."""
    return {case for case, ran in results.items() if any(run.verdict.caught for run in ran)}


def counted(results: Results, category: str | None) -> str:
    """How many of a category's cases (None: of all) were caught, as a range if chance had a part.

    >>> over = Case("overflow", "over by 1", 8, "", "")
    >>> counted({over: [Ran(Verdict.LATE), Ran(Verdict.MISSED)]}, None)
    '0-1'
    """
    least, most = (
        sum(category in (None, case.category) for case in caught) for caught in (always(results), ever(results))
    )
    return str(least) if least == most else f"{least}-{most}"


def by_category(results: Mapping[str, Results]) -> list[str]:
    """The table of categories and allocators."""
    first = next(iter(results.values()))
    categories = dict.fromkeys(case.category for case in first)
    sizes = {category: sum(case.category == category for case in first) for category in categories}
    rows = [[category, str(sizes[category]), *(counted(r, category) for r in results.values())] for category in sizes]
    rows.append(["all", str(len(first)), *(counted(r, None) for r in results.values())])
    return table(rows, ["caught", "of", *results], right=range(1, len(results) + 2))


def by_verdict(results: Mapping[str, Results]) -> list[str]:
    """The table of how the runs ended; with several runs of each case, of all of them."""
    rows = []
    for verdict in Verdict:
        counts = [sum(run.verdict is verdict for ran in r.values() for run in ran) for r in results.values()]
        if any(counts):
            rows.append([verdict.value + ("" if verdict.caught else " *"), *map(str, counts)])
    lines = table(rows, ["runs that ended", *results], right=range(1, len(results) + 1))
    return [*lines, "* not counted as caught"]


def together(some: Iterable[Case]) -> str:
    """The cases, the sizes of one name together.

    >>> together(Case("overflow", "over by 1", size, "", "") for size in (8, 4096))
    'over by 1 (8, 4096)'
    """
    sizes: dict[str, list[str]] = {}
    for case in some:
        sizes.setdefault(case.name, []).extend([str(case.size)] if case.size else [])
    return ", ".join(f"{name} ({', '.join(of)})" if of else name for name, of in sizes.items())


def by_knob(alone: Mapping[str, Results], without: Mapping[str, Results], base: Results, full: Results) -> list[str]:
    """What each knob is worth: alone on top of default, and left out of hardened. Then the cases, by knob."""
    rows, details = [], []
    for name in alone:
        gained = always(alone[name]) - always(base)
        lost = len(always(base) - ever(alone[name]))
        missed, found = len(always(full) - ever(without[name])), len(always(without[name]) - ever(full))
        rows.append([name, f"+{len(gained)}", f"-{lost}", f"-{missed}", f"+{found}"])
        details.append(f"  {name}: {together(case for case in base if case in gained) or 'no case'}")
    header = ["knob", "default with it: gained", "lost", "hardened without it: lost", "gained"]
    return [*table(rows, header, right=range(1, 5)), "", "Gained by one knob on top of default:", *details]


def misses(name: str, results: Results) -> list[str]:
    """The cases that were not caught in every run, by what could catch them."""
    missed = [case for case in results if case not in always(results)]
    groups: dict[str, list[Case]] = {}
    for case in missed:
        how = "caught by chance" if case in ever(results) else results[case][0].verdict.value
        groups.setdefault(f"{case.catcher}, {how}", []).append(case)
    lines = [f"Missed by {name}, by what can catch it: {len(missed)}"]
    return [*lines, *(f"  {group}: {together(some)}" for group, some in groups.items())]


def lost_to_peers(name: str, results: Mapping[str, Results], others: Sequence[str]) -> list[str]:
    """What some other allocator catches in every run and this one does not."""
    mine = always(results[name])
    groups: dict[str, list[Case]] = {}
    for case in results[name]:
        who = [other for other in others if case in always(results[other])]
        if who and case not in mine:
            groups.setdefault(", ".join(who), []).append(case)
    lines = [f"Caught by a peer and not always by {name}: {sum(map(len, groups.values()))}"]
    return [*lines, *(f"  {who}: {together(some)}" for who, some in groups.items())]


def subjects(libraries: Sequence[str], strategies: Sequence[str]) -> tuple[list[Subject], list[str]]:
    """The allocators to compare: the peers, then ours in each preset; and what is not installed.

    strategies: as strategy() reads them; all presets when there are none. Raises ValueError: as strategy() does, and
    for a library that does not exist.
    """
    among, missing = peers(libraries)
    ours = next(peer for peer in among if peer.name == "m4alloc")
    chosen = [Subject(peer.name, peer) for peer in among if peer is not ours]
    return [*chosen, *(variant(ours, name, strategy(name)) for name in strategies or presets())], missing


def variant(ours: Peer, name: str, chosen: Strategy) -> Subject:
    """Our core with a strategy."""
    return Subject(name, ours, chosen.to_environment())


def selected(among: Sequence[Case], categories: Sequence[str]) -> list[Case]:
    """The cases of these categories; all if none is named. Raises ValueError: there is no such category."""
    known = list(dict.fromkeys(case.category for case in among))
    for category in categories:
        if category not in known:
            raise ValueError(f"--only {category}: the categories are {', '.join(known)}")
    return [case for case in among if not categories or case.category in categories]


def measure(
    program: Path, chosen: Sequence[Case], among: Sequence[Subject], repeat: int, jobs: int
) -> dict[str, Results]:
    """Run every case on every subject; progress goes to standard error."""
    results: dict[str, Results] = {}
    print(f"{len(among)} columns of {len(chosen)} cases, {repeat} runs each:", end="", file=sys.stderr, flush=True)
    for subject, ran in run_all(program, chosen, among, repeat, jobs):
        results[subject.name] = ran
        print(f" {subject.name}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def measure_knobs(
    program: Path, chosen: Sequence[Case], repeat: int, jobs: int
) -> tuple[list[str], dict[str, Results]]:
    """The knobs' table, and all that it is from."""
    ours = next(peer for peer in peers()[0] if peer.name == "m4alloc")
    default, hardened, values = Strategy.default(), Strategy.hardened(), knobs()
    among = [variant(ours, "default", default), variant(ours, "hardened", hardened)]
    refused = []
    for name, value in list(values.items()):
        try:
            alone, without = default.with_(**{name: value}), hardened.with_(**{name: getattr(default, name)})
        except StrategyError as error:
            refused.append(f"{name} goes with others only: {error}")
            del values[name]
            continue
        among += [variant(ours, f"default with {name}", alone), variant(ours, f"hardened without {name}", without)]
    results = measure(program, chosen, among, repeat, jobs)
    lines = by_knob(
        {name: results[f"default with {name}"] for name in values},
        {name: results[f"hardened without {name}"] for name in values},
        results["default"],
        results["hardened"],
    )
    return [*lines, *refused], results


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--strategy",
        action="append",
        default=[],
        metavar="STRATEGY",
        help="ours in this preset, or with these knobs as knob=number,... (default: every preset)",
    )
    parser.add_argument("--only", action="append", default=[], metavar="CATEGORY", help="these cases only")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each case (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="children at a time (default: cores)")
    parser.add_argument("--knobs", action="store_true", help="measure each knob of preset hardened as well")
    parser.add_argument(
        "--misses", action="append", default=[], metavar="NAME", help="what NAME misses, and which of it a peer catches"
    )
    parser.add_argument("--list", action="store_true", help="the cases, what each does and what can catch it")
    parser.add_argument("--library", action="append", default=[], metavar="NAME=PATH", help="one more allocator")
    parser.add_argument("--json", type=Path, help="write every verdict there")
    given = parser.parse_args(words)
    if given.repeat < 1 or given.jobs < 1:
        parser.error("--repeat and --jobs must be 1 or more")
    with tempfile.TemporaryDirectory() as directory:
        program = compile_cases(Path(directory))
        if given.list:
            rows = [[case.category, str(case), case.does, case.catcher] for case in cases(program)]
            print("\n".join(table(rows, ["category", "case and size", "what is done", "what can catch it"])))
            return 0
        try:
            among, missing = subjects(given.library, given.strategy)
            chosen = selected(cases(program), given.only)
            for name in given.misses:
                if name not in (known := [subject.name for subject in among]):
                    raise ValueError(f"--misses {name}: the allocators are {', '.join(known)}")
        except ValueError as error:
            parser.error(str(error))
        categories = dict.fromkeys(case.category for case in chosen)
        foreign = [subject.name for subject in among if subject.peer.name != "m4alloc"]
        alarms = [f"{s.name}: {alarm}" for s in among for c in categories if (alarm := false_alarm(program, s, c))]
        results = measure(program, chosen, among, given.repeat, given.jobs)
        lines = [*by_category(results), "", *by_verdict(results), ""]
        lines += [f"FALSE ALARM of {alarm}" for alarm in alarms]
        for name in given.misses:
            lines += [*misses(name, results[name]), ""]
            lines += [*lost_to_peers(name, results, [other for other in foreign if other != name]), ""]
        if given.knobs:
            knob_lines, knob_results = measure_knobs(program, chosen, given.repeat, given.jobs)
            lines += [*knob_lines, ""]
            results |= {name: ran for name, ran in knob_results.items() if name not in results}
    print("\n".join([*lines, *missing]))
    if given.json:
        verdicts = {
            name: {
                f"{case.category}: {case}": [(run.verdict.value, run.message) for run in ran] for case, ran in r.items()
            }
            for name, r in results.items()
        }
        result = {"benchmark": "detection", "machine": machine(), "false_alarms": alarms, "verdicts": verdicts}
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
