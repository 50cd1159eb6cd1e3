"""A report of a tuning with something in every part, made up."""

from __future__ import annotations

from m4alloc.bench.draw import Scale
from m4alloc.bench.statistic import Spread
from m4alloc.strategy import Strategy
from m4alloc.tune.advise import Advice
from m4alloc.tune.comparison import Row
from m4alloc.tune.exact import Distance
from m4alloc.tune.importance import Importance
from m4alloc.tune.measure import Decision, Measured
from m4alloc.tune.measure import Row as MeasuredRow
from m4alloc.tune.pictures import Panel
from m4alloc.tune.prove_result import GateResult, Proof
from m4alloc.tune.report import TUNED, Tried, TuneReport, WorkloadRow
from m4alloc.tune.result import Objectives
from m4alloc.tune.security import Floor
from m4alloc.tune.several import HeldOut
from m4alloc.tune.summary import summary
from m4alloc.tune.workload import example
from spec.model.system import Verdict

GOOD, BAD = Strategy(placement=1, refill_batch=8), Strategy(delay_line=1)


def proof(strategy: Strategy, verdict: Verdict) -> Proof:
    """Of one gate."""
    shown = "class 16 is reused at once" if verdict is Verdict.VIOLATED else ""
    gate = GateResult(name="static", verdict=verdict, seconds=0.5, detail="looked at", counterexample=shown)
    return Proof(toml=strategy.to_toml(), strategy=strategy, floor=Floor.of("default"), seed=0, gates=(gate,))


def tried(name: str, strategy: Strategy, time: float, memory: float, verdict: Verdict = Verdict.HOLDS) -> Tried:
    """A candidate with its proof."""
    kept = "refused/test_it.py" if verdict is Verdict.VIOLATED else ""
    return Tried(name, strategy, Objectives(time, memory, 4.0), proof(strategy, verdict), kept)


def even(value: float) -> Spread:
    """A median without any noise."""
    return Spread(value, value, value)


def measured(cpu: float = 0.9, *, pays: bool = True, dropped: tuple[str, ...] = ()) -> Measured:
    """Before and after, of two allocators."""
    ratios = {"cpu": even(cpu), "wall": even(cpu), "peak": even(1.0)}
    ones = {axis: even(1.0) for axis in ratios}
    rows = (
        MeasuredRow("m4alloc", "default", "", ones, {"cpu": even(2.0), "wall": even(2.0), "peak": even(1e6)}),
        MeasuredRow("tuned", "tuned", "", ratios, {"cpu": even(2 * cpu), "wall": even(2 * cpu), "peak": even(1e6)}),
    )
    axes = {"cpu": "better" if pays else "same", "wall": "same", "peak": "same"}
    decision = Decision("tuned", axes, pays, f"CPU time {cpu:.2f}")
    machine: dict[str, str | int] = {"cpu": "one", "cores": 2, "kernel": "k", "libc": "l", "date": "d"}
    return Measured(("prog", "a b"), machine, 6, rows, (decision,), dropped=dropped)


def report(**changes: object) -> TuneReport:
    """Everything, with some of it changed."""
    one = Objectives(0.8, 0.9, 4.0)
    parts: dict[str, object] = {
        "name": "prog",
        "command": ("prog", "a b"),
        "sources": ("out/traces/prog.m4t",),
        "budget": 20,
        "workloads": (
            WorkloadRow(
                *("prog", summary(example([(1, 1, 24), (1, 2, 24), (2, 1, 0)])), 2),
                (
                    Distance("classes", "share", 0.2, 0.1, 2.0, False, "classes: " + "a long reason " * 12),
                    Distance("footprint", "bytes", 2e6, 1e6, 2.0, True, "footprint: a bound"),
                    Distance("delay_line", "bytes", 10.0, 0.0, float("inf"), True, "delay_line: nothing waits"),
                ),
            ),
        ),
        "methods": (Row("climb", 1.2, 1.2, 0.8, 0.9, 0.72, 20, 1.5, 1), Row("random", 1.1, 1.1, 0.9, 1, 0.9, 20, 1, 1)),
        "course": {"climb": ((10, 1.1), (20, 1.2)), "random": ((10, 1.0), (20, 1.1))},
        "seen": (one, Objectives(1.0, 1.0, 4.0), Objectives(30.0, 9.0, 1.0)),
        "front": (one,),
        "panels": (
            Panel("a curve", Scale("x", 0, 2, str), Scale("y", 0, 2, str), [(0, 0), (2, 2)], now=1.0, best=2.0),
        ),
        "tried": (tried("balanced+time", GOOD, 0.8, 0.9), tried("front 2", BAD, 0.7, 0.9, Verdict.VIOLATED)),
        "importance": (
            Importance("placement", "0", "1", Objectives(0.9, 1, 4.0), Objectives(0.95, 1, 4.0), "faults: 1"),
        ),
        "held_out": (HeldOut("perl", 0.25, 0.125),),
        "chosen": "balanced+time",
        "strategy": GOOD,
        "library": "out/libm4alloc-prog.so",
        "measured": measured(),
        "advice": (Advice("glibc", (("GLIBC_TUNABLES", "glibc.malloc.arena_max=1"),), ("one thread",)),),
        "verdict": TUNED,
        "why": "CPU time 0.90, better",
        "notes": ("something to know",),
    }
    return TuneReport(**{**parts, **changes})  # type: ignore[arg-type]
