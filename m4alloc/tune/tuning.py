"""Tuning: the stages from a program's headroom to its measured library, each of which adds its part of the report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m4alloc._build import BuildError
from m4alloc.check.progress import Progress, Within
from m4alloc.check.surroundings import Interrupts
from m4alloc.strategy import Strategy
from m4alloc.tune.choice import LEAST_GAIN, admitted, is_probe, lifted, probes, ranking, runners
from m4alloc.tune.comparison import UNSEEDED, row_of
from m4alloc.tune.engine import cores
from m4alloc.tune.evaluate import Evaluator, Scored
from m4alloc.tune.exact import Exact, exact
from m4alloc.tune.gates import proofs
from m4alloc.tune.importance import importance
from m4alloc.tune.methods import METHODS, Factory
from m4alloc.tune.panels import exact_panels
from m4alloc.tune.prove import Verdict, prove, prove_library
from m4alloc.tune.prove_result import REPLAY, Proof
from m4alloc.tune.report import DEFAULT, NOTHING, TUNED, UNDECIDED, Tried, TuneReport, WorkloadRow
from m4alloc.tune.search import Campaign, search
from m4alloc.tune.security import Floor
from m4alloc.tune.settings import Settings
from m4alloc.tune.several import HeldOut, held_out
from m4alloc.tune.shortlist import Candidate, merged, shortlist
from m4alloc.tune.simplify import simplified
from m4alloc.tune.sources import Source
from m4alloc.tune.space import Space
from m4alloc.tune.summary import summary
from m4alloc.tune.workload import Workload
from m4alloc.view.quantity import number, percent

if TYPE_CHECKING:
    from m4alloc.tune.advise import Goal

MOST_WORKLOADS = 4
"""Images of one recording that are tuned for: those with the most calls."""
TRIED = 6
"""Candidates that are put to the gates."""
RECORDED = "traces/recorded.json"
"""In the folder, once the program's recording is whole: its command line."""
UNSEEN = ("huge_pages",)
"""Knobs that the simulator does not search: what huge pages are worth depends on the machine more than on the trace."""
WORST = 1.05
"""Of a replay: the time and the memory that a tuned library may take at most, as ratios."""
KEEP = 4
"""Candidates that go on racing after three rounds."""
REPLAYED = 500_000
"""Calls of a workload that every candidate of the shortlist is replayed on; the one that is built, on all."""
GATE_SECONDS = 20.0
"""Of the library's gate where fewer did not decide it: on a busy machine its directed plans take as long."""
TRIAL = 1.0
"""Who gives the gates no more than this wants to try the tuner out: what is not decided by then stays so."""


