"""Hold an allocator to the specification: any shared library with malloc and free."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from m4alloc.check.alphabet import MAX_DEPTH, SIZES, SLOTS, usual
from m4alloc.check.campaign import DIRECTED, ENGINES, EXHAUSTIVE, RANDOM, Campaign, Done
from m4alloc.check.check_files import command, restored, saved, write
from m4alloc.check.check_report import CheckReport, Engine, Written
from m4alloc.check.finding import TIMES, Finding, requests_in
from m4alloc.check.foreign import Foreign
from m4alloc.check.hunt import Hunt
from m4alloc.check.judgement import Terms, narrowed
from m4alloc.check.operation import Operation
from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.check.verify_report import RuleCount
from m4alloc.lib import lib
from m4alloc.view.quantity import number, plural
from spec.contract import EXPECTATIONS
from spec.event import Function
from spec.script_reader import parse
from spec.standard import contract
from spec.statement import Script

OURS = "c17,glibc"
FOREIGN = "c23,posix"
"""What a library is held to when nobody says: our own and the system's to what they claim, others to what all do."""
STATE = "campaign.json"
NOT_CARRIED_OUT = "not carried out"
"""What is said of a search that did nothing: the time was over before its turn came, or all ended before."""


class CheckError(ValueError):
    """The request itself was at fault: what was wrong, and what would be right."""


