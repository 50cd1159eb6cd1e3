"""Rows of the settings that override a check: TCO, TCMA, TBI, the mode, ATA, and a mapping without tags."""

from __future__ import annotations

from capability.fault import Fault
from capability.mte import arithmetic, random, transfer
from capability.mte.check import check_access, load, store
from capability.mte.code import data_fault_status, syndrome
from capability.mte.control import Control, Mode
from capability.mte.processor import Processor, TagFaultStatus
from capability.mte.random import Rgsr
from capability.mte.space import Space, Window
from capability.mte.tag import GRANULE, address_of, tag_of, with_tag
from m4alloc.vectors.mte_row import (
    BUFFER,
    PATTERN,
    UPPER_BUFFER,
    Answers,
    digits,
    fault_answers,
    fault_of,
    machine,
    pointer,
    word,
)
from m4alloc.vectors.row import Row


def _load(row: Row, control: Control, at: int = BUFFER) -> Answers:
    """A load of 8 bytes from a granule of tag `mtag` through a pointer of tag `ptag`."""
    processor = machine([row["mtag"]], control, at=at)
    return fault_answers(row, fault_of(lambda: check_access(processor, pointer(0, row["ptag"], at=at), 8)))


def tco(row: Row) -> Answers:
    return _load(row, Control(tco=bool(row["tco"])))


def tcma(row: Row) -> Answers:
    control = Control(tcma=(bool(row["tcma0"]), bool(row["tcma1"])))
    return _load(row, control, UPPER_BUFFER if row["bit55"] else BUFFER)


def tbi(row: Row) -> Answers:
    return _load(row, Control(tbi=(bool(row["tbi"]), bool(row["tbi"]))))


def tcf(row: Row) -> Answers:
    """One access in one of the four modes; the syndrome and the address where the row has them."""
    at = UPPER_BUFFER if row["bit55"] else BUFFER
    writes = bool(row["write"])
    processor = machine([row["mtag"]], Control(mode=Mode(row["tcf"])), at=at)
    through = pointer(0, row["ptag"], at=at)
    fault = fault_of(lambda: store(processor, through, bytes(8)) if writes else load(processor, through, 8))
    answers: dict[str, object] = {
        "fault": int(fault is not None),
        "tfsr": processor.memory.state(TagFaultStatus).value,
        "stored": int(processor.memory.load(at, 8) != PATTERN * 8),
    }
    if fault is not None:
        answers |= {name: value for name, value in _reported(row, fault, writes).items() if name in row}
    return answers


def _reported(row: Row, fault: Fault, writes: bool) -> dict[str, object]:
    """DFSC, WnR and the whole syndrome; of FAR, the tag and the half, since the buffer may have been anywhere."""
    esr = syndrome(fault, writes=writes)
    answers: dict[str, object] = {"dfsc": int(data_fault_status(fault)), "wnr": int(writes)}
    answers["esr"] = digits(esr) if len(str(row.get("esr", ""))) == 16 and isinstance(row["esr"], str) else esr
    if isinstance(row.get("far"), str):
        far = word(row["far"])
        is_pointer = tag_of(far) == row["ptag"] and bool(address_of(far) >> 63) == bool(row["bit55"])
        answers["far"] = row["far"] if is_pointer else f"a pointer of tag {row['ptag']}, bit 55 {row['bit55']}"
    return answers


def ata(row: Row) -> Answers:
    """Tag access disabled: every tag reads as 0, none is written, none is checked; GMI does not care."""
    off, xn = Control(ata=False), word(row["xn"])
    processor = machine([7], off)
    fault = fault_of(lambda: check_access(processor, pointer(0, 5), 8))
    transfer.stg(processor, with_tag(0, 9), BUFFER)
    return {
        "irg_xd": digits(random.irg(off, Rgsr(0, 1), xn)[0]),
        "addg16_3_xd": digits(arithmetic.addg(off, xn, 1, 3)),
        "gmi_5_1": digits(arithmetic.gmi(with_tag(0, 5), 1)),
        "ldg_ffff": digits(transfer.ldg(processor, (1 << 64) - 1, BUFFER)),
        "access_ptag5_mtag7_fault": int(fault is not None),
        "tag_after_stg9": processor.memory.allocation_tag(BUFFER),
    }


def untagged_alias(row: Row) -> Answers:
    """Memory of tag 5, seen through a second mapping that is not Tagged."""
    alias = BUFFER + 0x1000
    space = Space((Window(BUFFER, GRANULE, BUFFER), Window(alias, GRANULE, BUFFER, tagged=False)))
    processor: Processor = machine([5], space=space)
    tag = tag_of(transfer.ldg(processor, 0, alias))
    fault = fault_of(lambda: check_access(processor, with_tag(alias, 6), 8))
    transfer.stg(processor, with_tag(0, 9), alias)
    return {
        "ldg": tag,
        "read_ptag6_fault": int(fault is not None),
        "tag_after_stg9_via_alias": processor.memory.allocation_tag(BUFFER),
    }
