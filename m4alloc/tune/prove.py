"""Nothing unverified leaves: the gates that a candidate passes before the tuner recommends it.

No gate knows what the candidate is worth, and what it is worth is computed without any of them: what a search could
gain by giving a freed slot out at once, it cannot gain, for it is refused here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from m4alloc.check.progress import Progress, Silent
from m4alloc.strategy import Strategy, StrategyError
from m4alloc.tune.prove_result import GATES, LOCKSTEP, MODEL, REPLAY, STATIC, GateResult, Proof
from m4alloc.tune.prove_static import differing, refused_at_once, static_gate, toml_of
from m4alloc.tune.security import Floor, Security
from m4alloc.tune.workload import Workload
from spec.model.system import Verdict

__all__ = ["GATES", "GateResult", "Proof", "Verdict", "prove", "prove_library"]

MODEL_SHARE = 0.3
"""Of the budget, for the model at most; the rest is the lockstep gate's."""


def prove(
    candidate: Strategy | Mapping[str, Any] | str,
    workloads: Sequence[Workload] = (),
    *,
    floor: Strategy | Security | str | Floor = "default",
    promise: int | None = None,
    up_to: int | None = None,
    budget_s: float = 10.0,
    seed: int = 0,
    gates: Sequence[str] = GATES,
    most: int | None = None,
    progress: Progress | None = None,
) -> Proof:
    """Put a candidate to the gates in order, up to the first that it violates.

    candidate: a strategy, knobs as `Strategy` takes them, or the text of a TOML file; what is no strategy is refused by
    the first gate. floor, promise, up_to: as `Floor.of` takes them. budget_s: seconds for the model and the random
    sequences together; the workloads are replayed in full, whatever it takes, unless `most` calls of each are allowed.
    seed: of the random sequences. gates: of GATES; the others are left out.
    A candidate that breaks its promise is put to the model all the same, whose run shows how.
    Raises: StrategyError for a floor that there is not, ValueError for a gate; LibraryError where the core is missing,
    ModuleNotFoundError where Hypothesis is, which draws the random sequences.

    >>> proof = prove(Strategy(delay_line=8), promise=16, gates=("static", "model"))
    >>> print(proof.verdict, proof.refusal.name, proof.admitted)
    VIOLATED static False
    """
    unknown = [name for name in gates if name not in GATES]
    if unknown:
        raise ValueError(f"gate {unknown[0]!r}; there are {', '.join(GATES)}")
    if LOCKSTEP in gates:
        need_hypothesis()
    held = Floor.of(floor, promise, up_to)
    told = Silent() if progress is None else progress
    strategy, toml, error = _made(candidate)
    if strategy is None:
        assert error is not None
        return Proof(toml=toml, strategy=None, floor=held, seed=seed, gates=(refused_at_once(error),))
    done: list[GateResult] = []

    def lockstep() -> GateResult:
        from m4alloc.tune.prove_lockstep import lockstep_gate

        return lockstep_gate(strategy, held, budget_s * (1 - MODEL_SHARE), seed)

    def model() -> GateResult:
        from m4alloc.tune.prove_model import model_gate

        return model_gate(strategy, held, budget_s * MODEL_SHARE)

    def replay() -> GateResult:
        from m4alloc.tune.prove_replay import replay_gate

        return replay_gate(strategy, workloads, held, most=most, progress=told)

    ways: dict[str, Callable[[], GateResult]] = {
        STATIC: lambda: static_gate(strategy, held),
        MODEL: model,
        LOCKSTEP: lockstep,
        REPLAY: replay,
    }
    for name in GATES:
        if name not in gates:
            continue
        refused = any(gate.verdict is Verdict.VIOLATED for gate in done)
        if refused and not (name == MODEL and held.first_short(strategy) is not None):
            continue
        told.phase(f"gate {name}")
        done.append(ways[name]())
    return Proof(toml=toml, strategy=strategy, floor=held, seed=seed, gates=tuple(done))


def prove_library(path: str, strategy: Strategy, budget_s: float = 10.0, *, seed: int = 0) -> GateResult:
    """Gate 5: see `m4alloc.tune.prove_library.prove_library`."""
    need_hypothesis()
    from m4alloc.tune import prove_library as gate

    return gate.prove_library(path, strategy, budget_s, seed=seed)


def need_hypothesis() -> None:
    """Raise ModuleNotFoundError, with what would help, unless Hypothesis is installed."""
    if importlib.util.find_spec("hypothesis") is None:
        raise ModuleNotFoundError(
            "hypothesis, which draws the random requests of the gates, is not installed: pip install 'm4alloc[tune]'"
        )


def _made(candidate: Strategy | Mapping[str, Any] | str) -> tuple[Strategy | None, str, StrategyError | None]:
    """The strategy, its text, and why there is none."""
    if isinstance(candidate, Strategy):
        return candidate, toml_of(differing(candidate)), None
    toml = candidate if isinstance(candidate, str) else toml_of(candidate)
    try:
        return Strategy.from_toml(toml, "candidate"), toml, None
    except StrategyError as error:
        return None, toml, error
