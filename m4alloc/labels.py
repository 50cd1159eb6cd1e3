"""Labels from Python: words that a program says about what it is doing, to whoever records it.

A label is an event of the recorder that is preloaded (`m4alloc record`, `m4alloc verify`), and of every
`Arena.record()` under way. Where nobody listens it costs a function call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Listener = Callable[[str, int], None]
KEPT = 4096
"""Names whose bytes are remembered; the recorder knows no more than that either."""


class HasAddress(Protocol):
    """Whatever lies at an address, such as a Block."""

    @property
    def address(self) -> int: ...


_listeners: tuple[Listener, ...] | None = None
"""Whom labels go to; None while nobody has looked for a recorder yet."""


def label(name: str, about: HasAddress | int | None = None) -> None:
    """Say `name`, about the block at or around an address if one is given.

    name: not empty, without NUL; of its UTF-8 form the recorder keeps the first 62 bytes. about: a live Block, or an
    address in 1..2**64 - 1; 0 and None are no address.
    Raises ValueError: an impossible name or address. Misuse: the Block is dead.
    Cost: some tenths of a microsecond, twice as much where a recorder is preloaded.

    >>> from m4alloc import Arena
    >>> with Arena(1 << 20) as arena, arena.record() as events:
    ...     block = arena.malloc(24)
    ...     label("parsed", block)
    >>> events[1].function.name, events[1].label, events[1].address == events[0].result
    ('LABEL', 'parsed', True)
    """
    if not name or "\0" in name:
        raise ValueError(f"the label {name!r}: a label is a text of at least one character, none of them NUL")
    address = about if isinstance(about, int) else 0 if about is None else about.address
    if not 0 <= address < 1 << 64:
        raise ValueError(f"the label {name!r} is about the address {address}; addresses are from 0 to 2**64 - 1")
    for listener in look() if _listeners is None else _listeners:
        listener(name, address)


class labelled:  # noqa: N801  # a context manager and decorator, as contextlib's
    """Say NAME_start before and NAME_end after: around a `with` block, or around every call of a function.

    The end is said whatever happens in between. One object may be used again, in itself and in several threads. A
    coroutine function says its labels as it begins and ends to run.
    name, about: as for `label`.

    >>> from m4alloc import Arena
    >>> arena = Arena(1 << 20)
    >>> @labelled("request")
    ... def handle():
    ...     arena.free(arena.malloc(24))
    >>> with arena.record() as events:
    ...     handle()
    ...     with labelled("shutdown"):
    ...         pass
    >>> [event.label or event.function.name for event in events]
    ['request_start', 'MALLOC', 'FREE', 'request_end', 'shutdown_start', 'shutdown_end']
    >>> arena.close()
    """

    __slots__ = ("_about", "_end", "_start")

    def __init__(self, name: str, about: HasAddress | int | None = None) -> None:
        self._start, self._end, self._about = f"{name}_start", f"{name}_end", about

    def __enter__(self) -> None:
        label(self._start, self._about)

    def __exit__(self, *exception: object) -> None:
        label(self._end, self._about)

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return cast(Callable[Parameters, Result], awaited)

        @wraps(function)
        def called(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with self:
                return function(*args, **kwargs)

        return called


def listen(listener: Listener) -> None:
    """From now on, labels go to `listener`, too, in every thread: their name, and the address or 0."""
    global _listeners
    _listeners = (*(look() if _listeners is None else _listeners), listener)


def unlisten(listener: Listener) -> None:
    """The listener hears no more. Raises ValueError: it did not listen."""
    global _listeners
    others = list(_listeners or ())
    others.remove(listener)
    _listeners = tuple(others)


def look() -> tuple[Listener, ...]:
    """Whether this process defines `m4alloc_label` (see include/m4alloc_label.h): only who is preloaded does."""
    global _listeners
    import ctypes

    try:
        say = ctypes.PyDLL(None).m4alloc_label
    except (AttributeError, OSError):
        _listeners = ()
        return _listeners
    say.argtypes, say.restype = (ctypes.c_char_p, ctypes.c_void_p), None
    known: dict[str, bytes] = {}

    def recorder(name: str, address: int) -> None:
        text = known.get(name)
        if text is None:
            text = name.encode(errors="backslashreplace")
            if len(known) < KEPT:
                known[name] = text
        say(text, address)

    _listeners = (recorder,)
    return _listeners
