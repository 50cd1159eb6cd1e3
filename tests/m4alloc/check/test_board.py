"""The board has one layout, which the C of the driver and the Python of the tests tell alike."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from m4alloc.check import alphabet, board, instruction, operation
from m4alloc.check.board import Activity, Board, Doing
from m4alloc.check.instruction import INSTRUCTION
from m4alloc.check.operation import Aim, Directive
from m4alloc.lib import driver
from m4alloc.trace.format import RECORD
from spec import event
from spec.event import Function

SOURCES = Path(board.__file__).parent / "driver"
FIELDS = {
    "instruction": INSTRUCTION.names,
    "record": [
        "begin",
        "end",
        "address",
        "size",
        "extra",
        "result",
        "usable",
        "intact",
        "time_ns",
        "site",
        "thread",
        "error",
        "function",
        "flags",
    ],
    "activity": ["doing", "thread", "address", "size"],
    "board": [
        "instructions",
        "events",
        "number",
        "nodes",
        "leaves",
        "depth",
        "stop",
        "forks",
        "steps",
        "activity",
        "instruction",
        "event",
    ],
    "exploration": ["depth", "slots", "makers", "resizers", "prefix_length", "milliseconds", "prefix"],
}
CONSTANTS = {
    "CAPACITY": board.CAPACITY,
    "EVENTS": board.EVENTS,
    "THREADS": board.THREADS,
    "SLOTS": instruction.SLOTS,
    "MAX_DEPTH": alphabet.MAX_DEPTH,
    "ERRNO_CHANGED": event.ERRNO_CHANGED,
    "MISUSE_CAUGHT": event.MISUSE_CAUGHT,
    "NEVER_RETURNED": event.NEVER_RETURNED,
    "WHOLE_SCANNED": event.WHOLE_SCANNED,
    "AIM_RAW": instruction.RAW,
    "AIM_ABSOLUTE": instruction.ABSOLUTE,
    **{doing.name: int(doing) for doing in Doing},
    **{f"AIM_{aim.name}": int(aim) for aim in Aim},
    **{function.name: int(function) for function in Function},
}
DIRECTIVES = {directive.name: int(directive) for directive in Directive}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the C compiler makes of the headers: the constants, the size of each struct, and where each field begins."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    wanted = {name: name for name in (*CONSTANTS, *DIRECTIVES)}
    for struct, fields in FIELDS.items():
        wanted[struct] = f"sizeof(struct {struct})"
        wanted |= {f"{struct}.{field}": f"offsetof(struct {struct}, {field})" for field in fields}
    rows = "".join(f'printf(",\\"{name}\\":%llu", (unsigned long long){value});\n' for name, value in wanted.items())
    # explore.h alone of the driver's files defines struct exploration; it needs what main.c says to the test.
    text = f"""#define _GNU_SOURCE
        #include "{SOURCES}/explore.h"
        static void hand_over_page(void) {{}}
        int main(void) {{ (void)explore_all; printf("{{\\"_\\":0"); {rows} printf("}}"); return 0; }}"""
    program = tmp_path_factory.mktemp("layout") / "layout"
    command = [compiler, "-w", "-x", "c", "-", "-o", str(program), "-ldl", "-pthread"]
    subprocess.run(command, input=text, text=True, check=True)
    told: dict[str, int] = json.loads(subprocess.run([program], capture_output=True, text=True, check=True).stdout)
    return told


@pytest.mark.parametrize(("struct", "row"), [("instruction", INSTRUCTION), ("record", RECORD)])
def test_the_rows_are_the_structs(layout: dict[str, int], struct: str, row: np.dtype[np.void]) -> None:
    assert layout[struct] == row.itemsize and row.names is not None and row.fields is not None
    offsets = sorted(layout[f"{struct}.{field}"] for field in FIELDS[struct] or ())
    assert [row.fields[name][1] for name in row.names] == offsets
    sizes = np.diff([*offsets, row.itemsize]).tolist()
    assert [row.fields[name][0].itemsize for name in row.names] == sizes
    for name in set(row.names) & set(FIELDS[struct] or ()):
        assert layout[f"{struct}.{name}"] == row.fields[name][1]


def test_the_parts_of_the_board_are_where_they_are_looked_for(layout: dict[str, int]) -> None:
    header = ["instructions", "events", "number", "nodes", "leaves", "depth", "stop", "forks"]
    assert [layout[f"board.{field}"] for field in header] == [0, 4, 8, 16, 24, 32, 36, 40]
    assert layout["board.activity"] == board.ACTIVITY_AT == board.HEADER.size
    assert layout["board.instruction"] == board.INSTRUCTIONS_AT and layout["board.event"] == board.EVENTS_AT
    assert layout["board"] == -(-board.SIZE // 4096) * 4096 >= board.SIZE
    assert layout["activity"] == board.ACTIVITY.size
    assert [layout[f"activity.{field}"] for field in FIELDS["activity"] or ()] == [0, 4, 8, 16]
    assert board.ACTIVITY_AT + board.THREADS * board.ACTIVITY.size <= board.INSTRUCTIONS_AT


def test_an_exploration_is_packed_as_the_driver_reads_it(layout: dict[str, int]) -> None:
    assert layout["exploration"] == board.EXPLORATION.size
    offsets = [layout[f"exploration.{field}"] for field in FIELDS["exploration"] or ()]
    assert offsets == sorted(offsets) and offsets[0] == 0 and offsets[-1] == board.EXPLORATION.size - 2 * 32


@pytest.mark.parametrize("name", [*CONSTANTS, *DIRECTIVES])
def test_a_number_means_the_same_on_both_sides(layout: dict[str, int], name: str) -> None:
    assert layout[name] == (CONSTANTS | DIRECTIVES)[name]


def test_the_driver_stands_beside_its_library() -> None:
    assert Path(driver()).exists()
    assert len(operation.LABELS) == len(Directive)


def test_what_is_put_on_the_board_stays_there() -> None:
    made = Board()
    rows = np.zeros(3, INSTRUCTION)
    rows["size"] = [1, 2, 3]
    made.ask(rows)
    made.check()
    assert made.instructions[:3]["size"].tolist() == [1, 2, 3] and len(made.events()) == 0
    made.lines[0]["size"], made.lines[0]["function"] = 77, Function.MALLOC
    board.HEADER.pack_into(made.memory, 0, 3, 1, 9, 11, 12, 2, 1, 0, 8)
    board.ACTIVITY.pack_into(made.memory, board.ACTIVITY_AT + 5 * board.ACTIVITY.size, Doing.STORING, 5, 0x1000, 64)
    assert made.events()["size"].tolist() == [77]
    assert (made.nodes, made.leaves, made.stopped, made.steps) == (11, 12, True, 8)
    assert list(made.activities()) == [Activity(Doing.STORING, 5, 0x1000, 64)]
    assert len(made.events()) == 0  # they are taken off: a line given out and never written is no event
    made.clear()
    assert (made.nodes, made.leaves, made.stopped, list(made.activities()), len(made.events())) == (0, 0, False, [], 0)
    assert made.steps == 0
    made.close()
