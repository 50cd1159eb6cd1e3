"""Nothing unverified leaves: seeded unsafe strategies are refused by the gate that is theirs, and kept as tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from m4alloc.strategy import Strategy, StrategyError
from m4alloc.tune import prove as proving
from m4alloc.tune.prove import GATES, Verdict, prove
from m4alloc.tune.prove_result import GateResult, Proof
from m4alloc.tune.prove_rows import from_rows
from m4alloc.tune.security import Floor
from m4alloc.tune.workload import Workload


@pytest.fixture(scope="module")
def workload() -> Workload:
    """A few blocks of one class that come and go."""
    return from_rows("".join(f"malloc {n} 24\nfree {n}\n" for n in range(1, 60)), "few")


@pytest.mark.slow
def test_the_default_passes_every_gate(workload: Workload) -> None:
    proof = prove(Strategy(), [workload], budget_s=2.0)
    assert proof.admitted, proof.text()
    assert [gate.name for gate in proof.gates] == list(GATES)
    assert proof.refusal is None
    assert proof.toml == "[strategy]\n"


UNSAFE: list[tuple[str, Any, dict[str, Any], str]] = [
    ("a quarantine shorter than promised", Strategy(quarantine=8), {"promise": 32}, "promise of 32 frees"),
    (
        "a delay line that reorders",
        Strategy(quarantine=16, quarantine_random=True),
        {"promise": 32},
        "promise of 32 frees up to 1024 bytes: class 16 keeps a freed slot for 16 (its quarantine of 16 gives out",
    ),
    ("a line that is given out at once", Strategy(delay_line=0), {}, "reuse of 1 to 1024 bytes after 0 frees"),
    ("no line for large blocks", {"large_delay": 0}, {}, "reuse of 32769 to 65536 bytes after 0 frees; 8 are wanted"),
    ("a knob out of range", {"delay_line": 5000}, {}, "candidate: delay_line is 5000; it must be from 0 to 4096"),
    ("classes that do not increase", {"classes": [32, 16, 32768]}, {}, "candidate: class 16 follows 32; classes must"),
    ("a knob that there is not", {"luck": 1}, {}, "candidate: unknown knob 'luck'"),
    ("text that is none", "[strategy", {}, "candidate: "),
]


@pytest.mark.parametrize(
    ("candidate", "options", "detail"), [row[1:] for row in UNSAFE], ids=[row[0] for row in UNSAFE]
)
def test_an_unsafe_strategy_is_refused_by_the_first_gate(candidate: Any, options: dict[str, Any], detail: str) -> None:
    proof = prove(candidate, budget_s=2.0, **options)
    assert proof.verdict is Verdict.VIOLATED
    assert proof.refusal is proof.gates[0]
    assert proof.gates[0].detail.startswith(detail)
    assert proof.gates[0].counterexample


def test_classes_without_exact_bounds_are_refused_with_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = Strategy(classes=(16, 16400, 32768))
    object.__setattr__(strategy, "representable", "isav9")
    proof = prove(strategy)
    assert proof.refusal is not None
    assert proof.refusal.counterexample == (
        "class 16400 is not representable on ISAv9: its bounds would be rounded to 16416 bytes"
    )


@pytest.mark.parametrize("quarantine_random", [False, True])
def test_a_broken_promise_is_shown_by_a_run_of_the_model_as_well(quarantine_random: bool) -> None:
    proof = prove(Strategy(quarantine=8, quarantine_random=quarantine_random), promise=30)
    assert [(gate.name, gate.verdict.value) for gate in proof.gates] == [("static", "VIOLATED"), ("model", "VIOLATED")]
    assert proof.gates[1].counterexample.endswith("{early&malloc&mem_allocate_end}")


def test_giving_a_freed_slot_out_at_once_lowers_the_footprint_and_falls_below_the_floor(workload: Workload) -> None:
    from m4alloc.arena import Arena

    def used(strategy: Strategy) -> int:
        with Arena(1 << 20, strategy) as arena:
            addresses = set()
            for _ in range(40):
                block = arena.malloc(24)
                addresses.add(block.address)
                arena.free(block)
            return len(addresses)

    hacked = Strategy(delay_line=0)
    assert used(hacked) == 1 < used(Strategy()) == 17
    assert prove(hacked, [workload], gates=("static",)).verdict is Verdict.VIOLATED
    # Whoever wants it has to ask for it; then it is what it says, and the other gates find nothing wrong.
    assert prove(hacked, [workload], floor="any", gates=("static", "model", "replay")).admitted


def test_no_gate_and_no_axis_reads_what_a_candidate_is_worth() -> None:
    folder = Path(proving.__file__).parent
    for file in (*folder.glob("prove*.py"), folder / "security.py"):
        imported = [line for line in file.read_text().split("\n") if line.startswith(("import ", "from "))]
        for fitness in ("evaluate", "simulate", "result import Objectives", "search", "archive", "exact"):
            assert not [line for line in imported if f"m4alloc.tune.{fitness}" in line], file


@pytest.mark.slow
def test_each_refusal_is_kept_as_a_test_that_passes_until_the_candidate_is_mended(
    tmp_path: Path, workload: Workload
) -> None:
    refused = [
        prove(Strategy(quarantine=8), promise=32, gates=("static",)),
        prove({"delay_line": 5000}),
        prove(Strategy(delay_line=2), floor="any", promise=4, gates=("model",)),
        prove(Strategy(delay_line=2), floor="any", promise=4, gates=("lockstep",), budget_s=5.0),
        prove(Strategy(delay_line=2), [workload], floor="any", promise=4, gates=("replay",)),
    ]
    files = [proof.write_test(tmp_path / "kept") for proof in refused]
    assert len(set(files)) == len(refused)
    names = [file.name.split("_")[2] for file in files]
    assert names == ["static", "static", "model", "lockstep", "replay"]
    mended = tmp_path / "kept" / "test_mended.py"
    mended.write_text(files[2].read_text().replace("delay_line = 2", "delay_line = 4"))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "kept")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "5 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "1 failed" in ran.stdout
    assert "FAILED kept/test_mended.py::test_the_model_gate_refuses_it" in ran.stdout


def test_a_floor_that_is_a_strategy_is_kept_as_its_axes(tmp_path: Path) -> None:
    proof = prove(Strategy(delay_line=8), floor=Strategy(guards=True), gates=("static",))
    text = proof.write_test(tmp_path).read_text()
    names: dict[str, Any] = {}
    exec(compile(text, "kept", "exec"), names)
    names["test_the_static_gate_refuses_it"]()


def test_a_library_that_was_refused_is_kept_with_its_path(tmp_path: Path) -> None:
    gate = GateResult(
        name="library", verdict=Verdict.VIOLATED, seconds=1.0, detail="r: what", counterexample="a = malloc 1"
    )
    proof = prove(Strategy(), gates=("static",)).with_gate(gate, "/nowhere/libx.so")
    assert proof.refusal is gate
    text = proof.write_test(tmp_path).read_text()
    assert '"/nowhere/libx.so"' in text or "'/nowhere/libx.so'" in text
    compile(text, "kept", "exec")


def test_what_was_not_refused_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^no gate refused the candidate: there is nothing to keep$"):
        prove(Strategy(), gates=("static",)).write_test(tmp_path)


def test_a_proof_is_json_and_text() -> None:
    proof = prove(Strategy(delay_line=8), promise=16, gates=("static",), seed=7)
    told = json.loads(json.dumps(proof.to_json()))
    assert (told["verdict"], told["strategy"], told["floor"]) == ("VIOLATED", "[strategy]\ndelay_line = 8\n", "default")
    assert (told["promise"], told["up_to"], told["seed"]) == (16, 1024, 7)
    assert told["gates"][0]["counterexample"].startswith("reuse of 1 to 1024 bytes after 8 frees; 16 are wanted")
    lines = proof.text().split("\n")
    assert lines[0].startswith("static    VIOLATED ")
    assert lines[1] == "    reuse of 1 to 1024 bytes after 8 frees; 16 are wanted"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((), Verdict.EXHAUSTED),
        ((Verdict.HOLDS, Verdict.HOLDS), Verdict.HOLDS),
        ((Verdict.HOLDS, Verdict.EXHAUSTED), Verdict.EXHAUSTED),
        ((Verdict.EXHAUSTED, Verdict.VIOLATED), Verdict.VIOLATED),
    ],
)
def test_a_proof_holds_when_every_gate_does(verdicts: tuple[Verdict, ...], expected: Verdict) -> None:
    gates = tuple(GateResult(name=f"g{n}", verdict=one, seconds=0.0, detail="") for n, one in enumerate(verdicts))
    proof = Proof(toml="", strategy=None, floor=Floor(), seed=0, gates=gates)
    assert proof.verdict is expected
    assert proof.admitted == (expected is Verdict.HOLDS)


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^gate 'luck'; there are static, model, lockstep, replay$"):
        prove(Strategy(), gates=("luck",))
    with pytest.raises(StrategyError, match=r"^floor 'high'; there are default, hardened, any$"):
        prove(Strategy(), floor="high")


def test_without_hypothesis_the_gates_that_need_it_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = r"is not installed: pip install 'm4alloc\[tune\]'$"
    with pytest.raises(ModuleNotFoundError, match=message):
        prove(Strategy())
    with pytest.raises(ModuleNotFoundError, match=message):
        proving.prove_library("libx.so", Strategy())
    assert prove(Strategy(), gates=("static", "model")).admitted
