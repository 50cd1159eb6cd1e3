"""Model: check a model of an allocator, by our own search, the compiled one, or SPIN."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path as File

from m4alloc.model import runs
from m4alloc.model.continuation import continued
from m4alloc.model.report import Answered, ModelReport
from m4alloc.model.source import ModelError, Source, load
from spec.ltl.decide import satisfying
from spec.ltl.error import LogicError
from spec.ltl.formula import FALSE, Formula, Operator, conjunction, implies, negation
from spec.ltl.meter import Meter
from spec.ltl.parser import parse
from spec.model import search
from spec.model.counterexample import show
from spec.model.execution import Execution
from spec.model.options import OptionError
from spec.model.program import Program
from spec.model.promela import promela as to_promela
from spec.model.system import Result, Verdict
from spec.model.vocabulary import PropositionError, vocabulary, with_locations

ENGINES = ("auto", "own", "compiled", "spin")
DEADLOCK = "deadlock"
GOES_ON = "decided by the finite run below, which can go on fairly and as assumed"
Progress = Callable[[str, Meter], object]
_FEW = 10_000
"""States that our own search may store before "auto" goes on to the compiled one: some tenths of a second."""


def model(
    source: str | os.PathLike[str],
    *,
    properties: Sequence[str] = (),
    engine: str = "auto",
    constants: Mapping[str, int] | None = None,
    fair: bool = False,
    deadlock: bool = True,
    reduce: bool = False,
    symmetry: bool = False,
    compact: bool = False,
    states: int | None = None,
    budget: float | None = None,
    memory: int | None = None,
    promela: str | os.PathLike[str] | None = None,
    svg: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> ModelReport:
    """Check a model: for deadlocks and faults, and each of its properties.

    source: a file, or the name of a bundled model (`spec.model.catalogue`). properties: names of the model's, or
    formulas; none for the search for deadlocks and faults and all the properties that the model declares.
    engine: "own", readable Python; "compiled", the same made fast, which needs numba; "spin"; "auto": our own, and the
    compiled one for what has more than 10,000 states, where it is there and does what is asked.
    A property is first looked for in all runs. If that fails, and the model declares fairness or assumptions (fair:
    weak fairness of every process instead of what it declares), runs that are unfair or not as assumed are left out.
    deadlock: a state without successors in which a process has not come to its end counts. reduce, symmetry,
    compact: see docs/model-checking.md. constants: other values for the model's. states, budget (seconds), memory
    (bytes): bounds on each search. promela, svg: files for the model in Promela, and for the picture of the first
    counterexample. output: a folder for counterexamples, from where they can be replayed.
    Raises: ModelError, LogicError for what cannot be read; OptionError for options that cannot be combined; SpinError;
    OSError.  Cost: our own search 100,000 to a million transitions a second, the compiled one and SPIN some millions.

    >>> report = model("peterson", properties=["exclusive"], engine="own")
    >>> print(report.answers[0].verdict, report.exit_status)
    HOLDS 0
    """
    if engine not in ENGINES:
        raise ModelError(f"there is no engine {engine!r}; there are {', '.join(ENGINES)}")
    if budget is not None and not budget >= 0:
        raise ModelError(f"a search of {budget:g} seconds; a number that is not negative would be right")
    _refuse_unwritable([file for file in (promela, svg) if file is not None], output)
    loaded = load(os.fspath(source), constants)
    program = loaded.program
    questions = _questions(program, properties)
    try:
        program = with_locations(program, [formula for _, formula in questions if formula is not None])
    except PropositionError as error:
        raise ModelError(str(error)) from None
    loaded = loaded._replace(program=program)
    bounds = _Bounds(states, budget, memory)
    asker = _Asker(program, engine, bounds, deadlock, reduce, symmetry, compact, progress, not properties)
    answers: list[Answered] = []
    interrupted = False
    for name, formula in questions:
        try:
            answer = asker.answer(name, formula, fair)
        except KeyboardInterrupt:  # outside of a search, which would have come back with what it had
            interrupted = True
            break
        interrupted = answer.result.reason == "interrupted"
        answers.append(_told(answer, loaded, None if output is None else File(output)))
        if interrupted:
            break
    written = []
    if promela is not None:
        File(promela).write_text(
            _as_asked(program, answers[0] if len(questions) == len(answers) == 1 else None, fair), encoding="utf-8"
        )
        written.append(os.fspath(promela))
    if svg is not None and (first := next((one for one in answers if one.path is not None), None)):
        _draw(File(svg), program, first)
        written.append(os.fspath(svg))
    return ModelReport(
        loaded.name, program, engine, tuple(answers), loaded.constants, tuple(written), interrupted=interrupted
    )


def _refuse_unwritable(files: Sequence[str | os.PathLike[str]], folder: str | os.PathLike[str] | None) -> None:
    """Raise ModelError for what cannot be written, before a search has been waited for."""
    for name in files:
        file = File(name)
        if file.is_dir():
            raise ModelError(f"{file} is a folder; the name of a file would be right")
        if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
            raise ModelError(f"{file} cannot be written: {file.parent} is no folder that can be written to")
    if folder is not None and File(folder).exists() and not File(folder).is_dir():
        raise ModelError(f"{os.fspath(folder)} is a file; a folder for counterexamples would be right")


def _questions(program: Program, wanted: Sequence[str]) -> list[tuple[str, Formula | None]]:
    named = {one.name: one.formula for one in program.properties}
    if not wanted:
        return [(DEADLOCK, None), *named.items()]
    questions: list[tuple[str, Formula | None]] = []
    for text in wanted:
        if text in named or text == DEADLOCK:
            questions.append((text, named.get(text)))
            continue
        formula = parse(text)
        if formula.operator is Operator.PROPOSITION and text not in vocabulary(program) and "@" not in text:
            close = get_close_matches(text, [*named, DEADLOCK], 1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join([*named, DEADLOCK])}"
            raise ModelError(f"the model {program.name} has no property or proposition {text}; {hint}")
        questions.append((text, formula))
    return questions


def _as_asked(program: Program, answer: Answered | None, fair: bool) -> str:
    """The model in Promela, with a claim when there was one question: the one whose answer decided."""
    if answer is None or answer.formula is None or not answer.under:
        return to_promela(program, None if answer is None else answer.formula)
    assumed = [one.formula for one in program.assumptions]
    formula = implies(conjunction(*assumed), answer.formula) if assumed else answer.formula
    return to_promela(program, formula, fair=range(len(program.processes)) if fair else program.fair)


@dataclass(frozen=True)
class _Bounds:
    states: int | None
    seconds: float | None
    memory: int | None


@dataclass(frozen=True)
class _Asker:
    """Puts questions to an engine."""

    program: Program
    engine: str
    bounds: _Bounds
    deadlock: bool
    reduction: bool
    symmetry: bool
    compaction: bool
    progress: Progress | None
    lenient: bool
    """Ask without options that are refused for a question; else the refusal is raised."""

    def answer(self, name: str, formula: Formula | None, fair: bool) -> Answered:
        """The answer of all runs, or, if they do not all satisfy the formula, of those that are fair and as assumed."""
        alone, note = self._asked(name, formula, (), False)
        program = self.program
        if formula is None or alone.verdict is Verdict.HOLDS or alone.reason == "interrupted":
            return Answered(name, formula, alone, note=note)
        if alone.verdict is Verdict.EXHAUSTED and not program.assumptions:
            return Answered(name, formula, alone, note=note)  # to keep to fair runs takes more, not less
        processes = range(len(program.processes)) if fair else sorted(program.fair)
        assumed = tuple(one.formula for one in program.assumptions)
        if (not processes and not assumed) or _is_fault(alone):
            return Answered(name, formula, alone, note=note)
        under = [one.name for one in program.assumptions]
        if processes:
            names = ", ".join(program.processes[number].name for number in processes)
            under.append(f"weak fairness of {'every process' if fair else names}")
        if self._goes_on(alone, formula, assumed, tuple(processes)):
            return Answered(name, formula, alone, tuple(under), alone.verdict, GOES_ON)
        result, note = self._asked(name, formula, assumed, tuple(processes))
        if result.verdict is Verdict.HOLDS and assumed and not note:
            note = self._vacuous(formula, assumed, tuple(processes))
        return Answered(name, formula, result, tuple(under), alone.verdict, note)

    def _vacuous(self, formula: Formula, assumed: tuple[Formula, ...], fairness: tuple[int, ...]) -> str:
        """Why the answer says nothing of the model, if that can be seen soon."""
        if satisfying(conjunction(*assumed, negation(formula))) is None:
            return "says nothing of the model: what is assumed implies it"
        run = search.check(
            Execution(self.program), FALSE, assumptions=assumed, fairness=fairness, states=_FEW, progress=None
        )
        if run.reason == "interrupted":
            raise KeyboardInterrupt
        return "says nothing: no run is fair and as assumed" if run.verdict is Verdict.HOLDS else ""

    def _goes_on(
        self, alone: Result, formula: Formula, assumed: tuple[Formula, ...], fairness: tuple[int, ...]
    ) -> bool:
        """Whether a finite run shows the violation and can go on fairly and as assumed: then no other is needed."""
        path = alone.counterexample
        if self.engine == "spin" or path is None or path.back is not None:
            return False
        if not assumed:
            return True  # every finite run can go on fairly
        states = search.STATES if self.bounds.states is None else self.bounds.states
        system = Execution(self.program)
        return (
            continued(system, path, formula, assumed, fairness, states=states, seconds=self.bounds.seconds) is not None
        )

    def _asked(
        self, name: str, formula: Formula | None, assumed: tuple[Formula, ...], fairness: bool | tuple[int, ...]
    ) -> tuple[Result, str]:
        """The result, and what was refused."""
        try:
            return self.ask(name, formula, assumed, fairness), ""
        except OptionError as refusal:
            if not self.lenient:
                raise
            plain = replace(self, reduction=False, symmetry=False, compaction=False)
            return plain.ask(name, formula, assumed, fairness), f"searched without what is refused: {refusal}"

    def ask(
        self, name: str, formula: Formula | None, assumed: tuple[Formula, ...], fairness: bool | tuple[int, ...]
    ) -> Result:
        """The result of one search by the engine that was asked for."""
        progress = self.progress
        step = None if progress is None else lambda meter: progress(name, meter)
        bounds = self.bounds
        engine = self._chosen()
        if engine == "compiled" and self.engine == "auto":
            # Loading machine code takes longer than our own search takes for a small model.
            few = _FEW if bounds.states is None else min(_FEW, bounds.states)
            result = self._own(formula, assumed, fairness, step, replace(bounds, states=few))
            if result.reason != f"more than {few:,} states" or few == bounds.states:
                return result
        if engine == "spin":
            from m4alloc.model import spin

            if bounds.states is not None:
                raise ModelError("SPIN has no bound on states; --budget and --memory bound it")
            if self.symmetry:
                raise ModelError("SPIN knows nothing of symmetry; --engine own does")
            return spin.check(
                self.program,
                formula,
                assumptions=assumed,
                deadlock=self.deadlock,
                fairness=fairness,
                reduction=self.reduction,
                compaction=self.compaction,
                seconds=bounds.seconds,
                memory=bounds.memory,
            )
        if engine == "compiled":
            from m4alloc.model import compiled

            return compiled.check(
                self.program,
                formula,
                assumptions=assumed,
                deadlock=self.deadlock,
                fairness=fairness,
                reduction=self.reduction,
                states=compiled.STATES if bounds.states is None else min(bounds.states, 1 << 62),  # in 64 bits
                memory=compiled.MEMORY if bounds.memory is None else bounds.memory,
                seconds=bounds.seconds,
                progress=step,
            )
        return self._own(formula, assumed, fairness, step, bounds)

    def _own(
        self,
        formula: Formula | None,
        assumed: tuple[Formula, ...],
        fairness: bool | tuple[int, ...],
        step: Callable[[Meter], object] | None,
        bounds: _Bounds,
    ) -> Result:
        return search.check(
            Execution(self.program),
            formula,
            assumptions=assumed,
            deadlock=self.deadlock,
            fairness=fairness,
            reduction=self.reduction,
            symmetry=self.symmetry,
            compaction=self.compaction,
            states=search.STATES if bounds.states is None else bounds.states,
            memory=bounds.memory,
            seconds=bounds.seconds,
            progress=step,
        )

    def _chosen(self) -> str:
        special = [option for option, on in (("symmetry", self.symmetry), ("compaction", self.compaction)) if on]
        if self.engine == "compiled":
            if special:
                raise ModelError(f"the compiled search does without {special[0]}; --engine own has it")
            if importlib.util.find_spec("numba") is None:
                raise ModelError(
                    "numba, which the compiled search needs, is not installed: pip install 'm4alloc[fast]'"
                )
        if self.engine != "auto":
            return self.engine
        return "own" if special or importlib.util.find_spec("numba") is None else "compiled"


def _is_fault(result: Result) -> bool:
    path = result.counterexample
    return path is not None and bool(path.steps) and bool(path.steps[-1].fault)


def _told(answer: Answered, loaded: Source, folder: File | None) -> Answered:
    """The answer with its counterexample in words, and in a file when there is a folder for it."""
    path = answer.path
    if path is None:
        return answer
    system = Execution(loaded.program)
    told = tuple(show(system, path).split("\n"))
    answer = replace(answer, told=told, word=str(path.word(system)))
    if folder is None:
        return answer
    file = folder / f"{_file_name(loaded.program.name)}-{_file_name(answer.name)}.json"
    try:
        runs.write(
            file,
            loaded.program,
            path,
            source=loaded.name,
            constants=loaded.constants,
            name=answer.name,
            formula="" if answer.formula is None else str(answer.formula),
            reason=answer.result.reason,
        )
    except OSError as error:
        # What has been found is worth more than the file.
        lost = f"not written to {file}: {error.strerror}"
        return replace(answer, note=f"{answer.note}; {lost}" if answer.note else lost)
    return replace(answer, file=str(file), replay=f"m4alloc model --replay {shlex.quote(str(file))}")


def _file_name(text: str) -> str:
    """The text as part of a file's name.

    >>> _file_name("[](malloc -> <>free)")
    'malloc_free'
    """
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:60] or "property"


def _draw(file: File, program: Program, answer: Answered) -> None:
    from m4alloc.view.lasso import lasso
    from m4alloc.view.svg import document

    assert answer.path is not None
    title = answer.result.reason if answer.formula is None else f"{answer.name}: {answer.formula}"
    file.write_text(document(lasso(Execution(program), answer.path, title)), encoding="utf-8")


__all__ = ["DEADLOCK", "ENGINES", "LogicError", "ModelError", "ModelReport", "model"]