class Tuning:
    """What is known so far. Each stage wants those before it; `report` can be asked at any time."""

    def __init__(
        self,
        settings: Settings,
        command: Sequence[str],
        progress: Progress,
        interrupts: Interrupts,
        tell: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self.command = tuple(command)
        self.progress = Within(progress)
        self.interrupts = interrupts
        self.tell = tell
        self.floor = Floor.of(settings.security, promise=settings.reuse_after)
        self.baseline = lifted(Strategy(), self.floor)
        self.notes: list[str] = []
        self.parts: dict[str, Any] = {"verdict": UNDECIDED, "why": "it ended before anything was found"}
        self.sources: list[Source] = []
        self.whole: tuple[Workload, ...] = ()
        self.programs: tuple[str, ...] = ()
        self.answers: list[Exact] = []
        self.candidates: list[Candidate] = []
        self.tried: list[Tried] = []
        self.ranked: list[Tried] | None = None
        self.ended = False
        """Whether no further stage is wanted."""
        self.seconds = 0.0
        """Of a run of the program on our default, once it is measured."""
        self.blind = not command or not settings.measure
        """Whether the program is not to be measured, or cannot be."""
        if self.baseline != Strategy():
            self.note(f"the floor is above the default strategy: the baseline is {self.baseline.to_environment()}")

    def note(self, sentence: str) -> None:
        """Something for the report that is said at once, too."""
        self.notes.append(sentence)
        self.tell(sentence)

    @property
    def name(self) -> str:
        """Of the library."""
        if self.settings.name:
            return self.settings.name
        named = self.command[0] if self.command else self.sources[0].program if self.sources else "tuned"
        kept = "".join(letter if letter.isalnum() or letter in "._+-" else "-" for letter in Path(named).name)
        return kept.lstrip("._+-") or "tuned"

    # The stages.

    def nothing_to_gain(self) -> None:
        """Measure the program's headroom; where there is none, that is the end."""
        if not self.command:
            return
        from m4alloc.tune.headroom import headroom

        self.progress.phase("headroom")
        try:
            found = headroom(self.command, timeout=self.settings.timeout, progress=self.progress, tell=self.tell)
        except BuildError as error:
            self.note(f"without a C compiler nothing is measured, and no library built: {error}")
            self.blind = True
            return
        self.parts["headroom"] = found
        self.seconds = found.rows[0].cpu.median if found.rows[0].cpu else 0.0
        self.tell(found.sentence)
        if self.interrupts or found.verdict != "nothing":
            return
        if not self.settings.anyway and not (self.settings.resume and self.recorded):
            self.parts |= {"verdict": NOTHING, "why": f"{found.sentence}; --anyway goes on all the same"}
            self.ended = True

    @property
    def recorded(self) -> bool:
        """Whether the folder holds a recording already: then the headroom was enough once."""
        return (self.settings.output / RECORDED).exists()

    def gather(self, recordings: Callable[[], list[Source]]) -> None:
        """Have the recordings, and choose the workloads that are tuned for."""
        self.progress.phase("recording" if self.command else "reading the traces")
        self.sources = recordings()
        chosen: list[tuple[str, Workload]] = []
        for source in self.sources:
            self.notes += source.notes
            images = sorted(source.workloads, key=len, reverse=True)
            if len(images) > MOST_WORKLOADS:
                rest = sum(map(len, images[MOST_WORKLOADS:]))
                self.note(
                    f"{source.program}: {len(images)} processes; tuned for the {MOST_WORKLOADS} with the most calls, "
                    f"without the {number(rest)} calls of the others"
                )
            chosen += [(source.program, one) for one in images[:MOST_WORKLOADS]]
        self.programs = tuple(program for program, _ in chosen)
        self.whole = tuple(workload for _, workload in chosen)

    def answer(self) -> None:
        """The exact answers to each workload."""
        rows = []
        for program, workload in zip(self.programs, self.whole, strict=True):
            if self.interrupts:
                return
            self.progress.phase(f"exact answers for {workload.name}")
            answers = exact(workload, base=self.baseline, progress=self.progress)
            self.answers.append(answers)
            searched = min(len(workload), self.settings.calls)
            rows.append(WorkloadRow(program, summary(workload), searched, answers.distances(self.baseline)))
        self.parts["workloads"] = tuple(rows)
        self.parts["panels"] = exact_panels(self.answers[0], self.baseline) if self.answers else ()

    def search(self) -> None:
        """Run the methods at equal budget, and merge what they found."""
        campaigns = self.campaigns()
        seen = [one for campaign in campaigns for one in campaign.evaluations if not one.failed]
        base = self.scored(self.baseline, self.searched())
        front = merged(self.baseline, [base, *seen])
        found = self.simplified(shortlist(front, base, self.settings.prefer, TRIED))
        kept, more = runners(len(found), self.seconds)
        self.candidates = found if self.blind else [*found[:kept], *self.probes(found[:kept])[:more]]
        self.parts |= {
            "baseline": base.objectives,
            "methods": tuple(row_of(one.method, [one]) for one in campaigns),
            "course": {one.method: tuple(one.course) for one in campaigns},
            "seen": tuple(one.objectives for one in seen),
            "front": tuple(one.objectives for one in front),
        }
        lost = sum(len(one.failures) for one in campaigns)
        if lost:
            self.note(f"{number(lost)} candidates could not be evaluated: {campaigns[0].failures[0].failure}")

    def campaigns(self) -> list[Campaign]:
        """One a method: the chosen one, or all; and random search, with the same seeds and without any."""
        from m4alloc.tune.search import opened

        settings = self.settings
        space, evaluator = self.space(self.answers), self.evaluator(self.searched(), self.programs)
        names = [*METHODS] if settings.compare else [settings.method]
        runs: list[tuple[str, str | Factory, bool]] = [(name, self.method(name), True) for name in names]
        runs += [("random", "random", True)] if "random" not in names else []
        runs.append((UNSEEDED, "random", False))
        found = []
        with opened(settings.engine, evaluator, settings.jobs, settings.scheduler) as engine:
            for name, method, seeded in runs:
                if self.interrupts:
                    break
                campaign = search(
                    *(space, evaluator),
                    method=method,
                    budget=settings.evaluations,
                    seed=settings.seed,
                    engine=engine,
                    state=settings.output / "search" / name.replace(", ", "-").replace(" ", "-"),
                    resume=settings.resume,
                    progress=self.progress,
                    interrupts=self.interrupts,
                    seeded=seeded,
                )
                campaign.method = name
                self.tell(campaign.line())
                found.append(campaign)
        return found

    def method(self, name: str) -> str | Factory:
        """A method by its name, with the weights that were given."""
        if name == "agent" and self.settings.weights is not None:
            from m4alloc.tune.method_learned import with_weights

            return with_weights(self.settings.weights)
        return name

    def verify(self) -> None:
        """Put the shortlist to the gates; what is refused is kept as a test.

        Of long workloads a part is replayed; all of them once more on the candidate that is built.
        """
        settings = self.settings
        workers = min(settings.jobs or cores(), len(self.candidates))
        self.progress.phase("verifying", len(self.candidates))

        begun = [one if len(one) <= REPLAYED else one.excerpt(0, REPLAYED) for one in self.whole]

        def judge(strategy: Strategy) -> Proof:
            return prove(strategy, begun, floor=self.floor, budget_s=settings.gate_budget, seed=settings.seed)

        strategies = [one.strategy for one in self.candidates]
        found = proofs(strategies, judge, workers=workers, stop=self.interrupts, done=self.progress.advance)
        for candidate, proof in zip(self.candidates, found, strict=True):
            if proof is None:
                continue
            kept = ""
            if proof.refusal is not None:
                kept = str(proof.write_test(settings.output / "refused"))
                self.note(f"{candidate.name} is refused by gate {proof.refusal.name}: {proof.refusal.detail}")
            elif not proof.admitted:
                self.note(f"{candidate.name} is not decided, so it does not leave: {undecided(proof)}")
            objectives = self.scored(candidate.strategy, self.whole).objectives
            self.tried.append(Tried(candidate.name, candidate.strategy, objectives, proof, kept))
        self.parts["tried"] = tuple(self.tried)

    def simplified(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates with every knob put back that does not pay; those that come to be the same are one."""
        evaluator = self.evaluator(self.searched(), self.programs)
        keep = self.settings.prefer == "security"
        found: dict[Strategy, Candidate] = {}
        for one in candidates:
            if self.interrupts:
                break
            self.progress.phase(f"simplifying {one.name}")
            simpler = simplified(
                *(one.scored, self.baseline, evaluator.scored), allowed=self.floor.admits, keep_security=keep
            )
            if simpler.strategy == self.baseline:
                continue
            same = found.get(simpler.strategy)
            if same is None or not one.name.startswith("front"):
                named = f"{same.name}+{one.name}" if same else one.name
                found[simpler.strategy] = Candidate(named, simpler)
        return list(found.values())

    def probes(self, beside: Sequence[Candidate]) -> list[Candidate]:
        """The probes that are not among the candidates, those first that the simulator thinks most of."""
        known = {one.strategy for one in beside}
        made = [(name, one) for name, one in probes(self.baseline, self.floor).items() if one not in known]
        found = [Candidate(name, self.scored(one, self.searched())) for name, one in made]
        return sorted(found, key=lambda one: one.scored.objectives.time * one.scored.objectives.memory)

    @property
    def admitted(self) -> list[Tried]:
        """The candidates that may run on the program, the preferred first."""
        return admitted(self.tried)

    def race(self) -> None:
        """Measure the admitted candidates side by side on the program: the simulator proposes, the clock decides.

        Its rounds only choose: what the choice gains is measured anew, for the best of several is flattered.
        """
        from m4alloc.tune.measure import LEAST_ROUNDS, before_after

        racing = {one.name: one for one in self.admitted}
        if self.blind or not racing:
            return
        self.progress.phase("racing the candidates")
        found = before_after(
            self.command,
            tuned={name: one.strategy for name, one in racing.items()},
            baseline=self.baseline,
            rounds=LEAST_ROUNDS,
            peers=False,
            keep=KEEP,
            timeout=self.settings.timeout,
            progress=self.progress,
        )
        self.parts["race"] = found
        if self.interrupts:
            return
        self.ranked = [racing[name] for name in ranking(found, self.settings.prefer)]
        if not self.ranked:
            self.parts |= {"verdict": DEFAULT, "why": "no candidate is better on the program itself"}

    def explain(self) -> None:
        """Which knobs of the preferred candidate matter, and why."""
        preferred = self.preferred
        if preferred:
            self.progress.phase("the reasons")
            evaluator = self.evaluator(self.whole, self.programs)
            self.parts["importance"] = importance(preferred[0].strategy, self.baseline, evaluator.evaluate)

    @property
    def preferred(self) -> list[Tried]:
        """The candidates to build, the first first: as the race ranked them, else as the simulator does."""
        if self.ranked is not None:
            return self.ranked
        return [one for one in self.admitted if not is_probe(one)]

    def hold_out(self) -> None:
        """Search without each program in turn, and see what the result is worth there."""
        if not self.settings.hold_out or len(set(self.programs)) < 2:
            return
        places = {id(workload): place for place, workload in enumerate(self.whole)}
        budget = max(40, self.settings.evaluations // 4)

        def found(train: Sequence[Workload]) -> Strategy:
            self.progress.phase("held-out programs")
            at = [places[id(one)] for one in train]
            evaluator = self.evaluator([self.searched()[place] for place in at], [self.programs[place] for place in at])
            space = self.space([self.answers[place] for place in at])
            left = next(name for name in dict.fromkeys(self.programs) if name not in [self.programs[one] for one in at])
            campaign = search(
                *(space, evaluator),
                method=self.settings.method,
                budget=budget,
                workers=1,
                seed=self.settings.seed,
                state=self.settings.output / "search" / f"without-{Path(left).name}",
                resume=self.settings.resume,
                progress=self.progress,
                interrupts=self.interrupts,
            )
            return campaign.recommended(self.scored(self.baseline, train), self.settings.prefer).strategy

        def cost(strategy: Strategy, on: Sequence[Workload]) -> float:
            objectives = self.scored(strategy, on).objectives
            return float((objectives.time * objectives.memory) ** 0.5)

        rows: list[HeldOut] = held_out(found, cost, self.whole, self.programs)
        if not self.interrupts:
            self.parts["held_out"] = tuple(rows)

    def build(self) -> None:
        """Compile the preferred candidate, and put the library to its own gate; the next one when it fails there."""
        from m4alloc._build import compile_with_strategy

        path = self.settings.output / f"libm4alloc-{self.name}.so"
        path.unlink(missing_ok=True)
        for one in self.preferred:
            self.progress.phase(f"building {path.name}")
            scratch = path.with_name(f".{path.name}")  # under its name only once it is verified
            try:
                compile_with_strategy(scratch, one.strategy.to_environment(), checked_copies=one.strategy.check_copies)
            except BuildError as error:
                self.note(f"no library was built: {error}")
                self.parts |= {"chosen": one.name, "strategy": one.strategy}
                return
            try:
                proof = self.library_proof(one, scratch)
                if proof is not None and proof.admitted:
                    scratch.replace(path)
                    self.parts |= {"chosen": one.name, "strategy": one.strategy, "library": str(path)}
                    self.parts["library_proof"] = replace(proof, library=str(path))
                    return
            finally:
                scratch.unlink(missing_ok=True)
            if proof is None:
                return
            said = "refused" if proof.refusal is not None else "not decided, so it does not leave"
            self.note(f"{one.name}: the library that was built from it is {said}: {proof.gates[-1].detail}")
            if proof.refusal is None:
                break  # there was too little time, as there would be for the next
        if not self.preferred and not self.parts.get("race"):
            gone = "no candidate that is verified gains a hundredth of modelled time and memory"
            self.parts |= {"verdict": DEFAULT, "why": gone}
        elif self.preferred:
            self.parts |= {"verdict": DEFAULT, "why": "no library that was built passed its gate"}

    def library_proof(self, one: Tried, library: Path) -> Proof | None:
        """The candidate's proof on whole workloads, with the library's gate; None when an interrupt came first."""
        seconds = self.settings.gate_budget

        def judge(strategy: Strategy) -> Proof:
            if max(map(len, self.whole)) > REPLAYED:
                [whole] = prove(strategy, self.whole, floor=self.floor, gates=(REPLAY,)).gates
                if whole.verdict is not Verdict.HOLDS:
                    return one.proof.with_gate(whole)
            gate = prove_library(str(library), strategy, seconds, seed=self.settings.seed)
            if gate.verdict is Verdict.EXHAUSTED and TRIAL < seconds < GATE_SECONDS:
                gate = prove_library(str(library), strategy, GATE_SECONDS, seed=self.settings.seed)
            return one.proof.with_gate(gate, str(library))

        # In a process of its own: what it starts shall not hear an interrupt before this one does.
        [proof] = proofs([one.strategy], judge, workers=2, stop=self.interrupts)
        return proof

    def measure(self) -> None:
        """Before and after, on the program, or on replayed traces; the library goes again where it does not pay."""
        if not self.parts.get("chosen"):
            return
        if not self.settings.measure or (self.command and self.blind):
            self.parts |= {"verdict": TUNED, "why": "by the simulator; nothing was measured"}
            return
        decision = self.measured_program() if self.command else self.replayed_traces()
        if decision is None or self.interrupts:
            return
        pays, why = decision
        if pays:
            self.parts |= {"verdict": TUNED, "why": why}
            return
        if self.parts.get("library"):
            with suppress(OSError):
                Path(self.parts["library"]).unlink()
        self.note(f"back to the {self.default}: {why}")
        self.parts |= {"verdict": DEFAULT, "why": why, "strategy": self.baseline, "library": ""}

    @property
    def default(self) -> str:
        """What stays where nothing pays, in words."""
        return "default strategy" if self.baseline == Strategy() else "baseline"

    def measured_program(self) -> tuple[bool, str] | None:
        """Whether the library pays on the program, and why; without a library, the strategy."""
        from m4alloc.tune.advise import Features, advise
        from m4alloc.tune.measure import before_after

        goal: Goal = "memory" if self.settings.prefer == "memory" else "time"
        features = Features.of(max(self.whole, key=len))
        advice = advise(features, goal=goal) if self.settings.advice else ()
        self.parts["advice"] = tuple(advice)
        found = before_after(
            self.command,
            tuned={"tuned": self.parts.get("library") or self.parts["strategy"]},
            advised=advice,
            baseline=self.baseline,
            rounds=self.settings.rounds,
            timeout=self.settings.timeout,
            progress=self.progress,
        )
        self.parts["measured"] = found
        decision = found.decisions[0]
        return decision.pays, decision.sentence

    def replayed_traces(self) -> tuple[bool, str] | None:
        """Whether the library pays when the largest trace is replayed; compressed ones cannot be."""
        from m4alloc.trace.replay import ReplayError, replay

        kept = [one for one in self.sources if one.path is not None and one.path.suffix != ".xz"]
        if not kept or not self.parts.get("library"):
            why = "a compressed trace cannot be replayed" if self.parts.get("library") else "nothing was measured"
            self.parts |= {"verdict": TUNED, "why": f"by the simulator; {why}"}
            return None
        largest = max(kept, key=lambda one: sum(map(len, one.workloads)))
        assert largest.path is not None
        if len(self.sources) > 1:
            self.note(f"of {number(len(self.sources))} recordings the largest, {largest.program}, is replayed")
        self.progress.phase("replaying")
        try:
            with self.baseline_library() as before_it:
                allocators = [before_it, self.parts["library"], "system"]
                found = replay(largest.path, allocator=allocators, rounds=self.settings.rounds)
        except ReplayError as error:
            if not self.interrupts:
                self.note(f"the replay failed: {error}")
                self.parts |= {"verdict": TUNED, "why": "by the simulator; the recording could not be replayed"}
            return None
        self.parts["replayed"] = found
        before, after = found.results[:2]
        time = after.seconds / before.seconds
        memory = after.peak_bytes / max(1, before.peak_bytes)
        why = f"replayed, it takes {percent(time)} of the {self.default}'s time and {percent(memory)} of its memory"
        return time * memory <= 1 - LEAST_GAIN and max(time, memory) < WORST, why

    @contextmanager
    def baseline_library(self) -> Iterator[str]:
        """The allocator to compare with: our default, or a library of the baseline, which is gone afterwards."""
        from m4alloc._build import compile_with_strategy

        if self.baseline == Strategy():
            yield "m4alloc"
            return
        with tempfile.TemporaryDirectory(prefix="m4alloc-tune-") as folder:
            path = Path(folder) / "libm4alloc-baseline.so"
            settings, copies = self.baseline.to_environment(), self.baseline.check_copies
            yield str(compile_with_strategy(path, settings, checked_copies=copies))

    # What several stages need.

    def searched(self) -> tuple[Workload, ...]:
        """What the search simulates of each workload: of a long one the middle, with the blocks that are live there.

        How a program begins is not how it goes on.
        """
        most = self.settings.calls
        return tuple(one if len(one) <= most else one.excerpt((len(one) - most) // 2, most) for one in self.whole)

    def evaluator(self, workloads: Sequence[Workload], programs: Sequence[str]) -> Evaluator:
        """Every program counts alike; of its processes each by its calls."""
        calls = {name: sum(len(w) for w, p in zip(workloads, programs, strict=True) if p == name) for name in programs}
        weights = tuple(len(one) / calls[name] for one, name in zip(workloads, programs, strict=True))
        return Evaluator(tuple(workloads), self.baseline, self.settings.objective, weights)  # type: ignore[arg-type]

    def scored(self, strategy: Strategy, workloads: Sequence[Workload]) -> Scored:
        """What a strategy is worth on some of the workloads, in the mean over them."""
        return replace(self.evaluator(workloads, [one.name for one in workloads]).evaluate(strategy), simulations=())

    def space(self, answers: Sequence[Exact]) -> Space:
        """The knobs and their values, those that the exact answers suggest among them, none below the floor."""
        together: dict[str, list[Any]] = {}
        for one in answers:
            for knob, values in one.suggestions().items():
                held = together.setdefault(knob, [])
                held += [value for value in values if value not in held]
        return Space.of(together, base=self.baseline, allowed=self.floor.admits, without=UNSEEN)

    def report(self, seconds: float) -> TuneReport:
        """All that is known."""
        settings = self.settings
        parts = {"course": {}, "strategy": self.baseline, **self.parts}
        best = self.preferred
        if self.interrupts and parts["verdict"] == UNDECIDED:
            parts["why"] = "interrupted before anything was verified"
            if best:
                parts = {"chosen": best[0].name, "strategy": best[0].strategy, **self.parts, "course": parts["course"]}
                parts["why"] = f"interrupted; the best so far that is verified is {best[0].name}, which is not measured"
        return TuneReport(
            name=self.name,
            command=self.command,
            sources=tuple(str(one.path) if one.path else one.program for one in self.sources),
            floor=settings.security,
            promise=settings.reuse_after,
            prefer=settings.prefer,
            objective=settings.objective,
            seed=settings.seed,
            budget=settings.evaluations,
            engine=settings.engine,
            notes=tuple(dict.fromkeys(self.notes)),
            interrupted=bool(self.interrupts),
            seconds=seconds,
            **parts,
        )


def undecided(proof: Proof) -> str:
    """Which gates had too little time, in words."""
    told = [f"gate {one.name}: {one.detail}" for one in proof.gates if one.verdict is Verdict.EXHAUSTED]
    return f"{'; '.join(told)} (--gate-budget gives them more time)"
