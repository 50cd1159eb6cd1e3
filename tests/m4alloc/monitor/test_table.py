"""Compiling properties for a running program: what is in a table, what is refused, and what is damaged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.monitor.product import MachineKind
from m4alloc.monitor.table import (
    BUILT_IN,
    NO_GHOST,
    OPEN_ALONE,
    OPEN_TO_ALL,
    Machine,
    MonitorTableError,
    ReportClass,
    Table,
    as_c,
    compile_table,
)
from m4alloc.monitor.table_format import HEADER, sum_of
from spec.ltl.error import LogicError, TooLargeError
from spec.properties import PROPERTIES, find
from spec.property import NUMBERS, OF_ACCESS, Property
from tests.m4alloc.monitor.deliveries import LABELLED, LIBRARY, OTHERS, PLAIN

ROOT = Path(__file__).resolve().parents[3]
SOME = st.lists(st.sampled_from(LIBRARY), min_size=1, max_size=4, unique=True)


def machines(*texts: str) -> list[Machine]:
    return list(Table.of(map(find, texts)).machines)


# What is watched.


def test_the_header_has_the_built_in_properties_as_they_are_compiled_now() -> None:
    header = (ROOT / "m4alloc" / "_monitor_table.h").read_text(encoding="utf-8")
    assert header == as_c(Table.of((), built_in=BUILT_IN))
    (array,) = re.findall(r"= \{(.*?)\}", header, re.DOTALL)
    assert bytes(map(int, array.split(","))) == compile_table()


def test_built_in_properties_are_reported_by_class_and_others_by_name() -> None:
    table = Table.of([find("freed-eventually"), find("F1")], built_in=BUILT_IN)
    assert [(one.name, one.report_class, one.built_in) for one in table.properties] == [
        ("access-only-while-allocated", ReportClass.USE_AFTER_FREE, True),
        ("no-double-free", ReportClass.DOUBLE_FREE, True),
        ("access-in-bounds", ReportClass.OUT_OF_BOUNDS, True),
        ("freed-eventually", ReportClass.LEAK, False),
        ("initialised-before-read", ReportClass.UNINITIALISED_READ, True),
        ("access-then-freed", ReportClass.PROPERTY, False),
    ]


def test_each_property_is_in_one_machine_of_its_kind() -> None:
    for kind, texts in ((MachineKind.PLAIN, PLAIN), (MachineKind.LABELLED, LABELLED)):
        for text in texts:
            (machine,) = machines(text)
            assert (machine.kind, machine.properties) == (kind, 1), text
    table = Table.of(map(find, (*PLAIN, *OTHERS)))
    assert [machine.kind.name for machine in table.machines] == ["PLAIN", "THREAD", "GLOBAL"]
    masks = [machine.properties for machine in table.machines]
    assert sum(masks) == (1 << len(PLAIN + OTHERS)) - 1 and masks[0] & masks[1] == 0


def test_properties_with_the_same_labels_share_a_machine_and_others_do_not() -> None:
    same = machines("address: [](parsed -> (!done W free))", "block: [](done -> (!parsed W free))")
    assert [machine.properties for machine in same] == [0b11]
    other = machines("address: [](parsed -> (!done W free))", "block: [](done -> (!said W free))")
    assert [machine.properties for machine in other] == [0b01, 0b10]


def test_labels_are_those_of_all_properties_in_order_and_calls_can_be_labels() -> None:
    table = Table.of(map(find, ("quarantine", "allocation-ends", "thread: [](b -> <>a)")))
    assert table.labels == ("a", "b", "mem_allocate_end", "mem_allocate_start", "quarantine_end")


def test_a_property_of_blocks_has_no_ghost_unless_labels_could_tell_something_of_it() -> None:
    ghosts = {text: machines(text)[0].ghost for text in LABELLED}
    has = {text for text, ghost in ghosts.items() if set(ghost) != {NO_GHOST}}
    of_blocks = {text for text in LABELLED if text.startswith("block: ")}
    assert of_blocks - has == {"block: [](malloc -> X done)", "block: [](malloc -> X mem_free_end)"}
    assert has <= of_blocks


# What is refused.


@pytest.mark.parametrize("name", ["no-early-reuse", "no-overlap", "handed-out-zero", "tag-freshness"])
def test_what_a_running_program_does_not_show_is_refused(name: str) -> None:
    (hidden,) = find(name).formula.propositions & NUMBERS
    with pytest.raises(
        MonitorTableError,
        match=f"^{name} speaks of {hidden}, which a running program does not show; `m4alloc verify --property` judges "
        "it on a recording$",
    ):
        Table.of([find(name)])
    assert issubclass(MonitorTableError, LogicError)


def test_too_many_properties_are_refused() -> None:
    many = [find(f"address: [](free -> {'X ' * n}!free)") for n in range(1, 66)]
    with pytest.raises(MonitorTableError, match=r"^65 properties; at most 64 are watched at once$"):
        Table.of(many)


def test_properties_that_need_too_large_a_table_are_refused_by_name() -> None:
    with pytest.raises(
        TooLargeError,
        match=r"^address: \[\]\(l4 -> <>free\) does not fit: properties of addresses and blocks that name labels share "
        r"4 tables, one for each set of labels, of at most 65,536 entries\. Leave it out, or watch it in a run of its "
        r"own$",
    ):
        Table.of([find(f"address: [](l{number} -> <>free)") for number in range(5)])
    nexts = "X " * 10
    with pytest.raises(TooLargeError, match=r"^thread: .* does not fit: properties of threads share a table, of at mo"):
        Table.of([find(f"thread: [](malloc -> {nexts}free)"), find(f"thread: [](free -> {nexts}access)")])
    with pytest.raises(TooLargeError, match=r"^address: .* is too large to be watched: "):
        Table.of([find(f"address: [](malloc -> {nexts}{nexts}free)")])


def test_what_does_not_fit_into_one_table_of_blocks_goes_into_another() -> None:
    pairs = [("malloc", "free"), ("free", "access"), ("access", "malloc")]
    found = machines(*(f"address: []({one} -> {'X ' * 8}{other})" for one, other in pairs))
    assert sum(machine.properties for machine in found) == 0b111
    assert len(found) > 1 and {machine.kind for machine in found} == {MachineKind.PLAIN}


# Without evidence.


def test_a_property_without_evidence_is_in_no_machine_unless_it_can_be_violated_for_certain() -> None:
    table = Table.of(map(find, ("S1", "one-life", "quarantine", "free-ends")), unseen={"access", "quarantine_end"})
    assert [one.judged for one in table.properties] == [False, True, False, True]
    assert [machine.properties for machine in table.machines] == [0b0010, 0b1000]


# The numbers of a table.


@given(properties=SOME)
def test_bytes_say_all_that_is_in_a_table(properties: list[Property]) -> None:
    table = Table.of(properties)
    assert Table.from_bytes(table.to_bytes()) == table
    assert Table.of(list(properties)).to_bytes() == table.to_bytes()


def test_equal_properties_have_equal_bytes_in_every_process() -> None:
    names = [one.name for one in PROPERTIES if not one.formula.propositions & NUMBERS - OF_ACCESS]
    program = (
        "import hashlib, sys; from m4alloc.monitor.table import *; "
        f"print(hashlib.sha256(compile_table([find(name) for name in {names!r}], unseen={{'access'}})).hexdigest())"
    )
    told = set()
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        told.add(done.stdout)
    assert len(told) == 1


@pytest.mark.parametrize("one", LIBRARY, ids=lambda one: one.name)
def test_states_that_are_open_stay_where_they_are(one: Property) -> None:
    (machine,) = Table.of([one]).machines
    said = range(8, machine.width)
    for state, row in enumerate(machine.steps):
        around = {state}
        while not (more := {machine.steps[there][code] for there in around for code in said}) <= around:
            around |= more
        still = all(machine.steps[there][2] == there for there in around)
        assert bool(machine.open_states[state] & OPEN_ALONE) == still
        if machine.open_states[state] & OPEN_TO_ALL:
            assert row[2] == state and all(row[code] == state for code in range(9, machine.width))
    if one.name in ("freed-eventually", "no-double-free"):
        assert set(machine.open_states) == {OPEN_ALONE | OPEN_TO_ALL} and not machine.steps_at_access


def test_no_two_states_of_a_machine_answer_alike() -> None:
    for text in (*PLAIN, *OTHERS):
        for machine in machines(text):
            ends = list(zip(machine.violated, machine.unfulfilled, strict=True))
            for one in range(len(ends)):
                for other in range(one):
                    assert differ(machine, one, other), text


def differ(machine: Machine, one: int, other: int) -> bool:
    """Whether some word tells the states apart: a search through pairs."""
    seen, waiting = {(one, other)}, [(one, other)]
    for left, right in waiting:
        if (machine.violated[left], machine.unfulfilled[left]) != (machine.violated[right], machine.unfulfilled[right]):
            return True
        after = set(zip(machine.steps[left], machine.steps[right], strict=True)) - seen
        seen |= after
        waiting += after
    return False


# Damage.


def with_sum(data: bytes) -> bytes:
    """The bytes with the sum that they ought to have."""
    right = sum_of(data[: HEADER.size - 8] + data[HEADER.size :])
    return data[: HEADER.size - 8] + right.to_bytes(8, "little") + data[HEADER.size :]


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (b"", "not a table of properties"),
        (compile_table()[:32], "not a table of properties"),
        (b"x" + compile_table()[1:], "not a table of properties"),
        (compile_table()[:8] + b"\x07" + compile_table()[9:], "a table of version 7; this m4alloc reads version 1"),
        (compile_table()[:-8], r"a table of \d+ bytes in a file of \d+"),
        (compile_table()[:-9] + b"\x55" + compile_table()[-8:], "the table is damaged: its sum is wrong"),
    ],
)
def test_what_is_no_table_is_refused(damaged: bytes, message: str) -> None:
    with pytest.raises(MonitorTableError, match=f"^{message}$"):
        Table.from_bytes(damaged)


@given(properties=SOME, data=st.data())
def test_damage_is_refused_or_harmless_whatever_the_sum_says(properties: list[Property], data: st.DataObject) -> None:
    good = Table.of(properties).to_bytes()
    place = data.draw(st.integers(HEADER.size, len(good) - 1))
    flipped = good[:place] + bytes([good[place] ^ data.draw(st.integers(1, 255))]) + good[place + 1 :]
    with pytest.raises(MonitorTableError, match=r"its sum is wrong"):
        Table.from_bytes(flipped)
    try:
        found = Table.from_bytes(with_sum(flipped))
    except MonitorTableError as error:
        assert "damaged" in str(error)
    else:
        for machine in found.machines:
            assert max(max(row) for row in machine.steps) < len(machine.violated)
