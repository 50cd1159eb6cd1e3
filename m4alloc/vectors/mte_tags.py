"""Rows of instructions that move tags: LDG, the STG family, and the bulk forms."""

from __future__ import annotations

import re
from collections.abc import Callable

from capability.mte import bulk, transfer
from capability.mte.code import data_fault_status
from capability.mte.processor import Processor
from capability.mte.tag import GRANULE, with_tag
from capability.mte.transfer import Indexing, offset, post_index, pre_index
from m4alloc.vectors.mte_row import (
    BUFFER,
    Answers,
    digits,
    fault_answers,
    fault_of,
    machine,
    pointer,
    tags_of,
    word,
    zeroed,
)
from m4alloc.vectors.row import Row, RowError, Skip


def ldg(row: Row) -> Answers:
    granules = row["off"] // GRANULE + 1
    processor = machine([row["mtag"]] * granules)
    return {"xt_out": digits(transfer.ldg(processor, word(row["xt_in"]), pointer(row["off"], 1)))}


_STORES: dict[str, Callable[[Processor, int, int], None]] = {
    "stg": transfer.stg,
    "st2g": transfer.st2g,
    "stzg": transfer.stzg,
    "stz2g": transfer.stz2g,
    "stgp": lambda processor, xt, address: transfer.stgp(processor, 0, 0, address),
}
_OPERAND = re.compile(r"\[%0(?:,#(?P<immediate>-?\d+))?\](?P<pre>!)?(?:,#(?P<post>-?\d+))?$")


def _indexed(text: str, xn: int, bits: int) -> Indexing:
    """The address operand as assembly writes it: [%0], [%0,#16], [%0,#16]! or [%0],#16."""
    operand = _OPERAND.search(text)
    if operand is None:
        raise RowError(f"{text!r} has no operand [%0], [%0,#n], [%0,#n]! or [%0],#n")
    if operand["post"] is not None:
        return post_index(xn, int(operand["post"]), bits=bits)
    form = pre_index if operand["pre"] else offset
    return form(xn, int(operand["immediate"] or 0), bits=bits)


def store_tag(row: Row) -> Answers:
    processor, xn = machine(row["before"]), pointer(row["xn_off"], row["xn_tag"])
    address, base = _indexed(row["text"], xn, 7 if row["insn"] == "stgp" else 9)
    fault = fault_of(lambda: _STORES[row["insn"]](processor, with_tag(BUFFER, row["xt_tag"]), address))
    granules = len(row["before"])
    return {
        "after": tags_of(processor, granules),
        "zeroed": zeroed(processor, granules),
        "wb": 0 if fault else base - xn,
        **fault_answers(row, fault),
    }


_BLOCKS: dict[str, Callable[[Processor, int], None]] = {
    "gva": bulk.dc_gva,
    "gzva": bulk.dc_gzva,
    "zva": bulk.dc_zva,
}
_TAG, _ODD_TAG = 5, 9


def dc(row: Row) -> Answers | Skip:
    """A buffer of tag 5, but for one odd granule; -1 where nothing was zeroed, retagged or odd."""
    emulated = row["op"] == "zva" and str(row.get("src", "")).startswith("qemu-user")
    if emulated and row["fault"] and row.get("code", "SEGV_MAPERR") == "SEGV_MAPERR":
        return Skip("qemu-user finds no memory under any tagged pointer of DC ZVA: the emulator's defect")
    granules = (row["off"] // row["block"] + 2) * row["block"] // GRANULE
    before = [_ODD_TAG if number == row["odd_granule"] else _TAG for number in range(granules)]
    processor = machine(before, zva_bytes=row["block"])
    fault = fault_of(lambda: _BLOCKS[row["op"]](processor, pointer(row["off"], row["ptag"])))
    zero = zeroed(processor, granules)
    new = [n for n, (old, tag) in enumerate(zip(before, tags_of(processor, granules), strict=True)) if old != tag]
    return {
        **fault_answers(row, fault),
        "first_zero": zero[0] if zero else -1,
        "n_zero": len(zero),
        "first_retag": new[0] if new else -1,
        "n_retag": len(new),
    }


def ldgm(row: Row) -> Answers:
    processor = machine([0] * 32, gm_bytes=row["bytes"])
    bulk.stgm(processor, word(row["stored"]), BUFFER)
    tags = tags_of(processor, 16)
    read = bulk.ldgm(processor, pointer(row["read_at_off"], 0))
    return {"read": digits(read), "tag_granule0": tags[0], "tag_granule15": tags[15]}


def stzgm(row: Row) -> Answers:
    granules = len(row["tags"])
    processor = machine([0] * granules)
    bulk.stzgm(processor, row["xt"], pointer(row["at_off"], 0))
    tags = tags_of(processor, granules)
    return {
        "tags": tags,
        "zeroed_bytes": len(zeroed(processor, granules)) * GRANULE,
        "retagged_granules": sum(tag != 0 for tag in tags),
    }


def stg_unaligned(row: Row) -> Answers:
    """The row says where in the buffer's first page the address was by what FAR is."""
    address = BUFFER + word(row["far"]) % 4096
    fault = fault_of(lambda: transfer.stg(machine([5] * 256), 0, address))
    if fault is None or fault.address is None:
        return {"fault": 0}
    return {"fault": 1, "dfsc": int(data_fault_status(fault)), "far": digits(fault.address)}
