"""A refused candidate as a test: a pytest file that passes as long as the gate refuses it."""

from __future__ import annotations

import hashlib
import textwrap
from pathlib import Path

from m4alloc.check.reproduce_pytest import requests_only
from m4alloc.tune.prove_result import LIBRARY, LOCKSTEP, REPLAY, GateResult, Proof
from m4alloc.tune.security import FLOORS, PROMISED_SIZE
from spec.script_reader import parse
from spec.script_writer import render
from spec.statement import ScriptError

WIDTH = 100


def write(proof: Proof, folder: Path) -> Path:
    """Write the test of the first gate that refused the candidate. Raises ValueError when none did; OSError."""
    refusal = proof.refusal
    if refusal is None:
        raise ValueError("no gate refused the candidate: there is nothing to keep")
    digest = hashlib.sha256(f"{proof.toml}{refusal.name}".encode()).hexdigest()[:8]
    path = folder / f"test_refused_{refusal.name}_{digest}.py"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(module(proof, refusal), encoding="utf-8")
    return path


def module(proof: Proof, refusal: GateResult) -> str:
    """The text of the test."""
    detail = textwrap.fill(_inside(refusal.detail), WIDTH)
    head = f'"""A strategy that the {refusal.name} gate refuses:\n\n{detail}\n"""\n\n'
    strategy = f'STRATEGY = """\n{_inside(proof.toml)}"""\n'
    shown = f'COUNTEREXAMPLE = """\n{_inside(refusal.counterexample.rstrip())}\n"""\n'
    if refusal.name == LIBRARY:
        return _library(proof, refusal, head, strategy, shown)
    script = _script(refusal) if refusal.name == LOCKSTEP else ""
    if script:
        return (
            f"{head}from m4alloc.tune.prove_lockstep import broken_by\n{_security(proof)}\n{strategy}{shown}"
            f'SCRIPT = """\n{_inside(script)}"""\n\n\n'
            f"def test_the_lockstep_gate_refuses_it() -> None:\n"
            f"    rule = broken_by(STRATEGY, SCRIPT, {_held(proof)})\n"
            f"    assert rule == {_kind(refusal)!r}\n"
        )
    rows = ""
    given = "STRATEGY"
    imports = "from m4alloc.tune.prove import prove\n"
    if refusal.name == REPLAY and not refusal.rows:
        return (
            f"{head}import pytest\n\n{strategy}{shown}\n\ndef test_the_replay_gate_refuses_it() -> None:\n"
            f"    pytest.skip('the calls that show it are too many to be kept: m4alloc tune shows it again')\n"
        )
    if refusal.name == REPLAY:
        imports += "from m4alloc.tune.prove_rows import from_rows\n"
        rows = f'CALLS = """\n{refusal.rows}"""\n'
        given = "STRATEGY, [from_rows(CALLS)]"
    checks = "    assert refused is not None and refused.verdict == 'VIOLATED', proof.text()\n"
    if refusal.name == REPLAY:
        checks += f"    assert {_kind(refusal)!r} in refused.detail\n"
    elif refusal.name != LOCKSTEP:
        checks += f"    assert refused.detail.startswith({refusal.detail[:60]!r})\n"
        checks += "    assert refused.counterexample.strip() == COUNTEREXAMPLE.strip()\n"
    return (
        f"{head}{imports}{_security(proof)}\n{strategy}{shown}{rows}\n\n"
        f"def test_the_{refusal.name}_gate_refuses_it() -> None:\n"
        f"    proof = prove({given}, {_held(proof)}, seed={proof.seed}, gates=[{refusal.name!r}])\n"
        f"    refused = proof.gate({refusal.name!r})\n{checks}"
    )


def _library(proof: Proof, refusal: GateResult, head: str, strategy: str, shown: str) -> str:
    return (
        f"{head}import os\n\nimport pytest\n\nfrom m4alloc.strategy import Strategy\n"
        f"from m4alloc.tune.prove import prove_library\n\n"
        f"LIBRARY = os.environ.get('ALLOCATOR', {proof.library!r})\n{strategy}{shown}\n\n"
        f"def test_the_library_gate_refuses_it() -> None:\n"
        f"    if not os.path.exists(LIBRARY):\n"
        f"        pytest.skip(f'{{LIBRARY}} is not there; ALLOCATOR=PATH names another')\n"
        f"    refused = prove_library(LIBRARY, Strategy.from_toml(STRATEGY), seed={proof.seed})\n"
        f"    assert refused.verdict == 'VIOLATED' and {_kind(refusal)!r} in refused.detail\n"
    )


def _script(refusal: GateResult) -> str:
    """The requests of the script that a gate found, or nothing when it found something else."""
    try:
        return render(requests_only(parse(refusal.counterexample)))
    except ScriptError:
        return ""


def _kind(refusal: GateResult) -> str:
    """The rule that broke."""
    words = refusal.detail.split(": ")
    return words[1] if refusal.name == REPLAY and len(words) > 1 else words[0]


def _held(proof: Proof) -> str:
    """The floor and the promise, as arguments."""
    floor = proof.floor
    words = [f"floor={floor.name!r}" if floor.name in FLOORS else f"floor={floor.least!r}"]
    words += [f"promise={floor.promise}"] if floor.promise else []
    words += [f"up_to={floor.up_to}"] if floor.up_to != PROMISED_SIZE else []
    return ", ".join(words)


def _security(proof: Proof) -> str:
    return "" if proof.floor.name in FLOORS else "from m4alloc.tune.security import Security\n"


def _inside(text: str) -> str:
    """Text as it stands between three double quotes."""
    return text.replace("\\", "\\\\").replace('"""', '""\\"')
