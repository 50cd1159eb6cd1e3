"""Hypothesis strategies for single requests, for users: valid by themselves, and in any list.

They are `m4alloc.check.requests`; `m4alloc.check.scripts` tells lists of them as heap scripts.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from m4alloc.check.edges import PAGE, SIZE_MAX
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.strategies import alignments as all_alignments
from m4alloc.check.strategies import operation_of, ordered_sizes
from spec.event import Function

FAMILY = (
    Function.FREE,  # first, since Hypothesis shrinks towards the first: frees come early then
    Function.MALLOC,
    Function.REALLOC,
    Function.CALLOC,
    Function.ALIGNED_ALLOC,
    Function.POSIX_MEMALIGN,
    Function.REALLOCARRAY,
)
"""The functions of ISO C17 and POSIX: what `requests` and `scripts` use unless told otherwise."""
OTHERS = (Function.USABLE_SIZE, Function.FREE_SIZED, Function.MEMALIGN, Function.VALLOC, Function.PVALLOC)
"""What they use when told to."""
NEAREST = 8
"""Live blocks, counted from the youngest, that a request chooses from."""


def requests(
    functions: Iterable[Function | str] | None = None,
    *,
    sizes: st.SearchStrategy[int] | None = None,
    alignments: st.SearchStrategy[int] | None = None,
    threads: int = 1,
    misuse: bool = False,
) -> st.SearchStrategy[Operation]:
    """Single requests that an allocator has to serve, or, where nobody could, to refuse.

    A request names its block by position ("the youngest live one"), as Operation does, because an address is not known
    before the allocator has chosen it: so every list of requests means something, and can be shrunk by deletion.
    functions: names of C functions; the family of C17 and POSIX when None; also malloc_usable_size, free_sized,
    memalign, valloc and pvalloc. sizes, alignments: strategies of bytes; when None, edges where allocators break, and
    sizes that cannot be served. realloc asks for a byte at least, since C23 leaves realloc(p, 0) undefined.
    threads: numbers of the calling threads are below it. misuse: also double frees and frees of interior pointers.
    Shrinks towards a free of the youngest block, smaller sizes, thread 0.  Raises InvalidArgument at once.

    >>> from hypothesis import find
    >>> find(requests(["malloc", "free"]), lambda request: request.size > 100)[:5]
    (<Function.MALLOC: 1>, 0, <Aim.NULL: 0>, 0, 101)
    """
    named = family(functions)
    if not isinstance(threads, int) or threads < 1:
        raise InvalidArgument(f"threads={threads!r}: a number of threads, at least 1, is wanted")
    size = ordered_sizes(impossible=True) if sizes is None else checked("sizes", sizes)
    alignment = all_alignments() if alignments is None else checked("alignments", alignments)
    some = size.map(lambda drawn: drawn or 1)
    block = st.integers(0, NEAREST - 1)
    live: dict[str, Any] = {"aim": st.just(Aim.LIVE), "block": block}
    at_least_8 = alignment.map(lambda drawn: max(drawn, 8))
    fields: dict[Function, dict[str, Any]] = {
        Function.FREE: live,
        Function.MALLOC: {"size": size},
        Function.REALLOC: {**live, "size": some},
        Function.CALLOC: {"size": size, "count": st.integers(1, 4)},
        Function.ALIGNED_ALLOC: {"size": size, "alignment": alignment},
        Function.POSIX_MEMALIGN: {"size": size, "alignment": at_least_8},
        Function.REALLOCARRAY: {**live, "size": some, "count": st.integers(1, 4)},
        Function.USABLE_SIZE: live,
        Function.FREE_SIZED: live,
        Function.MEMALIGN: {"size": size, "alignment": alignment},
        Function.VALLOC: {"size": size},
        Function.PVALLOC: {"size": size},
    }
    kinds = [(function, fields[function]) for function in fields if function in named]
    if misuse and Function.FREE in named:
        kinds.append((Function.FREE, {"aim": st.just(Aim.DEAD), "block": block}))
        kinds.append((Function.FREE, {"aim": st.just(Aim.INSIDE), "block": block, "offset": st.integers(0, PAGE)}))
    thread = st.integers(0, threads - 1)
    return st.one_of([operation_of(function, {**drawn, "thread": thread}) for function, drawn in kinds])


def family(functions: Iterable[Function | str] | None) -> frozenset[Function]:
    """The functions named. Raises InvalidArgument: one is unknown, or none is given.

    >>> sorted(function.name for function in family(["malloc", Function.FREE]))
    ['FREE', 'MALLOC']
    """
    if functions is None:
        return frozenset(FAMILY)
    if isinstance(functions, str):
        raise InvalidArgument(f"functions={functions!r}: a list of names is wanted, such as [{functions!r}]")
    known: dict[Any, Function] = {function.name.lower(): function for function in (*FAMILY, *OTHERS)}
    known |= {function: function for function in known.values()} | {"malloc_usable_size": Function.USABLE_SIZE}
    named = list(functions)
    unknown = [one for one in named if one not in known]
    if unknown or not named:
        wrong = f"{unknown[0]!r} is not among them" if unknown else "none is given"
        raise InvalidArgument(
            f"functions: {wrong}; known are {', '.join(one for one in known if isinstance(one, str))}"
        )
    return frozenset(known[one] for one in named)


def checked(name: str, chosen: st.SearchStrategy[int]) -> st.SearchStrategy[int]:
    """A strategy of bytes that a user gave, each of which is looked at when it is drawn.

    Raises InvalidArgument: at once for what is no strategy, when drawing for what is no number of bytes.
    """
    if not isinstance(chosen, st.SearchStrategy):
        raise InvalidArgument(f"{name}={chosen!r}: a strategy is wanted, such as st.integers(0, 4096)")

    def check(drawn: Any) -> int:
        try:
            number = index(drawn)
        except TypeError:
            number = -1
        if not 0 <= number <= SIZE_MAX:
            raise InvalidArgument(f"{name} gave {drawn!r}: an int from 0 to 2**64 - 1 is wanted")
        return number

    return chosen.map(check)
