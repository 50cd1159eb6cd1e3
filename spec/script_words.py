"""The words of heap scripts: functions with their operands, attributes, settings."""

from __future__ import annotations

import errno

from spec.event import (
    ALLOCATING,
    ERRNO_CHANGED,
    MISUSE_CAUGHT,
    NEVER_RETURNED,
    RESIZING,
    WHOLE_SCANNED,
    Function,
)
from spec.statement import ABOUT_BLOCK, ABOUT_CALL, ABOUT_PAIR

FLAGS = {
    "errno-changed": ERRNO_CHANGED,
    "misuse-caught": MISUSE_CAUGHT,
    "never-returned": NEVER_RETURNED,
    "whole-scanned": WHOLE_SCANNED,
}
"""Flags of an event, by the attribute that raises them."""
OBSERVABLE = {"errno": ERRNO_CHANGED, "misuse": MISUSE_CAUGHT, "whole": WHOLE_SCANNED}
"""What `given observes` names, and the flag that was looked for."""
OPERANDS: dict[Function, tuple[str, ...]] = {
    Function.MALLOC: ("size",),
    Function.CALLOC: ("count", "size"),
    Function.REALLOC: ("pointer", "size"),
    Function.REALLOCARRAY: ("pointer", "count", "size"),
    Function.FREE: ("pointer",),
    Function.ALIGNED_ALLOC: ("alignment", "size"),
    Function.MEMALIGN: ("alignment", "size"),
    Function.POSIX_MEMALIGN: ("alignment", "size"),
    Function.VALLOC: ("size",),
    Function.PVALLOC: ("size",),
    Function.USABLE_SIZE: ("pointer",),
    Function.FREE_SIZED: ("pointer", "size"),
    Function.FREE_ALIGNED_SIZED: ("pointer", "alignment", "size"),
    Function.NEW: ("size",),
    Function.DELETE: ("pointer",),
    Function.LOAD: ("pointer", "offset", "size"),
    Function.STORE: ("pointer", "offset", "size"),
    Function.FILL: ("pointer", "byte"),
    Function.LABEL: ("text",),
}
"""The operands of each function, in the order of its C prototype."""
WORDS = {function.name.lower(): function for function in OPERANDS}
ERRORS = {name: number for number, name in errno.errorcode.items()}
NUMBERS = ("size", "count", "alignment", "usable", "intact", "site", "flags", "result", "errno")
"""Attributes that are numbers, by the name of the event's field."""
REPLYING = ALLOCATING | RESIZING | {Function.USABLE_SIZE}
"""Functions that return something."""
BINDING = ALLOCATING | RESIZING
"""Functions whose reply can be given a name."""
SETTINGS = ("standard", "quarantine", "promises", "arena", "page", "observes")
"""What `given` can give."""
DIRECTIVES = {
    "thread-end": "The thread on whose line it stands ends, and is joined.",
    "thread-leaves": "The thread on whose line it stands returns from its function; what it does up to its "
    "`thread-end` it does in a destructor of its thread-specific data, after those of the allocator.",
    "parallel": "The steps from here to `join` run at the same time, each on its thread; a step waits only for the "
    "earlier ones that touch its block.",
    "join": "What runs since `parallel` has ended before the next step begins.",
    "fork-child": "The process forks, and the history goes on in the child.",
    "fork-parent": "The process forks, the child ends at once, and the history goes on in the parent.",
    "limit-memory": "From here on the process may map `size` bytes more than it has mapped by now.",
    "pause": "Nothing is done for `size` milliseconds.",
    "repeat": "The steps from here to its `end-repeat` are carried out `size` times.",
    "end-repeat": "The end of what the last open `repeat` repeats.",
}
"""Labels that tell whoever runs a script to do something; to the acceptor they are labels like any other."""
RESERVED = frozenset(
    {*WORDS, *NUMBERS, *ABOUT_CALL, *ABOUT_PAIR, *ABOUT_BLOCK, "NULL", "address", "label", "given", "expect"}
)
"""Words that name no block."""
