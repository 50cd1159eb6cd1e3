"""The rows of MTE vectors: a row's `k` names the kind of question, and each kind has its answer from the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from m4alloc.vectors import mte_access, mte_registers, mte_system, mte_tags
from m4alloc.vectors.mte_row import Answers
from m4alloc.vectors.row import Mismatch, Row, RowError, Skip, compare

ANSWERS: Mapping[str, Callable[[Row], Answers | Skip]] = MappingProxyType(
    {
        "tagof": mte_registers.tagof,
        "gmi": mte_registers.gmi,
        "subps": mte_registers.subps,
        "addg": mte_registers.addg,
        "subg": mte_registers.subg,
        "addg_tags": mte_registers.addg_tags,
        "subg_tags": mte_registers.subg_tags,
        "irg_set": mte_registers.irg_set,
        "irg_seq": mte_registers.irg_seq,
        "irg_exact": mte_registers.irg_exact,
        "irg_chain": mte_registers.irg_chain,
        "ldg": mte_tags.ldg,
        "store_tag": mte_tags.store_tag,
        "dc": mte_tags.dc,
        "ldgm": mte_tags.ldgm,
        "stzgm": mte_tags.stzgm,
        "stg_unaligned": mte_tags.stg_unaligned,
        "access": mte_access.access,
        "page_cross": mte_access.page_cross,
        "mixed_pages": mte_access.mixed_pages,
        "sp_base": mte_access.sp_base,
        "tco": mte_system.tco,
        "tcma": mte_system.tcma,
        "tbi0": mte_system.tbi,
        "tcf": mte_system.tcf,
        "ata0": mte_system.ata,
        "untagged_alias": mte_system.untagged_alias,
    }
)
"""Every kind of row that records the architecture."""

EMULATOR = MappingProxyType(
    {
        "os": "records how the emulated kernel's mappings behave, not the architecture",
        "sys_id": "records which features the emulated processor has",
        "dczid": "records the emulated processor's DC block size, which is implementation-defined",
    }
)
"""Every kind of row that records the emulator, and what it records."""


def check(row: Row) -> list[Mismatch] | Skip:
    """Every field that the model answers otherwise; Skip for what records the emulator.

    Raises RowError for a kind that is not known, a field that is missing, and a value that does not fit.

    >>> check({"k": "tagof", "x": "0500000000001230", "tag": 4})
    [Mismatch(field='tag', reference=4, model=5)]
    """
    kind = str(row.get("k"))
    if kind in EMULATOR:
        return Skip(EMULATOR[kind])
    if kind not in ANSWERS:
        raise RowError(f"row of kind {kind!r}: one of {', '.join((*ANSWERS, *EMULATOR))}")
    try:
        answers = ANSWERS[kind](row)
    except KeyError as missing:
        raise RowError(f"{kind} row without the field {missing}: it has {', '.join(row)}") from missing
    except (ValueError, TypeError) as wrong:
        raise RowError(f"{kind} row that cannot be: {wrong}") from wrong
    return answers if isinstance(answers, Skip) else compare(row, answers)
