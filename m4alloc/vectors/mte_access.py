"""Rows of loads and stores by a user program: which are checked, and where they fault."""

from __future__ import annotations

from functools import partial

from capability.fault import Fault
from capability.mte.check import Operation, check_access, is_exempt
from capability.mte.control import Control
from capability.mte.space import Space, Window
from capability.mte.tag import GRANULE
from m4alloc.vectors.mte_row import BUFFER, Answers, fault_answers, fault_of, machine, pointer
from m4alloc.vectors.row import Row

_PAGE = 4096


def access(row: Row) -> Answers:
    """One instruction on a buffer of one tag a granule; where the row notes bits 63:60, all their values are tried."""
    processor = machine(row["mtags"], Control(tco=bool(row["tco"])))
    operation = Operation.WRITE if row["write"] else Operation.READ
    exempt = row["kind"].startswith("prfm")
    answers: Answers = {}
    for top in range(16) if "note" in row else (0,):
        at = pointer(row["off"], row["ptag"], top=top)
        fault = fault_of(partial(check_access, processor, at, row["size"], operation, exempt=exempt))
        answers = fault_answers(row, fault)
        if answers["fault"] != row["fault"]:
            break
    return answers


def page_cross(row: Row) -> Answers:
    """`off` counts from the last granule of a page."""
    last = _PAGE - GRANULE
    tags = [row["last_tag"]] * (_PAGE // GRANULE) + [row["next_tag"]] * (_PAGE // GRANULE)
    at = pointer(last + row["off"], row["ptag"])
    return fault_answers(row, fault_of(lambda: check_access(machine(tags), at, row["size"])))


def mixed_pages(row: Row) -> Answers:
    """A load of 8 bytes across the end of a tagged page.

    The row does not say which tags a tagged second page has: it agrees if some tag accounts for it.
    """
    second_tagged = bool(row["second_page_tagged"])
    windows = (Window(BUFFER, _PAGE, BUFFER), Window(BUFFER + _PAGE, _PAGE, BUFFER + _PAGE, second_tagged))
    faults: dict[int, Fault | None] = {}
    for tag in range(16):
        tags = [row["mtag_first"]] * (_PAGE // GRANULE) + [tag]
        processor = machine(tags, space=Space(windows))
        fault = fault_of(partial(check_access, processor, pointer(_PAGE - 4, row["ptag"]), 8))
        faults[int(fault is not None)] = fault
    return fault_answers(row, faults[row["fault"] if row["fault"] in faults else 1 - row["fault"]])


def sp_base(row: Row) -> Answers:
    """`text` is the instruction: SP as the base, with an immediate, a register or write-back."""
    operand = row["text"][row["text"].index("[") :].replace(" ", "")
    exempt = is_exempt(
        base_is_sp=operand.startswith("[sp"),
        write_back="!" in operand or "]," in operand,
        register_offset=operand.startswith(("[sp,x", "[sp,w")),
    )
    at = pointer(GRANULE, row["ptag"])
    return fault_answers(row, fault_of(lambda: check_access(machine([row["mtag"]] * 3), at, 8, exempt=exempt)))
