"""The layers of the monitor's runtime know only those that DESIGN.md has above them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "m4alloc" / "_watch"


def rows() -> list[set[str]]:
    """The files of each row of the table in DESIGN.md; a name stands for its parts as well (report for report_json)."""
    text = (ROOT / "DESIGN.md").read_text()
    table = text[text.index("The layers of `_watch/`") :].split("\n\n")[1]
    named = [set(re.findall(r"`(\w+)`", line.split("|")[1])) for line in table.splitlines()[2:]]
    said = set().union(*named)
    files = {path.stem for path in FOLDER.glob("*.pxd")} - {"__init__"}
    return [
        {file for file in files if file in row or (file not in said and file.partition("_")[0] in row)} for row in named
    ]


def test_the_table_has_every_file_once() -> None:
    found = [file for row in rows() for file in row]
    assert sorted(found) == sorted({path.stem for path in FOLDER.glob("*.pxd")} - {"__init__"})


def test_a_layer_knows_only_those_above_it() -> None:
    known: set[str] = set()
    for row in rows():
        known |= row
        for file in row:
            used = set(re.findall(r"^from m4alloc\._watch\.(\w+) cimport", (FOLDER / f"{file}.pxd").read_text(), re.M))
            assert used <= known, (file, used - known)
