"""The proofs that were found, as data; a campaign derives every one of them anew."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from importlib.resources import files

from capability.cheri.isa import ISAV8_128, ISAV9_128, MORELLO, RISCV_128
from m4alloc.superopt.cheri.prove import FULL, REDUCED, Proof

ISAS = (ISAV9_128, ISAV8_128, MORELLO, RISCV_128)
"""What rules are proved for."""


@cache
def recorded() -> tuple[Proof, ...]:
    """The proofs in `proofs.json`, in the order in which they were made."""
    text = files(__package__).joinpath("proofs.json").read_text(encoding="utf-8")
    return tuple(Proof(**row) for row in json.loads(text))


def as_json(proofs: Iterable[Proof]) -> str:
    """Proofs as the text of `proofs.json`, one a line.

    >>> as_json([Proof("S3", "Morello", FULL, "from lemmas", 0.0123)]).splitlines()[1][:48]
    '{"rule": "S3", "isa": "Morello", "outcome": "pro'
    """
    rows = [json.dumps({**asdict(proof), "seconds": round(proof.seconds, 2)}) for proof in proofs]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def summary() -> str:
    """How many rules are proved on each instruction set, full width and reduced width apart."""
    lines = []
    for isa in ISAS:
        here = [proof for proof in recorded() if proof.isa == str(isa) and proof.rule.startswith("S")]
        full, reduced = (sum(proof.outcome == outcome for proof in here) for outcome in (FULL, REDUCED))
        unused = ", ".join(proof.rule for proof in here if proof.outcome == "not used") or "none"
        lines.append(f"{isa}: {full} proved at full width, {reduced} checked at reduced width; not used: {unused}")
    return "\n".join(lines)
