"""The map of m4alloc.superopt, its docstring, is complete."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import m4alloc.superopt

FOLDER = Path(m4alloc.superopt.__file__).parent


def test_the_map_names_every_module_once_with_what_it_is_for() -> None:
    lines = [line for line in (m4alloc.superopt.__doc__ or "").splitlines() if line.startswith("    ")]
    parts = [re.fullmatch(r"    (\w+(?:, \w+)*) {2,}(\S.*)", line) for line in lines]
    assert all(parts) and len(parts) > 40
    named = Counter(name for part in parts if part is not None for name in part[1].split(", "))
    assert [name for name, count in named.items() if count > 1] == []
    assert set(named) == {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} | {"cheri"}
