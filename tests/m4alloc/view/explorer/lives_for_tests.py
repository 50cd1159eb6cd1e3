"""Lives that tests of several files draw, and when two are equal."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from m4alloc.check.script_strategies import scripts
from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.sources import Asked, read
from m4alloc.view.explorer.sources_script import life_of_script
from spec.script import Script, parse, render

ROOT = Path(__file__).resolve().parents[4]
EXCERPTS = ROOT / "benchmarks" / "traces" / "excerpts"
SCRIPTS = ROOT / "tests" / "scripts"
MACHINES = ("none", "flat-quarantine", "mte", "adi", "morello", "cheriot")


def script_lives(*machines: str, max_steps: int = 25) -> st.SearchStrategy[Life]:
    """Random scripts, misuse and all, on the reference allocator over one of the machines."""

    def made(script: Script, machine: str) -> Life:
        text = render(script)
        return life_of_script(parse(text), text=text, title="drawn", architecture=machine)

    sizes = st.integers(0, 300) | st.just(5000)
    drawn = scripts(sizes=sizes, threads=2, max_steps=max_steps, misuse=True)
    return st.builds(made, drawn, st.sampled_from(machines or MACHINES))


def life_in(path: Path) -> Life:
    """The only life of a file."""
    lives = read(path, Asked())
    assert isinstance(lives, list)
    return lives[0]


def differences(one: Life, other: Life) -> list[str]:
    """The names of what is not equal in two lives; curves to five digits."""
    found = []
    for part in ("events", "blocks"):
        columns, others = getattr(one, part), getattr(other, part)
        for column in fields(columns):
            if not np.array_equal(getattr(columns, column.name), getattr(others, column.name)):
                found.append(f"{part}.{column.name}")
    for field in fields(one):
        if field.name not in ("events", "blocks", "curves") and getattr(one, field.name) != getattr(other, field.name):
            found.append(field.name)
    for curve, twin in zip(one.curves, other.curves, strict=True):
        same = curve.name == twin.name and curve.unit == twin.unit and np.array_equal(curve.at, twin.at)
        if not same or not np.allclose(curve.values, twin.values, atol=6e-6):
            found.append(f"curve {curve.name}")
    return found
