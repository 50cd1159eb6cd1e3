"""The verb `superopt`: one file in, what was proved to be cheaper out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from m4alloc.check.progress import Progress, Silent
from m4alloc.superopt import idioms_prove
from m4alloc.superopt.equivalence import CONTRADICTION, SAME, funnel, refines
from m4alloc.superopt.fact_terms import names as fact_names
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_constants import tables
from m4alloc.superopt.ir import VOID, Block, Function, Instruction, Module
from m4alloc.superopt.needed import needed
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.pipeline import METHODS
from m4alloc.superopt.problem import OBJECTIVES, TARGETS
from m4alloc.superopt.report import RewriteReport, Rewritten, VerifyReport
from m4alloc.superopt.run_function import Rewrite, Settings
from m4alloc.superopt.run_module import searched
from m4alloc.superopt.run_surroundings import constants_of, differing, foreign, laid_out_otherwise, unplaced
from m4alloc.superopt.smt_attributes import noundef
from m4alloc.superopt.source import plain, read, typed_pointers
from m4alloc.superopt.verdict import Outcome

NOT_ASKED_FOR = "it was not asked for"
WHOLE = Fact("no argument is undef in part", "as `or undef, 1` would be")


class SuperoptError(ValueError):
    """The input is at fault; the message says what would be right."""


def superopt(
    path: str | Path,
    *,
    function: str | None = None,
    assume: Sequence[str] = (),
    target: str = "x86-64",
    objective: str = "ir",
    methods: Sequence[str] = METHODS,
    weights: str | Path | None = None,
    budget: float = 60.0,
    seed: int = 0,
    jobs: int = 2,
    scheduler: str = "",
    state: str | Path | None = None,
    resume: bool = False,
    shared: bool = False,
    thorough: bool = False,
    proof_seconds: float = 5.0,
    measure: bool = True,
    clang: Sequence[str] = (),
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> RewriteReport:
    """Search every function of the file (or one) for something cheaper, and prove it before it is used.

    path: LLVM's text (.ll), C (.c, through clang) or Cython (.pyx).  assume: facts about the arguments, each in the
    language of `Fact`.  target: one of TARGETS.  objective: what is made smaller, "ir", "instructions" or "latency".
    methods: of m4alloc.superopt.pipeline; weights: a file of a trained agent, for "policy".  budget: seconds for each
    function.  jobs: processes: two for one function, one function in each for several.  scheduler:
    the address of a cluster of dask.distributed to search several on.  state: a file that keeps functions that are
    finished; with resume those in it are not searched again.  shared: other threads may touch the memory.  thorough: go
    on after all smaller programs have been tried.  clang: flags for it.
    KeyboardInterrupt ends the search; the report holds the best so far, of several functions those that were finished.
    Raises SuperoptError, IrError, FactError, MethodError, CampaignStateError: all are ValueErrors, of the input;
    EngineError, OSError.
    """
    settings = Settings(
        target, objective, tuple(methods), budget, seed, jobs, shared, thorough, proof_seconds, measure,
        "" if weights is None else str(weights),
    )  # fmt: skip
    _require(settings)
    began = time.monotonic()
    module = module_in(path, function, clang)
    if why := foreign(module.data_layout):
        raise SuperoptError(f"{path}: {why}")
    not_placed = {one.name: why for one in module.functions if (why := unplaced(module.data_layout, one))}
    if len(not_placed) == len(module.functions):
        told = "; ".join(f"@{name}: {why}" for name, why in not_placed.items())
        raise SuperoptError(f"{path}: there is no function to search; {told}")
    settings = replace(settings, tables=tables(module.globals))
    wanted = [(one, _about(one, assume)) for one in module.functions if one.name not in not_placed]
    _require_facts(wanted, assume)
    interrupted = False
    found: list[Rewritten] = []
    with progress or Silent() as shown:
        if len(wanted) > 1 or scheduler or resume:
            campaign = searched(
                wanted, settings, scheduler=scheduler, state=None if state is None else Path(state),
                resume=resume, progress=shown, tell=tell,
            )  # fmt: skip
            found, interrupted = campaign.found, campaign.interrupted
        else:
            for one, facts in wanted:
                run = Rewrite(one, facts, settings, shown, tell)
                found.append(run.rewritten())
                interrupted = run.interrupted
    skipped = {name: why for name, why in module.skipped.items() if why != NOT_ASKED_FOR} | not_placed
    return RewriteReport(
        str(path), target, objective, tuple(map(Fact, assume)), tuple(found), skipped, settings.methods, budget, seed,
        time.monotonic() - began, len(wanted), interrupted, module=module, notes=notes_of(path),
    )  # fmt: skip


def verify(
    first: str | Path,
    second: str | Path,
    *,
    function: str | None = None,
    assume: Sequence[str] = (),
    budget: float = 60.0,
    shared: bool = False,
    unroll: int = 0,
    clang: Sequence[str] = (),
) -> VerifyReport:
    """Whether the function in `second` refines that in `first`, through the whole funnel.

    function: its name in both files; where each file holds one function, their names may differ.  unroll: follow loops
    so often; where that is 0, loops are proved by induction, or written out where constants end them.
    Raises IrError, SignatureError, FactError: all are ValueErrors.
    """
    _require_seconds(budget)
    if unroll < 0:
        raise SuperoptError(f"--unroll {unroll}: a loop is followed no less than 0 times")
    modules = [module_in(path, function, clang) for path in (first, second)]
    source, target = (_only(module, path) for module, path in zip(modules, (first, second), strict=True))
    facts = tuple(Fact(text) for text in assume)
    _require_facts([(source, facts)], assume)
    began = time.monotonic()
    verdict = funnel(source, target, facts, seconds=budget, shared=shared, unroll=unroll)
    verdict = needed(
        verdict,
        lambda fewer, left: refines(source, target, fewer, seconds=left, shared=shared, unroll=unroll),
        seconds=0.1 * budget,
    )
    has_loop = any(map(idioms_prove.has_loop, (source, target)))
    if verdict.outcome is Outcome.UNKNOWN and has_loop and not unroll and not shared:
        left = budget - (time.monotonic() - began)
        other = idioms_prove.proved(source, target, facts, seconds=left, known=tables(modules[0].globals))
        if other.outcome is not Outcome.UNKNOWN:
            known = tables(modules[0].globals)
            other = needed(
                other,
                lambda fewer, left: idioms_prove.proved(source, target, fewer, seconds=left, known=known),
                seconds=0.1 * budget,
            )
            verdict = replace(other, seconds=time.monotonic() - began)
    if verdict.accepted and verdict.method != SAME and not all(noundef(one.attributes) for one in source.arguments):
        left = max(0.1 * budget, budget - (time.monotonic() - began))
        given = verdict.assumptions
        other = refines(source, target, given, seconds=left, shared=shared, unroll=unroll, partly=True)
        if not other.accepted:
            verdict = replace(verdict, assumptions=(*verdict.assumptions, WHOLE))
    pair, functions = (modules[0], modules[1]), (source, target)
    why = differing(pair, functions, is_text=verdict.method == SAME) if verdict.accepted else ""
    alike = verdict.method == SAME and modules[0].data_layout == modules[1].data_layout
    if verdict.outcome is not Outcome.UNKNOWN and not alike:
        why = why or laid_out_otherwise(pair, functions)
    if why:
        verdict = replace(verdict, outcome=Outcome.UNKNOWN, reason=why, obligations=(), counterexample=None)
    names = constants_of(modules[0], source) + constants_of(modules[1], target)
    if names and verdict.outcome is Outcome.COUNTEREXAMPLE:
        why = f"a counterexample was found that may hinge on the contents of the constant @{names[0]}"
        verdict = replace(verdict, outcome=Outcome.UNKNOWN, reason=why, counterexample=None)
    notes = dict.fromkeys((*notes_of(first), *notes_of(second)))
    return VerifyReport(str(first), str(second), source, target, verdict, tuple(notes))


def notes_of(path: str | Path) -> tuple[str, ...]:
    """What is to be known of how a file was read: that it is of an LLVM before 15, whose pointers had types."""
    if Path(path).suffix != ".ll":
        return ()
    typed = typed_pointers(Path(path).read_text())
    return (
        (f"{path}: pointers with types, as {typed}, are of an LLVM before 15; they were read as ptr",) if typed else ()
    )


def module_in(path: str | Path, function: str | None, flags: Sequence[str]) -> Module:
    """The module in a file, with at least one function.  Raises IrError, SuperoptError, OSError."""
    try:
        module = read(path, function, flags=flags)
    except UnicodeDecodeError as error:
        raise IrError(f"{path}: no text, byte {error.start} is {error.object[error.start]:#04x}") from None
    if not module.functions:
        reasons = "".join(f"; @{name}: {why}" for name, why in module.skipped.items())
        raise SuperoptError(f"{path}: there is no function to search{reasons}")
    return module


def _only(module: Module, path: str | Path) -> Function:
    if len(module.functions) == 1:
        return module.functions[0]
    names = ", ".join(sorted(plain(each.name) for each in module.functions)[:20])
    raise SuperoptError(f"{path} defines {len(module.functions)} functions; name one with --function: {names}")


def _require(settings: Settings) -> None:
    if settings.target not in TARGETS:
        raise SuperoptError(f"no target {settings.target!r}; there are {', '.join(TARGETS)}")
    if settings.objective not in OBJECTIVES:
        raise SuperoptError(f"no objective {settings.objective!r}; there are {', '.join(OBJECTIVES)}")
    _require_seconds(settings.budget)
    if settings.jobs < 1:
        raise SuperoptError(f"{settings.jobs} processes: one at least is wanted")
    if settings.weights and "policy" not in settings.methods:
        raise SuperoptError("weights are for the method policy: --method policy --weights FILE")
    settings.searches()


def _require_seconds(seconds: float) -> None:
    if not 0 < seconds < float("inf"):
        raise SuperoptError(f"a budget of {seconds:g} s: a time above 0 is wanted, as 30, 90s or 2m")


def _require_facts(wanted: Sequence[tuple[Function, tuple[Fact, ...]]], assume: Sequence[str]) -> None:
    """Every fact is of some function, and those of a function can hold together.  SuperoptError, FactError."""
    used = {fact.text for _, facts in wanted for fact in facts}
    for text in assume:
        if text not in used:
            if len(wanted) == 1:
                refines(wanted[0][0], wanted[0][0], [Fact(text)], seconds=1.0)  # raises FactError, with the place
            names = ", ".join(dict.fromkeys(argument.name for one, _ in wanted for argument in one.arguments))
            raise SuperoptError(f"--assume {text!r}: no function has all these arguments; there are: {names or 'none'}")
    for one, facts in wanted:
        # A body that does nothing: only the facts are looked at.
        nothing = replace(one, type=VOID, return_attributes=(), blocks=(Block("entry", (Instruction("ret", VOID),)),))
        if facts and refines(nothing, nothing, facts, seconds=2.0).reason == CONTRADICTION:
            told = " and ".join(repr(fact.text) for fact in facts)
            raise SuperoptError(f"nothing satisfies {told} for @{one.name}: from a contradiction anything is proved")


def _about(function: Function, assume: Sequence[str]) -> tuple[Fact, ...]:
    """The facts that speak of this function's arguments only.  Raises FactError."""
    names = {argument.name for argument in function.arguments}
    return tuple(Fact(text) for text in assume if fact_names(Fact(text)) <= names)