def check(
    library: str | os.PathLike[str] = "m4alloc",
    *,
    standard: str = "",
    budget: float = 60.0,
    seed: int = 0,
    jobs: int = 0,
    symbol_prefix: str = "",
    sizes: Sequence[int] = SIZES,
    slots: int = SLOTS,
    depth: int = MAX_DEPTH,
    engines: Sequence[str] = ENGINES,
    promises: Sequence[str] = (),
    without: Sequence[str] = (),
    misuse: bool = False,
    stop_at_first: bool = False,
    output: str | os.PathLike[str] | None = "findings",
    resume: bool = False,
    timeout: float = 10.0,
    env: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Drive `library` in forked children for `budget` seconds, and say which rules of the standard it broke.

    library: the path of a shared library, "m4alloc", or "system" for the C library's. standard: as
    `spec.standard.contract` takes it; empty means c17,glibc for our own and the system's, c23,posix for any other.
    jobs: drivers at once, 0 for one a processor. symbol_prefix: `je_` where malloc is je_malloc. sizes, slots: the
    alphabet of the exhaustive search, bytes and blocks at once; depth: requests in a sequence at most.
    engines: of directed, exhaustive, random. promises: rules that the library promises beyond the standards. without:
    rules to leave out. misuse: double frees and their kin are tried, too: do live blocks come to share memory?
    stop_at_first: end at the first finding. output: the folder for findings and state, None for none.
    resume: go on with the campaign in that folder. timeout: seconds that a batch of calls may take.
    env: variables added to the driver's.
    Raises CheckError (also: the folder holds findings of another library, which would be overwritten), WorkerError,
    LibraryError, ValueError (standard, rules), OSError.

    >>> report = check("system", budget=3, engines=["exhaustive"], sizes=[16], depth=2, jobs=1, output=None)
    >>> report.verdict.value, report.exit_status, report.depth
    ('HOLDS', 0, 2)
    """
    name, path = os.fspath(library), place_of(library)
    asked = asked_of(name, standard, promises, without, misuse)
    check_request(budget, jobs, engines, depth)
    start = partial(Foreign, path, timeout=timeout, environment=env, prefix=symbol_prefix, seed=seed)
    with start() as first:
        functions, terms = first.functions, first.terms(asked)
    alphabet = usual(functions, tuple(sizes), slots)
    folder = None if output is None else Path(output)
    identity: dict[str, object] = {
        "library": digest(path),
        "standard": terms.standard,
        "seed": seed,
        "alphabet": str(alphabet),
        "prefix": symbol_prefix,
        "promises": sorted(promises),
        "without": sorted(without),
        "misuse": misuse,
    }
    if folder is not None and not resume:  # a campaign itself goes on only with what it began with
        refuse_findings_of_another(folder, path, digest(path))
    done = (
        Done.load(folder / STATE, identity) if resume and folder is not None and (folder / STATE).exists() else Done()
    )
    written = {rule: restored(held) for rule, held in done.findings.items()}
    unwritten: list[str] = []

    def checkpoint() -> None:
        if folder is None or unwritten:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            done.save(folder / STATE, identity, whole_path(path))
        except OSError as error:
            unwritten.append(f"not written: {error.filename}: {error.strerror}")

    def keep(finding: Finding) -> None:
        rule = finding.rule.name
        written[rule] = Written(finding, {}, "")  # what was found is told even where it cannot be written
        if folder is None or unwritten:
            return
        try:
            written[rule] = write(
                finding,
                folder,
                name,
                prefix=symbol_prefix,
                environment=env,
                measures=Function.USABLE_SIZE in functions,
                seed=seed,
            )
        except OSError as error:
            unwritten.append(f"not written: {error.filename}: {error.strerror}")
        else:
            done.findings[rule] = saved(written[rule])
            checkpoint()

    watcher = Silent() if progress is None else progress
    notes = [random_note(start, seed)]
    with interrupts_noted() as interrupts, watcher:
        campaign = Campaign(
            start,
            terms,
            alphabet,
            budget,
            jobs or os.cpu_count() or 1,
            seed,
            depth,
            tuple(engine for engine in ENGINES if engine in engines),
            stop_at_first,
            done,
            watcher,
            keep,
            lambda: bool(interrupts),
            checkpoint=checkpoint,
            findings={rule: found.finding for rule, found in written.items()},
        )
        campaign.run()
        interrupted = bool(interrupts)
    if folder is not None and (folder.exists() or interrupted):
        checkpoint()
    starved = sum(hunt.starved for hunt in campaign.hunts)
    if starved:
        notes.append(f"{plural(starved, 'plan')} cut short: the system killed the driver, since memory ran out")
    notes += unwritten[:1]
    return report_of(
        name, functions, terms, campaign, list(written.values()), folder, interrupted, notes, symbol_prefix
    )


def place_of(library: str | os.PathLike[str]) -> str:
    """The path to load: our own library's for "m4alloc". Raises LibraryError: it was not built."""
    name = os.fspath(library)
    return os.fspath(lib()) if name == "m4alloc" else name


def default_standard(name: str) -> str:
    """What a library is held to when nobody says.

    >>> default_standard("system"), default_standard("./libmine.so")
    ('c17,glibc', 'c23,posix')
    """
    return OURS if name in ("m4alloc", "system") else FOREIGN


def asked_of(name: str, standard: str, promises: Sequence[str], without: Sequence[str], misuse: bool) -> Terms:
    """What the library is to be held to. Raises ValueError: there is no such standard, promise or rule."""
    named = standard or default_standard(name)
    terms = Terms(contract(named).name, promises=frozenset(promises), without=frozenset(without), misuse=misuse)
    narrowed(terms.standard, terms.promises, terms.without)
    return terms


def check_request(budget: float, jobs: int, engines: Sequence[str], depth: int) -> None:
    """Raise CheckError unless the numbers make sense."""
    if not budget > 0:
        raise CheckError(f"a budget of {budget:g} seconds: it must be more than 0")
    if jobs < 0:
        raise CheckError(f"{jobs} jobs: at least 1, or 0 for one a processor")
    if not 1 <= depth <= MAX_DEPTH:
        raise CheckError(f"sequences of {depth} requests: from 1 to {MAX_DEPTH}")
    unknown = [engine for engine in engines if engine not in ENGINES]
    if unknown or not engines:
        raise CheckError(f"engine {unknown[0] if unknown else '(none)'!r}: the engines are {', '.join(ENGINES)}")
    if RANDOM in engines and importlib.util.find_spec("hypothesis") is None:
        raise CheckError(
            "the random search needs hypothesis: pip install 'm4alloc[check]'; without it: "
            f"--engine {DIRECTED} --engine {EXHAUSTIVE}"
        )


def random_note(start: Callable[..., Foreign], seed: int) -> str:
    """What a reader should know of an allocator that is random inside; empty when it is not.

    The same few requests are put to it twice with this seed and once with another.
    """
    plan = [Operation(Function.MALLOC, size=size) for size in (16, 100, 5000, 300_000)]
    seen = []
    for one in (seed, seed, seed + 1):
        with start(seed=one) as foreign:
            seen.append([event.result for event in foreign.run(plan).events])
    if seen[0] != seen[1]:
        return "the allocator is random beyond what a seed settles: its bound is one for these runs"
    return f"the allocator is random inside: its bound is one for seed {seed}" if seen[1] != seen[2] else ""


def digest(path: str) -> str:
    """What tells one build of a library from another."""
    return path if path == "system" else hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def whole_path(path: str) -> str:
    """Where the library lies, however it was named.

    >>> whole_path("system")
    'system'
    """
    return path if path == "system" else os.fspath(Path(path).resolve())


def refuse_findings_of_another(folder: Path, path: str, build: str) -> None:
    """Raise CheckError when the folder holds findings of a library that lies elsewhere and is another build.

    A library that was built anew in its place, or copied, is the same: its findings are to be replaced.
    """
    try:
        held = json.loads((folder / STATE).read_text(encoding="utf-8"))
        other, same, findings = held["path"], held["identity"]["library"] == build, held["done"]["findings"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing there says whose the findings are
    if findings and other and not same and other != whole_path(path):
        raise CheckError(
            f"{folder}: holds findings of another library, {other}, which would be overwritten; "
            "another folder is given with -o DIR (--output)"
        )


def report_of(
    name: str,
    functions: frozenset[Function],
    terms: Terms,
    campaign: Campaign,
    written: Sequence[Written],
    folder: Path | None,
    interrupted: bool,
    notes: list[str],
    prefix: str,
) -> CheckReport:
    """What the campaign saw."""
    done = campaign.done
    broken = {finding.finding.rule.name for finding in written}
    rules = [*terms.contract.rules.values(), *(r for n, r in EXPECTATIONS.items() if n not in terms.without)]
    in_part = sum(done.parts.values())
    if folder is not None and any(finding.files for finding in written):
        notes.append(f"the findings are in {folder}/")
    return CheckReport(
        name,
        tuple(sorted(function.name.lower() for function in functions)),
        terms.standard,
        campaign.seed,
        done.seconds,
        tuple(engine_row(engine, campaign) for engine in campaign.engines),
        tuple(
            RuleCount(rule.name, rule.sentence, rule.source, done.observed.get(rule.name, 0), int(rule.name in broken))
            for rule in rules
        ),
        tuple(written),
        done.depth,
        done.sequences,
        in_part,
        str(campaign.alphabet),
        "" if folder is None or not folder.exists() else os.fspath(folder),
        tuple(filter(None, notes)),
        interrupted,
        resume_line(name, folder, campaign, prefix)
        if interrupted and folder is not None and (folder / STATE).exists()
        else "",
    )


def resume_line(name: str, folder: Path, campaign: Campaign, prefix: str) -> str:
    """How an interrupted campaign goes on: with all that it began with."""
    terms = campaign.terms
    words = ["m4alloc", "check", *([] if name == "m4alloc" else [name]), "--resume", "--output", os.fspath(folder)]
    words += ["--standard", terms.standard] if terms.standard != default_standard(name) else []
    words += ["--seed", str(campaign.seed)] if campaign.seed else []
    words += ["--symbol-prefix", prefix] if prefix else []
    sizes = [row.size for row in campaign.alphabet.makers if row.function == Function.MALLOC]
    words += ["--sizes", ",".join(map(str, sizes))] if tuple(sizes) != SIZES else []
    words += ["--slots", str(campaign.alphabet.slots)] if campaign.alphabet.slots != SLOTS else []
    words += [word for rule in sorted(terms.promises) for word in ("--promise", rule)]
    words += [word for rule in sorted(terms.without) for word in ("--without", rule)]
    words += ["--misuse"] if terms.misuse else []
    return shlex.join(words)


def engine_row(engine: str, campaign: Campaign) -> Engine:
    """One search of the report."""
    done = campaign.done
    operations = done.operations.get(engine, 0)
    if not operations and not done.broken.get(engine) and not (engine == DIRECTED and done.plans):
        detail = NOT_CARRIED_OUT
    elif engine == DIRECTED:
        of = f"{number(len(done.plans))} of " if len(done.plans) < done.planned else ""
        detail = f"{of}{plural(max(done.planned, len(done.plans)), 'plan')}, {plural(operations, 'operation')}"
    elif engine == EXHAUSTIVE:
        sizes = ",".join(str(row.size) for row in campaign.alphabet.makers if row.function == Function.MALLOC)
        more = f"; {number(sum(done.parts.values()))} of {done.depth + 1}" if done.parts else ""
        detail = f"{plural(done.sequences, 'sequence')}, sizes {{{sizes}}}, depth {done.depth}{more}"
        if not done.depth and done.broken.get(engine):
            detail = f"sequences of 1 request, sizes {{{sizes}}}"
    else:
        detail = f"{plural(operations, 'operation')} in {plural(done.rounds, 'round')}, seed {campaign.seed}"
    return Engine(engine, operations, detail, tuple(done.broken.get(engine, ())))


def replay(
    library: str | os.PathLike[str],
    script: Script,
    *,
    standard: str = "",
    symbol_prefix: str = "",
    times: int = TIMES,
    timeout: float = 10.0,
    seed: int = 0,
    env: Mapping[str, str] | None = None,
) -> CheckReport:
    """Carry out a script on `library` several times, each on a fresh heap of a fresh driver, and judge what comes back.

    standard: as for `check`; empty means what the script gives, else the default. The rest is as for `check`.
    Raises WorkerError, LibraryError, ValueError.

    >>> from spec.script import parse
    >>> replay("system", parse("a = malloc 24\\nfree a"), times=2).verdict.value
    'HOLDS'
    """
    name, path = os.fspath(library), place_of(library)
    standard = standard or script.settings.standard or ""
    # What a script does is meant: if it breaks the client's side, what comes of that is what it shows.
    asked = asked_of(name, standard, sorted(script.settings.promises or ()), (), misuse=True)
    start: Callable[[], Foreign] = partial(
        Foreign, path, timeout=timeout, environment=env, prefix=symbol_prefix, seed=seed
    )
    with start() as driver:
        functions, terms = driver.functions, driver.terms(asked)
    seen, observed, operations = [], dict[str, int](), 0
    for _ in range(times):
        hunt = Hunt(start, terms)
        try:
            seen.append(hunt.carry_out(script))
        finally:
            operations += hunt.operations
            for rule, count in hunt.observed.items():
                observed[rule] = observed.get(rule, 0) + count
            hunt.close()
    broken = [one for one in seen if one is not None]
    written: list[Written] = []
    if broken:
        first = broken[0]
        replays = sum(one.rule.name == first.rule.name for one in broken)
        found = replace(Hunt(start, terms).found(first, "script", script.source, script, replays), times=times)
        files = {"heap": script.source} if Path(script.source).exists() else {}
        written.append(Written(found, files, command(name, script.source, symbol_prefix, seed)))
    rules = [*terms.contract.rules.values(), *EXPECTATIONS.values()]
    names = {one.rule.name for one in broken}
    detail = f"{plural(requests_in(script), 'request')}, {plural(times, 'time')}"
    return CheckReport(
        name,
        tuple(sorted(function.name.lower() for function in functions)),
        terms.standard,
        seed,
        0.0,
        (Engine("script", operations, detail, tuple(sorted(names))),),
        tuple(
            RuleCount(rule.name, rule.sentence, rule.source, observed.get(rule.name, 0), int(rule.name in names))
            for rule in rules
        ),
        tuple(written),
    )


def holds(
    library: str | os.PathLike[str], script: str, *, times: int = TIMES, symbol_prefix: str = "", standard: str = ""
) -> None:
    """Raise AssertionError, with what was seen, unless the library keeps its contract on a heap script.

    script: the text of one. times: how often it is carried out, each on a fresh heap of a fresh process.

    >>> holds("system", "a = malloc 24\\nfree a", times=1)
    """
    report = replay(library, parse(script), standard=standard, symbol_prefix=symbol_prefix, times=times)
    for written in report.findings:
        found = written.finding
        raise AssertionError(f"{found} ({found.replays} of {times} times)")
