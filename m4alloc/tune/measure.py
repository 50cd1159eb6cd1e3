"""Before and after, on the real program: whether a tuned allocator pays, or the default had better stay."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from m4alloc.bench.measure import BenchError
from m4alloc.bench.peer import DEBIAN, GLIBC, OURS, Peer, machine, peers
from m4alloc.bench.report import SCHEMA
from m4alloc.bench.statistic import Spread, spread
from m4alloc.check.progress import Progress
from m4alloc.strategy import Strategy
from m4alloc.tune.advise import Advice, advised_peers
from m4alloc.tune.rounds import Rounds, in_rounds
from m4alloc.view.quantity import duration, percent, plural, ratio, size
from m4alloc.view.text import table

AXES = ("cpu", "wall", "peak")
NAMES = {"cpu": "CPU time", "wall": "wall time", "peak": "peak memory"}
EFFECT = 0.01
"""A difference of less than this part is none, however certain."""
ALPHA = 0.02
"""How likely chance alone may be to look like a difference, at one look.

Rounds are looked at again until it is clear, so that it is likelier in all: of allocators that were alike, 4 to 6 %
were said to pay in a simulation.
"""
FIRST, CLEARLY = 3, 1.05
"""Rounds after which runners may leave, and how much worse than the best they are then: five hundredths."""
LEAST_ROUNDS = 6
"""With fewer, chance alone is likelier than ALPHA whatever was measured: 2 ** -6 is the least that there is."""


@dataclass(frozen=True, slots=True)
class Row:
    """The program on one allocator. error: why there are no figures. to_default: ratios to our default in the same
    round, and `value` seconds or bytes, each by axis: cpu, wall, peak."""

    allocator: str
    kind: str
    error: str
    to_default: dict[str, Spread]
    value: dict[str, Spread]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one allocator is to replace our default. axes: better, worse, same or unclear, of cpu, wall and peak."""

    allocator: str
    axes: dict[str, str]
    pays: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured. rows: our default first. decisions: one for each tuned allocator. strategy: what stands in the
    default's place, as M4ALLOC_STRATEGY has it; empty: the default itself. dropped: tuned ones that ended early."""

    command: tuple[str, ...]
    machine: dict[str, str | int]
    rounds: int
    rows: tuple[Row, ...]
    decisions: tuple[Decision, ...]
    missing: tuple[str, ...] = ()
    interrupted: bool = False
    strategy: str = ""
    dropped: tuple[str, ...] = ()

    def row(self, allocator: str) -> Row:
        """That of one allocator."""
        return next(row for row in self.rows if row.allocator == allocator)

    @property
    def choice(self) -> str:
        """The tuned allocator that pays most, by CPU time times peak memory; our default when none pays."""
        paying = [one.allocator for one in self.decisions if one.pays]
        return min(paying, key=self._product, default=OURS)

    def _product(self, allocator: str) -> float:
        ratios = self.row(allocator).to_default
        return ratios["cpu"].median * ratios["peak"].median

    @property
    def sentence(self) -> str:
        """The decision in words."""
        if self.choice == OURS:
            reasons = "; ".join(f"{one.allocator}: {one.sentence}" for one in self.decisions) or "nothing was tuned"
            return f"fall back to the default: {reasons}"
        return f"{self.choice} pays: {next(one.sentence for one in self.decisions if one.allocator == self.choice)}"

    def text(self) -> str:
        """The report as lines for a terminal."""
        rows = []
        for row in self.rows:
            cells = [row.allocator]
            for axis, show in (("cpu", duration), ("wall", duration), ("peak", size)):
                known = axis in row.to_default
                cells.append(show(row.value[axis].median) if known else "-")
                cells.append(_ratio(row.to_default[axis]) if known else "-")
            rows.append(cells)
        header = ["allocator", "CPU time", "ratio", "wall time", "ratio", "peak", "ratio"]
        return "\n".join(
            [
                f"before and after: {shlex.join(self.command)}",
                self.sentence,
                "",
                *table(rows, header, right=range(1, 7)),
                f"{plural(self.rounds, 'round')}; ratios to {OURS}, our default, in the same round",
                "medians, +- half the distance of the quartiles",
                *([f"{OURS} is here the baseline: {self.strategy}"] if self.strategy else []),
                *([f"left early, clearly worse than others: {', '.join(self.dropped)}"] if self.dropped else []),
                *(f"{row.allocator}: {row.error}" for row in self.rows if row.error),
                *self.missing,
                *(["interrupted"] if self.interrupted else []),
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, the choice included."""
        derived = {"choice": self.choice, "sentence": self.sentence}
        return {"schema": SCHEMA, "verb": "measure", **asdict(self), **derived}


def before_after(
    command: Sequence[str],
    *,
    tuned: Mapping[str, str | Path | Strategy],
    advised: Sequence[Advice] = (),
    rounds: int = 20,
    baseline: Strategy | None = None,
    peers: bool = True,
    keep: int = 0,
    seconds: float = math.inf,
    seed: int = 1,
    timeout: float = 600.0,
    progress: Progress | None = None,
) -> Measured:
    """Measure a program on our default, what was tuned, glibc, those installed, and those with advised settings.

    tuned: by name, a library that was built or a strategy for the default's library. advised: settings of others; of
    those that are not installed nothing is measured. baseline: what stands in our default's place, where that is not
    secure enough. peers: whether those installed are measured at all. keep: of the tuned ones so many go on after three
    rounds, without those that the best one clearly beats; 0: all. rounds: at most, 6 at least; each runs the program
    once on every allocator, in random order, and after six of them it ends as soon as every decision is clear.
    seconds: no round begins later. timeout: seconds a run.
    An allocator on which the program ends or prints otherwise than on glibc has an error instead of figures, and does
    not pay. CPU time includes the children that the program waited for, peak memory is that of the largest process.
    Raises BenchError, AllocatorError, ProgramError, BuildError, OSError.
    """
    if rounds < LEAST_ROUNDS:
        raise BenchError(
            f"{plural(rounds, 'round')}: {LEAST_ROUNDS} at least, for with fewer nothing can be told from chance"
        )
    settings = "" if baseline is None else baseline.to_environment()
    among, kinds, missing = compared(tuned, advised, settings, installed_too=peers)
    deadline = time.monotonic() + seconds

    def enough(found: Rounds) -> bool:
        return time.monotonic() >= deadline or all(clear(found, name) for name in tuned)

    found = in_rounds(
        command,
        among,
        least=FIRST if keep else LEAST_ROUNDS,
        most=rounds,
        step=LEAST_ROUNDS - FIRST if keep else 2,
        seed=seed,
        timeout=timeout,
        enough=lambda found: found.rounds >= LEAST_ROUNDS and enough(found),
        drop=lambda found: beaten(found, [name for name in tuned if name not in found.dropped], keep) if keep else (),
        progress=progress,
    )
    return assembled(command, found, kinds, missing, settings)


def beaten(found: Rounds, names: Sequence[str], keep: int) -> list[str]:
    """Those that need not run on: all but the `keep` with the least product of CPU time and peak memory, and of these
    the ones that the best of them beats by a twentieth."""
    merits = {}
    for name in names:
        cpu, peak = found.ratio(name, OURS, "cpu"), found.ratio(name, OURS, "peak")
        merits[name] = cpu.median * peak.median if cpu and peak else math.inf
    order = sorted(merits, key=lambda name: merits[name])
    limit = CLEARLY * merits[order[0]] if order else 0.0
    return [name for place, name in enumerate(order) if place >= keep or merits[name] > limit]


def compared(
    tuned: Mapping[str, str | Path | Strategy],
    advised: Sequence[Advice],
    baseline: str = "",
    *,
    installed_too: bool = True,
) -> tuple[list[Peer], dict[str, str], list[str]]:
    """The allocators, our default or the baseline first; what kind each is of; lines about what is missing.

    Raises BenchError.
    """
    installed, missing = peers()
    by_name = {peer.name: peer for peer in installed}
    if OURS not in by_name:
        raise BenchError(missing[0])
    found, kinds = [Peer(OURS, by_name[OURS].preload, baseline)], {OURS: "default"}
    for name, what in tuned.items():
        if name in by_name:
            raise BenchError(f"{name}: an allocator has this name already; give the tuned one another")
        ours = isinstance(what, Strategy)
        environment = what.to_environment() if isinstance(what, Strategy) else ""
        found.append(Peer(name, by_name[OURS].preload if ours else str(Path(str(what)).resolve()), environment))
        kinds[name] = "tuned"
    others = [by_name[name] for name in (GLIBC, *(DEBIAN if installed_too else ())) if name in by_name]
    settings = advised_peers(others, advised)
    kinds |= {peer.name: "installed" for peer in others} | {peer.name: "advised" for peer in settings}
    return [*found, *others, *settings], kinds, missing


def assembled(
    command: Sequence[str], found: Rounds, kinds: Mapping[str, str], missing: Sequence[str] = (), strategy: str = ""
) -> Measured:
    """The rows and decisions. kinds: of each allocator. Raises BenchError: our default has no figures."""
    wrong = found.error(OURS)
    if wrong and found.interrupted:
        raise BenchError(f"interrupted before {command[0]} had run")
    if wrong:
        raise BenchError(f"{command[0]} on {OURS}: {wrong}")
    rows = tuple(row_of(found, name, kind) for name, kind in kinds.items())
    decisions = tuple(
        pays(name, axes_of(found, name), found.error(name)) for name, kind in kinds.items() if kind == "tuned"
    )
    return Measured(
        *(tuple(command), machine(), found.rounds, rows, decisions, tuple(missing), found.interrupted),
        *(strategy, found.dropped),
    )


def row_of(found: Rounds, name: str, kind: str) -> Row:
    """One allocator's."""
    ratios = {axis: found.ratio(name, OURS, axis) for axis in AXES}
    values = {axis: found.value(name, axis) for axis in AXES}
    return Row(
        *(name, kind, found.error(name)),
        {axis: one for axis, one in ratios.items() if one},
        {axis: one for axis, one in values.items() if one},
    )


def axes_of(found: Rounds, name: str) -> dict[str, tuple[float, ...]]:
    """The ratios to our default, round by round, by axis."""
    return {axis: found.ratios(name, OURS, axis) for axis in AXES}


def clear(found: Rounds, name: str) -> bool:
    """Whether further rounds could hardly change the decision."""
    if found.error(name):
        return True
    judged = {axis: judge(ratios) for axis, ratios in axes_of(found, name).items()}
    return "worse" in judged.values() or "unclear" not in (judged["cpu"], judged["peak"])


def pays(name: str, ratios: Mapping[str, Sequence[float]], error: str = "") -> Decision:
    """The rule: CPU time or peak memory is better beyond the noise, and neither they nor wall time are worse beyond it.

    ratios: to our default, round by round, of cpu, wall and peak.

    >>> pays("mine", {"cpu": [0.9] * 6, "wall": [0.9] * 6, "peak": [1.0] * 6}).sentence
    'CPU time 0.90, better'
    >>> pays("mine", {"cpu": [0.9] * 6, "wall": [0.9] * 6, "peak": [1.2] * 6}).sentence
    'peak memory 1.20, worse'
    """
    if error:
        return Decision(name, {}, False, error)
    judged = {axis: judge(ratios[axis]) for axis in AXES}
    better = [axis for axis in ("cpu", "peak") if judged[axis] == "better"]
    worse = [axis for axis in AXES if judged[axis] == "worse"]
    told = ", ".join(f"{NAMES[axis]} {ratio(spread(ratios[axis]).median)}, {judged[axis]}" for axis in worse or better)
    return Decision(name, judged, bool(better) and not worse, told or _nothing(ratios))


def _nothing(ratios: Mapping[str, Sequence[float]]) -> str:
    told = ", ".join(f"{NAMES[axis]} {ratio(spread(ratios[axis]).median)}" for axis in ("cpu", "peak"))
    return f"{told}: no more than the noise or {percent(EFFECT)}"


def judge(ratios: Sequence[float]) -> str:
    """What ratios of rounds say: `better` or `worse`, `same`, or `unclear`.

    better, worse: the median differs from 1 by 1 % at least, and a signed-rank test says that chance alone would do
    this in at most 2 % of all cases. same: both quartiles are within 1 %.

    >>> judge([0.9, 0.91, 0.88, 0.9, 0.95, 0.9]), judge([0.9, 0.91, 0.88, 0.9, 0.95, 1.3]), judge([1.0, 1.001, 0.999])
    ('better', 'unclear', 'same')
    """
    if not ratios:
        return "unclear"
    middle = spread(ratios)
    if middle.median <= 1 - EFFECT and chance(ratios) <= ALPHA:
        return "better"
    if middle.median >= 1 + EFFECT and chance([1 / one for one in ratios]) <= ALPHA:
        return "worse"
    return "same" if middle.low > 1 - EFFECT and middle.high < 1 + EFFECT else "unclear"


def chance(ratios: Sequence[float]) -> float:
    """How likely it is that ratios around 1 are as low as these by chance: Wilcoxon's signed-rank test, exact.

    Source: F. Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1 (1945).
    Cost: O(n^3) for n ratios, 10 ms for 100.

    >>> chance([0.9] * 5), chance([0.9, 1.2])
    (0.03125, 0.75)
    """
    logarithms = [round(math.log(one), 9) for one in ratios]  # 0.8 is as far from 1 as 1.25
    moved = sorted((abs(one), one > 0) for one in logarithms if one)
    ranks = []  # doubled, so that means of tied ranks are whole
    for distance, _ in moved:
        below = sum(other < distance for other, _ in moved)
        equal = sum(other == distance for other, _ in moved)
        ranks.append(2 * below + equal + 1)
    above = sum(rank for rank, (_, is_above) in zip(ranks, moved, strict=True) if is_above)
    ways = [1] + [0] * sum(ranks)  # of signs, by the sum of the ranks above 1
    for rank in ranks:
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    return float(sum(ways[: above + 1]) / 2 ** len(ranks))


def _ratio(one: Spread) -> str:
    return f"{ratio(one.median)} +-{100 * one.relative:.0f}%"
