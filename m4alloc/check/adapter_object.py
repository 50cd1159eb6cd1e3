"""The face of an allocator written in Python: any object whose methods bear the names of the C functions."""

from __future__ import annotations

from collections.abc import Callable
from errno import ENOMEM
from operator import index
from typing import Any

from m4alloc.check.adapter_memory import Memory
from m4alloc.check.face import Reply
from spec.error import Misuse
from spec.event import FREEING, MISUSE_CAUGHT, NOT_OBSERVED, Event, Function
from spec.script_words import OPERANDS

NAMES: dict[Function, tuple[str, ...]] = {
    Function.MALLOC: ("malloc",),
    Function.FREE: ("free",),
    Function.CALLOC: ("calloc",),
    Function.REALLOC: ("realloc",),
    Function.REALLOCARRAY: ("reallocarray",),
    Function.ALIGNED_ALLOC: ("aligned_alloc",),
    Function.MEMALIGN: ("memalign",),
    Function.POSIX_MEMALIGN: ("posix_memalign",),
    Function.VALLOC: ("valloc",),
    Function.PVALLOC: ("pvalloc",),
    Function.USABLE_SIZE: ("malloc_usable_size", "usable_size"),
    Function.FREE_SIZED: ("free_sized",),
    Function.FREE_ALIGNED_SIZED: ("free_aligned_sized",),
}
"""What an adapter looks for, malloc and free first: those two it must find."""
NEEDED = (Function.MALLOC, Function.FREE)


def prototype(function: Function) -> str:
    """The call of a function as adapters make it.

    >>> prototype(Function.CALLOC), prototype(Function.FREE)
    ('calloc(count, size)', 'free(address)')
    """
    return f"{NAMES[function][0]}({', '.join(operands(function))})"


def operands(function: Function) -> tuple[str, ...]:
    """The names of a function's operands, in the order of its C prototype, as fields of an event."""
    return tuple("address" if name == "pointer" else name for name in OPERANDS[function])


def require(name: str, found: set[Function] | frozenset[Function], prefix: str = "") -> None:
    """Raise TypeError, naming what is missing, unless there are malloc and free."""
    missing = [function for function in NEEDED if function not in found]
    if missing:
        names = " and no ".join(prefix + NAMES[function][0] for function in missing)
        wanted = " and ".join(prefix + prototype(function) for function in NEEDED)
        raise TypeError(f"{name} has no {names}; an allocator has at least {wanted}")


class ObjectFace:
    """Calls the methods of a Python object; `memory` is where its blocks are.

    MemoryError means a null pointer and ENOMEM; spec.error.Misuse that the allocator caught the client's mistake.
    Any other exception is the allocator's own and is not caught.
    Raises TypeError: it has no malloc or no free.
    """

    def __init__(self, allocator: Any, memory: Memory, name: str = "") -> None:
        self.name = name or type(allocator).__name__
        self.methods: dict[Function, Callable[..., Any]] = {}
        for function, names in NAMES.items():
            found = next((method for one in names if callable(method := getattr(allocator, one, None))), None)
            if found is not None:
                self.methods[function] = found
        self.functions = frozenset(self.methods)
        require(self.name, self.functions)
        self.fill, self.intact, self.zeros = memory.fill, memory.intact, memory.zeros

    def call(self, function: Function, address: int, size: int, count: int, alignment: int) -> Reply:
        """Make one request. Raises TypeError: what came back is no address."""
        event = Event(function, 0, address, size, count, alignment)
        try:
            result = self.methods[function](*(getattr(event, name) for name in operands(function)))
        except MemoryError:
            return Reply(0, ENOMEM)
        except Misuse:
            return Reply(0, 0, MISUSE_CAUGHT)
        if function in FREEING:
            return Reply(0)
        if function is Function.POSIX_MEMALIGN:
            return self.posix_memalign(event, result)
        return Reply(self.number(event, result))

    def posix_memalign(self, event: Event, result: Any) -> Reply:
        """Its result is a pair: the error, and the address."""
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{self.named(event)} returned {result!r}; a pair (error, address) is wanted")
        return Reply(self.number(event, result[1]), self.number(event, result[0]))

    def number(self, event: Event, result: Any) -> int:
        """An address or a size; None is 0."""
        try:
            number = 0 if result is None else index(result)
        except TypeError:
            number = -1
        if not 0 <= number < 1 << 64:
            raise TypeError(f"{self.named(event)} returned {result!r}; an address is an int, NULL is 0 or None")
        return number

    def named(self, event: Event) -> str:
        """The call in Python's words."""
        values = ", ".join(str(getattr(event, name)) for name in operands(event.function))
        return f"{self.name}.{NAMES[event.function][0]}({values})"

    def usable(self, address: int) -> int:
        """Usable bytes of a live block, or NOT_OBSERVED."""
        if Function.USABLE_SIZE not in self.methods:
            return NOT_OBSERVED
        return self.call(Function.USABLE_SIZE, address, 0, 1, 0).result
