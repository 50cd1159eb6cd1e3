"""Hypothesis strategies for heap scripts: whole histories without replies, which any allocator can be asked.

A list of requests is drawn, and told as a script in one pass: which block each request means is settled as if every
request succeeded that can. So a script shrinks as the list does, by leaving requests out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from m4alloc.check.face import PTRDIFF_MAX
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.request_strategies import family, requests
from spec.event import ALLOCATING, FREEING, RESIZING, Event, Function
from spec.statement import Pointer, Script, Settings, Step

SIZED = frozenset({Function.MALLOC, Function.CALLOC, Function.REALLOC, Function.REALLOCARRAY})
"""Whose blocks free_sized takes.  ISO C23 7.24.3.4; those of aligned_alloc are for free_aligned_sized."""


def scripts(
    functions: Iterable[Function | str] | None = None,
    *,
    sizes: st.SearchStrategy[int] | None = None,
    alignments: st.SearchStrategy[int] | None = None,
    threads: int = 1,
    min_steps: int = 0,
    max_steps: int | None = None,
    standard: str | None = None,
    misuse: bool = False,
) -> st.SearchStrategy[Script]:
    """Heap scripts without replies, for `spec.script.run`, `m4alloc.check.scripted.play` and `spec.script.render`.

    Names are bound before they are used, and only live blocks are freed, resized and measured: the client keeps the
    contract whatever the allocator answers. functions, sizes, alignments, threads: as for `requests`.
    min_steps, max_steps: how many calls. standard: what the script says it is to be judged by (`given standard`).
    misuse: also double frees and frees of interior pointers, of which the script claims nothing: whether a block freed
    twice was handed out again in between is for the allocator to choose.
    Shrinks towards fewer calls, smaller sizes, earlier frees, thread 0.  Raises InvalidArgument at once.

    >>> from hypothesis import find
    >>> from spec.script import render
    >>> print(render(find(scripts(), lambda script: sum(step.name != "" for step in script.steps) > 1)), end="")
    a = malloc 0
    b = malloc 0
    """
    named = family(functions)
    if not named & ALLOCATING:
        raise InvalidArgument("functions: a script needs one that hands out a block, such as malloc")
    for bound, steps in (("min_steps", min_steps), ("max_steps", max_steps)):
        if steps is not None and (not isinstance(steps, int) or steps < 0):
            raise InvalidArgument(f"{bound}={steps!r}: a number of calls, 0 or more, is wanted")
    if max_steps is not None and min_steps > max_steps:
        raise InvalidArgument(f"min_steps={min_steps} is above max_steps={max_steps}")
    one = requests(named, sizes=sizes, alignments=alignments, threads=threads, misuse=misuse)
    told = st.lists(one, min_size=min_steps, max_size=max_steps).map(lambda plan: script(plan, standard))
    return told.filter(lambda made: len(made.steps) >= min_steps) if min_steps else told


@dataclass(slots=True)
class Owned:
    """A block as a script knows it: its name, and the request that it came from."""

    name: str
    event: Event

    @property
    def size(self) -> int:
        """Bytes asked for."""
        return self.event.request_size


@dataclass(slots=True)
class Teller:
    """Tells operations as steps, one after another; keeps which names are live, and which are dead."""

    steps: list[Step] = field(default_factory=list)
    live: list[Owned] = field(default_factory=list)
    dead: list[Owned] = field(default_factory=list)
    named: int = 0

    def tell(self, operation: Operation) -> None:
        """Add the operation's step, unless it names no block."""
        function, thread, aim, block, size, count, alignment, offset = operation
        owned = self.chosen(aim, block)
        if owned is None and (function in FREEING or function is Function.USABLE_SIZE):
            return
        pointer = Pointer() if function in RESIZING else None
        if owned is not None:
            inside = 1 + offset % (owned.size - 1) if aim is Aim.INSIDE else 0
            pointer = Pointer(owned.name, inside)
        if function is Function.FREE_SIZED and owned is not None:
            function, size, alignment = sized(owned)
        event = Event(function, thread, size=size, count=count, alignment=alignment)
        fails = event.request_size > PTRDIFF_MAX
        if owned is not None and aim is Aim.LIVE and (function in FREEING or (function in RESIZING and not fails)):
            self.live.remove(owned)
            self.dead.append(owned)
        name = ""
        if not fails and (function in ALLOCATING or function in RESIZING):
            name = chr(ord("a") + self.named) if self.named < 26 else f"b{self.named}"
            self.named += 1
            self.live.append(Owned(name, event))
        self.steps.append(Step(event, name, pointer))

    def chosen(self, aim: Aim, block: int) -> Owned | None:
        """The block that an operation means, if there is one."""
        if aim is Aim.NULL:
            return None
        among = self.dead if aim is Aim.DEAD else self.live
        if aim is Aim.INSIDE:
            among = [owned for owned in among if owned.size > 1]
        return among[-1 - block % len(among)] if among else None


def sized(owned: Owned) -> tuple[Function, int, int]:
    """The sized free that suits a block, with its size and alignment; a plain free where none does."""
    if owned.event.function in SIZED:
        return Function.FREE_SIZED, owned.size, 0
    if owned.event.function is Function.ALIGNED_ALLOC:
        return Function.FREE_ALIGNED_SIZED, owned.size, owned.event.alignment
    return Function.FREE, 0, 0


def script(plan: Iterable[Operation], standard: str | None = None) -> Script:
    """The script of a plan.  Cost: O(n) in operations and live blocks.

    >>> from spec.script import render
    >>> plan = [Operation(Function.MALLOC, size=24), Operation(Function.FREE, aim=Aim.LIVE)]
    >>> print(render(script([*plan, *plan])), end="")
    a = malloc 24
    free a
    b = malloc 24
    free b
    """
    teller = Teller()
    for operation in plan:
        teller.tell(operation)
    return Script(tuple(teller.steps), Settings(standard))
