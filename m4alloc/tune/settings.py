"""Settings of a tuning: what the user chose, checked at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from m4alloc.tune.archive import Prefer
from m4alloc.tune.evaluate import Objective
from m4alloc.tune.methods import DEFAULT, METHODS
from m4alloc.tune.security import FLOORS
from m4alloc.tune.sources import LIMIT

EVALUATIONS = 400
MOST_EVALUATIONS = 1_000_000
MOST_ROUNDS = 200
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


class TuneError(ValueError):
    """A setting that makes no sense; the message names it and says what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a tuning is to do.

    output: the folder for everything that is written. name: of the library; empty: the program's. evaluations: of
    candidates, a method. method: of METHODS. compare: every method instead of that one and random search. prefer: what
    the recommended candidate is best at. security: the floor, of FLOORS. reuse_after: frees of its class between the
    free of a block and its reuse that the allocator has to promise; 0: as the floor says. objective: how several
    workloads make one number. scheduler: the address of a dask.distributed cluster that evaluates; empty: this machine
    does, in `jobs` processes, 0 for one a core. weights: a file of a trained agent. calls: of each workload so many are
    simulated in the search. limit: bytes a recorded trace may have. rounds: of the last measurement at most.
    gate_budget: seconds for the model and the random sequences of a candidate. anyway: go on where the headroom says
    that there is nothing to gain.
    measure, advice, hold_out: whether the program is measured, other allocators advised, programs held out.
    Raises: TuneError.

    >>> Settings(output=Path("x"), evaluations=0)
    Traceback (most recent call last):
    m4alloc.tune.settings.TuneError: 0 evaluations; from 10 to 1,000,000
    """

    output: Path
    name: str = ""
    evaluations: int = EVALUATIONS
    method: str = DEFAULT
    compare: bool = False
    prefer: str = "balanced"
    security: str = "default"
    reuse_after: int = 0
    objective: str = "mean"
    seed: int = 0
    scheduler: str = ""
    jobs: int = 0
    weights: Path | None = None
    calls: int = 2_000_000
    limit: int = LIMIT
    rounds: int = 15
    timeout: float = 600.0
    gate_budget: float = 10.0
    anyway: bool = False
    measure: bool = True
    advice: bool = True
    hold_out: bool = True
    resume: bool = False

    @property
    def engine(self) -> str:
        """Where candidates are evaluated, of m4alloc.tune.engine."""
        return "dask" if self.scheduler else "local"

    def __post_init__(self) -> None:
        _within("{} evaluations", self.evaluations, 10, MOST_EVALUATIONS)
        _within("{} rounds", self.rounds, 6, MOST_ROUNDS)
        _within("{} calls of each workload", self.calls, 1000, 10**12)
        _within("a recording of {} bytes", self.limit, 1 << 16, 1 << 50)
        _within("a promise of {} frees", self.reuse_after, 0, 4096 + 65536)
        _within("a seed of {}", self.seed, 0, 2**63 - 1)
        _within("{} jobs", self.jobs, 0, 1024)
        _among("method", self.method, METHODS)
        _among("prefer", self.prefer, [str(one) for one in Prefer])
        _among("security", self.security, FLOORS)
        _among("objective", self.objective, [str(one) for one in Objective])
        if not self.timeout > 0:
            raise TuneError(f"a timeout of {self.timeout:g} s; it must be more than 0")
        if not self.gate_budget >= 1:
            raise TuneError(f"{self.gate_budget:g} s for the gates of a candidate; at least 1")
        if self.name and not NAME.fullmatch(self.name):
            raise TuneError(f"the name {self.name!r}: letters, digits and ._+- are wanted, 64 at most")
        if self.weights is not None and self.method != "agent" and not self.compare:
            raise TuneError("--weights are of the learned agent: --method agent, or --compare")


def _within(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise TuneError(f"{what.format(f'{value:,}')}; from {least:,} to {most:,}")


def _among(what: str, value: str, known: object) -> None:
    names = list(known)  # type: ignore[call-overload]
    if value not in names:
        raise TuneError(f"{what} {value!r}; there are {', '.join(names)}")
