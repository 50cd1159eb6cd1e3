"""What MTE rows have in common: 64-bit values as 16 digits, a tagged buffer, and how a fault is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.mte.code import TagCode
from capability.mte.control import Control
from capability.mte.processor import Processor
from capability.mte.space import Space
from capability.mte.tag import GRANULE, address_of, with_tag
from m4alloc.vectors.row import Row

Answers: TypeAlias = Mapping[str, object]
"""The model's value for each output field of a row."""

BUFFER = 0x41000000
"""Where the model has the tagged buffer, from which offsets count; a multiple of every page and block size in use."""
UPPER_BUFFER = 0xFFFF000041000000
"""The same in the half of the address space where bit 55 is set."""
PATTERN = b"\xa5"
"""What the buffer is filled with, so that zeroing shows."""


def word(text: str) -> int:
    """The value of a 64-bit field."""
    return int(text, 16)


def digits(value: int) -> str:
    """A 64-bit value as a field holds it.

    >>> digits(0x1230)
    '0000000000001230'
    """
    return f"{value:016x}"


def machine(
    tags: Iterable[int],
    control: Control | None = None,
    space: Space | None = None,
    *,
    at: int = BUFFER,
    zva_bytes: int = 64,
    gm_bytes: int = 256,
) -> Processor:
    """A processor whose buffer has one granule for each tag, filled with the pattern."""
    memory = TaggedMemory()
    granules = list(tags)
    for number, tag in enumerate(granules):
        memory.set_allocation_tag(at + number * GRANULE, GRANULE, tag)
    memory.fill(at, len(granules) * GRANULE, PATTERN[0])
    return Processor(memory, control or Control(), space or Space(), zva_bytes, gm_bytes)


def tags_of(processor: Processor, count: int) -> list[int]:
    """The tags of the buffer's first granules."""
    return [processor.memory.allocation_tag(BUFFER + number * GRANULE) for number in range(count)]


def zeroed(processor: Processor, count: int) -> list[int]:
    """Which of the buffer's first granules are all zero."""
    return [n for n in range(count) if not any(processor.memory.load(BUFFER + n * GRANULE, GRANULE))]


def pointer(offset: int, tag: int, *, top: int = 0, at: int = BUFFER) -> int:
    """A tagged pointer into the buffer; top: bits 63:60, where the buffer is in the lower half."""
    return with_tag(at + offset, tag) | top << 60


def fault_of(action: Callable[[], object]) -> Fault | None:
    """The fault that an action raises."""
    try:
        action()
    except Fault as fault:
        return fault
    return None


def fault_answers(row: Row, fault: Fault | None) -> dict[str, object]:
    """`fault`, and `code` and `fault_off` where the row has them."""
    answers: dict[str, object] = {
        "fault": int(fault is not None),
        "code": None if fault is None else fault_name(fault),
        "fault_off": None if fault is None or fault.address is None else address_of(fault.address) - BUFFER,
    }
    return {name: value for name, value in answers.items() if name == "fault" or name in row}


def fault_name(fault: Fault) -> str:
    """The signal code as rows name it."""
    if fault.kind is FaultKind.TAG_MISMATCH:
        return TagCode(fault.code).name
    return "SIGBUS/BUS_ADRALN" if fault.kind is FaultKind.ALIGNMENT else "SEGV_MAPERR"
