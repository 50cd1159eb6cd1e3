"""Recording of an Arena's requests, by methods that stand in front of the arena's own while it lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import Any

from m4alloc import labels
from spec.event import Event, Function
from spec.listing import History

ENOMEM = 12
METHODS = ("malloc", "calloc", "realloc", "aligned_alloc", "free")
MISSING = object()


class Recording:
    """The events of one arena between `begin` and `end`.

    The recording methods are attributes of the arena itself, found before those of its class; without a recording
    there are none, so that the arena's own methods are called as fast as ever.
    """

    def __init__(self, arena: Any) -> None:
        self.arena = arena
        self.events: list[Event] = History()
        self._numbers = count(1)
        self._threads: dict[int, int] = {}
        self._inner: dict[str, Callable[..., Any]] = {}
        self._outer: dict[str, object] = {}

    def begin(self) -> None:
        """Step in front of the arena's methods."""
        for name in METHODS:
            self._inner[name] = getattr(self.arena, name)
            self._outer[name] = vars(self.arena).get(name, MISSING)
            setattr(self.arena, name, getattr(self, name))
        labels.listen(self.label)

    def end(self) -> None:
        """Step back."""
        labels.unlisten(self.label)
        for name, before in self._outer.items():
            if before is MISSING:
                delattr(self.arena, name)
            else:
                setattr(self.arena, name, before)

    # The arena's methods, recorded.

    def malloc(self, size: int) -> Any:
        return self._acquired(Event(Function.MALLOC, size=size), (size,))

    def calloc(self, count: int, size: int) -> Any:
        return self._acquired(Event(Function.CALLOC, size=size, count=count), (count, size))

    def aligned_alloc(self, alignment: int, size: int) -> Any:
        return self._acquired(Event(Function.ALIGNED_ALLOC, size=size, alignment=alignment), (alignment, size))

    def realloc(self, block: Any, size: int) -> Any:
        if not getattr(block, "alive", False):
            return self._inner["realloc"](block, size)  # which refuses it
        contents = bytes(memoryview(block))
        # A size of zero would free in C; an Arena asks for one byte then.
        request = Event(Function.REALLOC, address=block.address, size=max(size, 1))
        return self._acquired(request, (block, size), contents)

    def free(self, block: Any) -> None:
        address = block.address if getattr(block, "alive", False) else 0
        thread, begin = self._thread(), next(self._numbers)
        self._inner["free"](block)
        self.events.append(Event(Function.FREE, thread, address, begin=begin, end=next(self._numbers)))

    def label(self, name: str, address: int) -> None:
        """A label of `m4alloc.label`, whichever arena it is about."""
        thread, begin = self._thread(), next(self._numbers)
        event = Event(Function.LABEL, thread, address, begin=begin, end=next(self._numbers), label=name)
        self.events.append(event)

    def _acquired(self, request: Event, arguments: tuple[Any, ...], old: bytes = b"") -> Any:
        """Make the call and append its event: of a failed one, too, unless it was refused for its arguments."""
        function = request.function
        request = request._replace(thread=self._thread(), begin=next(self._numbers))
        try:
            block = self._inner[function.name.lower()](*arguments)
        except MemoryError:
            self.events.append(request._replace(errno=ENOMEM, end=next(self._numbers)))
            raise
        event = request._replace(end=next(self._numbers), result=block.address, usable=block.usable_size)
        if function is Function.CALLOC:
            event = event._replace(intact=common(bytes(memoryview(block)), bytes(block.size)))
        elif function is Function.REALLOC:
            event = event._replace(intact=common(bytes(memoryview(block)), old))
        self.events.append(event)
        return block

    def _thread(self) -> int:
        """The calling thread's number: 0 for the first that made a request."""
        return self._threads.setdefault(threading.get_ident(), len(self._threads))


def common(left: bytes, right: bytes) -> int:
    """How many leading bytes agree. Cost: O(length).

    >>> common(b"abXd", b"abc")
    2
    """
    length = min(len(left), len(right))
    if left[:length] == right[:length]:
        return length
    return next(i for i in range(length) if left[i] != right[i])
