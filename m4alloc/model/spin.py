"""Checks a program with SPIN, and replays what it finds in our own model of the program."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path as File
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, conjunction, implies, negation
from spec.ltl.translate import buchi
from spec.model.compaction import warning
from spec.model.counterexample import ReplayError, replay, simplify
from spec.model.execution import Execution, Values
from spec.model.fairness import fair_processes, is_fair
from spec.model.options import Option, refuse
from spec.model.product import STAY, terminal, universal
from spec.model.program import Program
from spec.model.promela import Export, export
from spec.model.search import stutter_sensitive
from spec.model.system import Path, Result, Step, Verdict

ENGINE = "spin"
DEPTH = 10_000_000
"""Steps of a path that SPIN may hold, at most; a deeper search is EXHAUSTED."""
MEMORY = 2 << 30
"""Bytes that SPIN may take when nothing else is asked for."""
SECONDS = 600.0
INTERRUPTED = "interrupted"
COMPACT = "-DHC4"
HASH_SIZE = 4
"""Bytes of the hash behind what SPIN then stores: up to -w32, which is all that fits in memory, d_sfh() has no more."""
_FIRST_DEPTH = 100_000  # pan allocates its stack in advance, 70 bytes a step


class SpinError(ValueError):
    """SPIN or the compiler it needs is not there, or does not take what it is given."""


class Pan(NamedTuple):
    """What one run of SPIN's verifier said. found: whether something is wrong; error: what; trail: the run to it.

    exhausted: the bound that stopped it. commands: of a step of the trail, by its number there.
    """

    states: int
    transitions: int
    depth: int
    found: bool
    error: str
    exhausted: str
    trail: str
    commands: dict[int, int]


def check(
    program: Program,
    formula: Formula | None = None,
    *,
    assumptions: Iterable[Formula] = (),
    deadlock: bool = True,
    fairness: bool | Iterable[int] | None = None,
    reduction: bool = False,
    compaction: bool = False,
    depth: int = DEPTH,
    memory: int | None = None,
    seconds: float | None = None,
    folder: File | None = None,
    optimise: int = 2,
) -> Result:
    """What `spec.model.search.check` answers, found by SPIN: each run it reports is replayed step by step in our model.

    Without a formula: deadlocks (SPIN's invalid end states) and faults (its assertions); with one, a run that violates
    it, or a fault that the search comes to. The counts are SPIN's; without a formula and `reduction` they equal ours.
    A tracked cell takes one run of SPIN for each of its values, and their counts are added.
    reduction: SPIN's partial-order reduction; compaction: its hash-compact storage, and how likely it is that this
    misses a state, which is much likelier than with our own digests. depth: steps of a path. memory: bytes (default
    2 GiB). seconds: in all (default 600). folder: where the Promela and the verifier are kept.
    optimise: gcc's level; 0 compiles in half the time, and searches at a third of the speed.
    Raises: SpinError when SPIN or gcc is missing; ValueError for options that may not be combined; PromelaError;
    TooLargeError; AssertionError when a run does not replay, which nobody should see.
    Cost: half a second to compile, then 0.3 to 1.3 million states a second.
    """
    require()
    system = Execution(program)
    assumptions = tuple(assumptions)
    wanted = None if formula is None else implies(conjunction(*assumptions), formula) if assumptions else formula
    fair = () if wanted is None else _fair(system, wanted, fairness)
    if reduction:
        _refuse_reduction(wanted, fair)
    search = _Search(program, system, export(program, wanted, fair=fair), wanted, fair)
    search.reason, search.level = str(formula), f"-O{optimise}"
    search.depth, search.memory = depth, MEMORY if memory is None else memory
    search.seconds = SECONDS if seconds is None else seconds
    search.until = time.monotonic() + search.seconds
    search.options = [] if reduction else ["-DNOREDUCE"]
    search.options += [COMPACT] if compaction else []
    search.options += ["-DSAFETY", "-DNOCLAIM"] if wanted is None else []
    search.arguments = (["-a", "-E"] if wanted is not None else []) + (
        ["-E"] if wanted is None and not deadlock else []
    )
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return search.run(folder)
    with TemporaryDirectory(prefix="m4alloc-spin-") as temporary:
        return search.run(File(temporary))


def require() -> None:
    """Raise SpinError unless SPIN and gcc are installed."""
    for command in ("spin", "gcc"):
        if shutil.which(command) is None:
            raise SpinError(f"{command} is not installed: apt-get install {command}")


def _fair(system: Execution, wanted: Formula, fairness: bool | Iterable[int] | None) -> tuple[int, ...]:
    """The processes to be treated fairly: none when a finite run decides, since each can go on fairly."""
    fair = fair_processes(system, fairness)
    return () if not fair or terminal(buchi(negation(wanted))) else fair


def _refuse_reduction(wanted: Formula | None, fair: tuple[int, ...]) -> None:
    chosen = {Option.NESTED, Option.REDUCTION}
    chosen |= {Option.FAIRNESS} if fair else set()
    if wanted is not None and stutter_sensitive(wanted):
        chosen.add(Option.NEXT)
    refuse(chosen)


@dataclass
class _Search:
    """One question to SPIN."""

    program: Program
    system: Execution
    exported: Export
    wanted: Formula | None
    fair: tuple[int, ...]
    options: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    depth: int = DEPTH
    memory: int = MEMORY
    until: float = 0.0
    seconds: float = SECONDS
    reason: str = ""
    level: str = "-O2"

    def run(self, folder: File) -> Result:
        """Ask for each value of the tracked cell, until something is found."""
        started = time.monotonic()
        tracked = self.program.tracked
        values: list[int | None] = [None]
        if tracked is not None:
            cell = self.program.cells[tracked]
            values = list(range(cell.low, cell.high + 1))
        states = transitions = deepest = 0
        verdict, reason, path = Verdict.HOLDS, "", None
        for value in values:
            pan = self._pan(folder, value)
            states, transitions = states + pan.states, transitions + pan.transitions
            deepest = max(deepest, pan.depth)
            if pan.found:
                verdict = Verdict.VIOLATED
                try:
                    reason, path = self._judged(self._replay(pan, value), pan)
                except ReplayError as error:  # one of the two, or the export between them, is wrong
                    raise AssertionError(f"what SPIN found is no run of the model: {error}") from error
                break
            if pan.exhausted:
                verdict, reason = Verdict.EXHAUSTED, pan.exhausted
                break
        if verdict is Verdict.HOLDS and COMPACT in self.options:
            reason = warning(states, HASH_SIZE)
        seconds = time.monotonic() - started
        return Result(verdict, reason, path, states, transitions, deepest, seconds, ENGINE)

    # -- running SPIN

    def _pan(self, folder: File, tracked: int | None) -> Pan:
        """Generate, compile and run a verifier; deeper, as long as its stack is too small."""
        (folder / "model.pml").write_text(self.exported.text, encoding="utf-8")
        (folder / "model.pml.trail").unlink(missing_ok=True)
        define = [] if tracked is None else [f"-DTRACKED={tracked}"]
        # -o1 -o2 -o3: SPIN would otherwise leave out states that it can do without.
        self._tool(["spin", *define, "-a", "-o1", "-o2", "-o3", "model.pml"], folder)
        megabytes = max(1, self.memory >> 20)
        self._tool(["gcc", self.level, "-w", f"-DMEMLIM={megabytes}", *self.options, "-o", "pan", "pan.c"], folder)
        depth = min(_FIRST_DEPTH, self.depth)
        while True:
            text, late = self._verify(folder, depth)
            if late or "max search depth too small" not in text or "errors: 0" not in text or depth >= self.depth:
                break
            depth = min(10 * depth, self.depth)
        return self._read(text, folder, depth, late)

    def _tool(self, command: list[str], folder: File) -> None:
        left = self.until - time.monotonic()
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=max(left, 1.0))
        except subprocess.TimeoutExpired:
            raise SpinError(f"{command[0]} does not finish within the {self.seconds:g} seconds") from None
        if done.returncode or "Error:" in done.stdout:
            raise SpinError(f"{command[0]} does not take the model: {(done.stdout + done.stderr).strip()[:500]}")

    def _verify(self, folder: File, depth: int) -> tuple[str, str]:
        """What the verifier prints, and why it was stopped if it was."""
        command = ["./pan", f"-m{depth}", "-w20", *self.arguments]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
            try:
                return run.communicate(timeout=max(self.until - time.monotonic(), 0.1))[0], ""
            except (subprocess.TimeoutExpired, KeyboardInterrupt) as stopped:
                late = "time" if isinstance(stopped, subprocess.TimeoutExpired) else INTERRUPTED
                run.send_signal(signal.SIGINT)  # it then prints how far it came
                try:
                    return run.communicate(timeout=10)[0], late
                except subprocess.TimeoutExpired:
                    run.kill()
                    return run.communicate()[0], late
            except BaseException:
                run.kill()
                raise

    def _read(self, text: str, folder: File, depth: int, late: str) -> Pan:
        error = re.search(r"^pan:\d+: (.*?)(?: \(at depth -?\d+\))?$", text, re.MULTILINE)
        exhausted = ""
        if late:
            exhausted = late if late == INTERRUPTED else f"more than {self.seconds:g} seconds"
        elif "-DMEMLIM bound" in text or "out of memory" in text:
            exhausted = f"more than {self.memory:,} bytes of memory"
        elif "max search depth too small" in text:
            exhausted = f"more than {depth:,} steps deep"
        trail = folder / "model.pml.trail"
        commands: dict[int, int] = {}
        found = re.search(r"errors: (\d+)", text)
        if found is None and not exhausted:
            raise SpinError(f"the verifier gives no answer: {text.strip()[:500]}")
        wrong = found is not None and found[1] != "0"
        written = trail.read_text() if wrong else ""  # empty, when the initial state is where it ends
        if wrong:
            listing = subprocess.run(["./pan", "-d"], cwd=folder, capture_output=True, text=True, timeout=60).stdout
            # A d_step is called after its line; the line that stands before it is that of the whole `if`.
            for number, line in re.findall(r"\[id\s+(\d+) tp.*=> D_STEP(\d+)", listing):
                commands[int(number)] = self.exported.commands[int(line)]
        return Pan(
            _number(r"^\s*(\S+) states, stored", text),
            _number(r"^\s*(\S+) transitions", text),
            _number(r"depth reached (\d+)", text),
            wrong,
            error[1] if error else "",
            exhausted,
            written,
            commands,
        )

    # -- replaying

    def _replay(self, pan: Pan, tracked: int | None) -> Path:
        """The run that the trail describes, in our model; each step is one of ours."""
        cell = self.program.tracked
        state = next(s for s in self.system.initial() if cell is None or s[cell] == tracked)
        states: list[Values] = [state]
        steps: list[Step] = []
        back: int | None = None
        entries = [tuple(int(part) for part in line.split(":")) for line in pan.trail.split()]
        if entries and pan.error == "end state in claim reached" and entries[-1][2] in pan.commands:
            entries.pop()  # the step that was about to be tried
        for number, process, identity in entries:
            if number == -1:  # the cycle starts
                back = len(steps)
            if number < 0 or process < 0:
                continue
            command = pan.commands.get(identity)
            if command is None:  # a step of the claim
                continue
            step, state = self._step(states[-1], command)
            steps.append(step)
            if step.fault:
                return Path((*states, state), tuple(steps))
            states.append(state)
        return self._closed(states, steps, back, pan)

    def _step(self, state: Values, command: int) -> tuple[Step, Values]:
        for step, target in self.system.successors(state):
            if step.command == command:
                return step, target
        raise ReplayError(f"SPIN takes command {command} in `{self.system.show(state)}`, where it cannot be taken")

    def _closed(self, states: list[Values], steps: list[Step], back: int | None, pan: Pan) -> Path:
        """The path with its way back; a run that has come to a stop stays there."""
        if self.wanted is None or back is None:
            if not list(self.system.successors(states[-1])):
                return Path(tuple(states), (*steps, STAY), len(states) - 1)
            path = Path(tuple(states), tuple(steps))
            if self.wanted is None:
                raise ReplayError(
                    f"SPIN reports {pan.error!r} at `{self.system.show(states[-1])}`, where nothing is wrong"
                )
            return path
        if back == len(steps):
            if list(self.system.successors(states[-1])):
                raise ReplayError(
                    f"SPIN stays at `{self.system.show(states[-1])}` for ever, from where there are steps"
                )
            return Path(tuple(states), (*steps, STAY), back)
        if states[-1] != states[back]:
            raise ReplayError(f"SPIN's cycle comes to `{self.system.show(states[-1])}`, which is not where it began")
        return Path(tuple(states[:-1]), tuple(steps), back)

    def _judged(self, path: Path, pan: Pan) -> tuple[str, Path]:
        """What the run shows, as our own search says it, and the run without detours; that it does is checked."""
        replay(self.system, path)
        if path.back is None and path.steps and path.steps[-1].fault:
            return path.steps[-1].fault, path
        if self.wanted is None:
            last = cast(Values, path.states[-1])
            if self.system.ended(last):
                raise ReplayError(f"SPIN reports {pan.error!r} at `{self.system.show(last)}`, where a run may end")
            return "deadlock", path
        if path.back is not None:
            if not self._violates(path):
                word = path.word(self.system)
                raise ReplayError(
                    f"SPIN reports {pan.error!r}, but its run {word} is not fair or satisfies the formula"
                )
            path = simplify(path, self._violates)
        else:
            path = self._decided(path)
        return self.reason, path

    def _decided(self, path: Path) -> Path:
        """As much of a finite run as it takes to violate the formula: SPIN goes a step or two further."""
        assert self.wanted is not None
        automaton = buchi(negation(self.wanted))
        decided = universal(automaton)
        reached = {automaton.initial}
        for length, state in enumerate(path.states, 1):
            if reached & decided:
                return Path(path.states[: max(1, length - 1)], path.steps[: max(0, length - 2)])
            letter = automaton.number(self.system.letter(cast(Values, state)))
            reached = {edge.target for one in reached for edge in automaton.step(one, letter)}
        if not reached & decided:
            raise ReplayError(f"SPIN ends its claim after {path.word(self.system)}, which does not violate the formula")
        return path

    def _violates(self, path: Path) -> bool:
        assert self.wanted is not None
        return not holds(self.wanted, path.word(self.system)) and is_fair(self.system, path, self.fair)


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    return int(float(found[1])) if found else 0
