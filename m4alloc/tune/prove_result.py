"""What the gates say of a candidate: a verdict each, with the counterexample of the one that refused it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m4alloc.strategy import Strategy
from m4alloc.tune.security import Floor
from spec.model.system import Verdict

STATIC, MODEL, LOCKSTEP, REPLAY, LIBRARY = "static", "model", "lockstep", "replay", "library"
GATES = (STATIC, MODEL, LOCKSTEP, REPLAY)
"""The gates that a strategy passes, in order; a library that was built from it has one of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What one gate came to.

    verdict: HOLDS, VIOLATED, or EXHAUSTED when its budget ended before it had looked at anything in full.
    seconds: that it took. detail: what was looked at, or what was violated, in a line or two.
    counterexample: what shows a violation, to be read: the class, the run of the model, or a heap script.
    rows: the calls that show a violation again, as m4alloc.tune.prove_rows has them, of a replay.
    """

    name: str
    verdict: Verdict
    seconds: float
    detail: str
    counterexample: str = ""
    rows: str = ""

    def to_json(self) -> dict[str, Any]:
        """The result as JSON types."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "seconds": round(self.seconds, 3),
            "detail": self.detail,
            "counterexample": self.counterexample,
            **({"calls": self.rows} if self.rows else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What all gates together came to for one candidate.

    toml: the candidate, only the knobs that differ from the default. strategy: the same, or None when it is none.
    floor: what it was held to. seed: of the random sequences. gates: those it came to, in order; after the first that
    refused it there are no others but the model, which shows why. library: the file that gate 5 was put to.
    """

    toml: str
    strategy: Strategy | None
    floor: Floor
    seed: int
    gates: tuple[GateResult, ...]
    library: str = ""

    @property
    def refusal(self) -> GateResult | None:
        """The first gate that the candidate violates."""
        return next((gate for gate in self.gates if gate.verdict is Verdict.VIOLATED), None)

    @property
    def verdict(self) -> Verdict:
        """VIOLATED by any gate; EXHAUSTED when one was not decided; else HOLDS."""
        if self.refusal is not None:
            return Verdict.VIOLATED
        undecided = any(gate.verdict is Verdict.EXHAUSTED for gate in self.gates)
        return Verdict.EXHAUSTED if undecided or not self.gates else Verdict.HOLDS

    @property
    def admitted(self) -> bool:
        """Whether the candidate may leave: every gate that it was put to holds."""
        return self.verdict is Verdict.HOLDS

    @property
    def seconds(self) -> float:
        """That all gates took."""
        return sum(gate.seconds for gate in self.gates)

    def gate(self, name: str) -> GateResult | None:
        """What the gate of that name came to; None when the candidate did not come to it."""
        return next((gate for gate in self.gates if gate.name == name), None)

    def with_gate(self, gate: GateResult, library: str = "") -> Proof:
        """The same with one more gate, such as that of the library that was built."""
        return Proof(
            toml=self.toml,
            strategy=self.strategy,
            floor=self.floor,
            seed=self.seed,
            gates=(*self.gates, gate),
            library=library or self.library,
        )

    def to_json(self) -> dict[str, Any]:
        """The proof as JSON types."""
        return {
            "verdict": self.verdict.value,
            "strategy": self.toml,
            "floor": self.floor.name,
            "promise": self.floor.promise,
            "up_to": self.floor.up_to,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "gates": [gate.to_json() for gate in self.gates],
        }

    def text(self) -> str:
        """A line a gate, and below a violation what shows it."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for gate in self.gates:
            yield f"{gate.name:<9} {gate.verdict.value:<9} {gate.seconds:6.2f} s  {gate.detail}"
            if gate.verdict is Verdict.VIOLATED:
                for line in gate.counterexample.rstrip("\n").split("\n"):
                    yield f"    {line}".rstrip()

    def write_test(self, folder: str | Path) -> Path:
        """Keep a refused candidate as a test: a pytest file in `folder` that passes while the gate refuses it.

        The file needs m4alloc and pytest alone; its name is that of the gate and a digest of the candidate.
        Raises: ValueError when no gate refused it; OSError.
        """
        from m4alloc.tune.prove_keep import write

        return write(self, Path(folder))
