"""How findings tell what happened: calls as C would write them, blocks with their history."""

from __future__ import annotations

import errno

from spec.event import Event, Function
from spec.heap import Block, Grave

_C_NAMES = {
    Function.USABLE_SIZE: "malloc_usable_size",
    Function.NEW: "operator new",
    Function.DELETE: "operator delete",
}


def request(event: Event) -> str:
    """The request of `event` as a C call.

    >>> request(Event(Function.CALLOC, size=8, count=3)), request(Event(Function.FREE, address=0x1000))
    ('calloc(3, 8)', 'free(0x1000)')
    """
    function, address = event.function, pointer(event.address)
    name = _C_NAMES.get(function, function.name.lower())
    match function:
        case Function.CALLOC:
            arguments = f"{event.count}, {event.size}"
        case Function.REALLOC:
            arguments = f"{address}, {event.size}"
        case Function.REALLOCARRAY:
            arguments = f"{address}, {event.count}, {event.size}"
        case Function.ALIGNED_ALLOC | Function.MEMALIGN | Function.POSIX_MEMALIGN:
            arguments = f"{event.alignment}, {event.size}"
        case Function.FREE | Function.USABLE_SIZE:
            arguments = address
        case Function.FREE_SIZED:
            arguments = f"{address}, {event.size}"
        case Function.FREE_ALIGNED_SIZED:
            arguments = f"{address}, {event.alignment}, {event.size}"
        case Function.NEW:
            arguments = f"{event.size}, align {event.alignment}" if event.alignment else f"{event.size}"
        case Function.DELETE:
            arguments = f"{address}, {event.size}" if event.size else address
        case Function.LOAD | Function.STORE | Function.FILL:
            return f"{name} of {event.size} bytes at {event.address:#x}"
        case Function.LABEL:
            return f"label {event.label}"
        case _:
            arguments = f"{event.size}"
    return f"{name}({arguments})"


def pointer(address: int) -> str:
    """An address as reports write it; 0 is NULL.

    >>> pointer(0), pointer(4096)
    ('NULL', '0x1000')
    """
    return f"{address:#x}" if address else "NULL"


def error(number: int) -> str:
    """An errno by its name where it has one; 0 is "no error".

    >>> error(12), error(0), error(4095)
    ('ENOMEM', 'no error', 'error 4095')
    """
    return errno.errorcode.get(number, f"error {number}") if number else "no error"


def when(number: int, thread: int) -> str:
    """The place of an event in its history, and its thread unless that is thread 0.

    >>> when(7, 0), when(7, 2)
    ('event 7', 'event 7, thread 2')
    """
    return f"event {number}, thread {thread}" if thread else f"event {number}"


def inside(address: int, block: Block) -> str:
    """Where `address` lies in `block`.

    >>> inside(0x1008, Block(0x1000, 24, id=3)), inside(0x1000, Block(0x1000, 24, id=3))
    ('8 bytes into block #3 (24 bytes at 0x1000)', 'the start of block #3 (24 bytes at 0x1000)')
    >>> inside(0xff8, Block(0x1000, 24, id=3))
    '8 bytes before block #3 (24 bytes at 0x1000)'
    """
    offset = address - block.base
    if offset == 0:
        return f"the start of {block}"
    return f"{offset} bytes into {block}" if offset > 0 else f"{-offset} bytes before {block}"


def life(block: Block) -> str:
    """Since when `block` is live.

    >>> life(Block(0x1000, 24, born=3))
    'live since event 3'
    """
    return f"live since {when(block.born, block.thread)}"


def death(grave: Grave) -> str:
    """When the block of `grave` was freed.

    >>> death(Grave(Block(0x1000, 24), freed=9, thread=2))
    'freed at event 9, thread 2'
    """
    return f"freed at {when(grave.freed, grave.thread)}"
