"""A Hypothesis state machine for allocators: random requests by several threads, every reply judged as it comes.

The plans of m4alloc.check.search are faster, a whole one at a time. The machine asks step by step, so it can go on
from what it has been told, be extended with rules of one's own, and its failing run is a program in Hypothesis's way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from m4alloc.check import adapter
from m4alloc.check.executor import Live, sized
from m4alloc.check.judgement import Terms, judge
from m4alloc.check.request_strategies import checked
from m4alloc.check.scripted import told
from m4alloc.check.strategies import alignments as all_alignments
from m4alloc.check.strategies import bad_alignments, impossible_sizes, ordered_sizes
from m4alloc.check.target import EndedError, Session, Target
from spec.error import Violation
from spec.event import NEVER_RETURNED, Event, Function
from spec.judge import hands_out
from spec.script_history import from_events
from spec.script_writer import render
from spec.standard import ReallocZero, contract
from spec.statement import Script

LIMIT = 1 << 16
THREADS = 3
Note = Callable[[Script], str]


def chosen(name: str) -> st.SearchStrategy[Any]:
    """The strategy that the machine at hand has under this name."""
    return st.runner().flatmap(lambda machine: getattr(machine, name))


def offers(function: Function) -> Callable[[Any], Any]:
    """A rule that runs only on allocators that have the function."""
    return precondition(lambda machine: function in machine.target.functions)


def several(machine: Any) -> bool:
    """Whether more than one thread makes requests."""
    return bool(machine.threads > 1)


class HeapMachine(RuleBasedStateMachine):
    """The rules; `AllocatorMachine(backend)` gives the class for one allocator.

    `blocks` are addresses of live blocks, `dead` of freed ones. Contents are the session's business: it fills every
    block to its last usable byte and compares before it is given up.
    """

    target: Target
    held_to: Terms | str | None = None
    threads = THREADS
    sizes: st.SearchStrategy[int] = ordered_sizes(LIMIT)
    alignments: st.SearchStrategy[int] = all_alignments()
    any_thread: st.SearchStrategy[int] = st.integers(0, THREADS - 1)
    other_thread: st.SearchStrategy[int] = st.integers(1, THREADS - 1)
    notes: Sequence[Note] = (render,)
    blocks: Bundle[int] = Bundle("blocks")
    dead: Bundle[int] = Bundle("dead")

    def __init__(self) -> None:
        super().__init__()
        self.terms = adapter.terms_of(self.target, self.held_to)
        self.acceptor = self.terms.acceptor()
        self.zero_undefined = contract(self.terms.standard).realloc_zero is ReallocZero.UNDEFINED
        self.events: list[Event] = []
        self.failed = False
        self.session: Session = self.target.begin()

    # Every request goes through here.

    def ask(self, event: Event) -> Event:
        """Make the request, judge all that was seen, and return the reply. Raises Violation with the script."""
        try:
            seen = self.carry_out(lambda: self.session.request(event))
            return next(reply for reply in reversed(seen) if reply.function is event.function)
        except Violation:
            raise
        except Exception as error:  # of an allocator written in Python, or about what it returned
            self.failed = True
            pending = event._replace(flags=event.flags | NEVER_RETURNED)
            error.add_note(render(from_events([*self.events, pending], self.terms.settings())))
            raise

    def carry_out(self, work: Callable[[], list[Event]]) -> list[Event]:
        """What was seen of some work, judged. Raises Violation with the script."""
        try:
            seen = work()
        except EndedError as ended:
            broken = judge(ended.episode, self.terms)
            if broken is None:
                raise
            violation = self.told(Violation(broken.rule, broken.message), ended.episode.events)
            if ended.episode.message and ended.episode.message not in broken.message:
                violation.add_note(ended.episode.message)
            raise violation from None
        self.judge(seen)
        return seen

    def judge(self, seen: list[Event]) -> None:
        """Step the acceptor on what was seen. Raises Violation with the script."""
        for event in seen:
            self.events.append(event)
            for finding in self.acceptor.step(event):
                if isinstance(finding, Violation):
                    raise self.told(finding, self.events)
        self.acceptor.check()

    def told(self, violation: Violation, events: list[Event]) -> Violation:
        """The violation with the notes on its history, which Hypothesis prints for the smallest run."""
        self.failed = True
        script = told(events, self.terms)
        for note in self.notes:
            violation.add_note(note(script))
        return violation

    def acquired(self, event: Event) -> Any:
        """What an allocating request adds to `blocks`."""
        reply = self.ask(event)
        return reply.result if hands_out(reply) else multiple()

    # The rules.

    @rule(target=blocks, size=chosen("sizes"), thread=chosen("any_thread"))
    def malloc(self, size: int, thread: int) -> Any:
        return self.acquired(Event(Function.MALLOC, thread, size=size))

    @offers(Function.CALLOC)
    @rule(target=blocks, size=chosen("sizes"), count=st.integers(0, 4), thread=chosen("any_thread"))
    def calloc(self, size: int, count: int, thread: int) -> Any:
        return self.acquired(Event(Function.CALLOC, thread, size=size, count=count))

    @offers(Function.ALIGNED_ALLOC)
    @rule(target=blocks, alignment=chosen("alignments"), size=chosen("sizes"), thread=chosen("any_thread"))
    def aligned_alloc(self, alignment: int, size: int, thread: int) -> Any:
        return self.acquired(Event(Function.ALIGNED_ALLOC, thread, size=size, alignment=alignment))

    @offers(Function.POSIX_MEMALIGN)
    @rule(target=blocks, alignment=chosen("alignments") | bad_alignments(), size=chosen("sizes"))
    def posix_memalign(self, alignment: int, size: int) -> Any:
        return self.acquired(Event(Function.POSIX_MEMALIGN, size=size, alignment=alignment))

    @offers(Function.REALLOC)
    @rule(target=blocks, block=consumes(blocks), size=chosen("sizes"), thread=chosen("any_thread"))
    def realloc(self, block: int, size: int, thread: int) -> Any:
        return self.resized(Event(Function.REALLOC, thread, block, size))

    @offers(Function.REALLOCARRAY)
    @rule(target=blocks, block=consumes(blocks), size=chosen("sizes"), count=st.integers(0, 4))
    def reallocarray(self, block: int, size: int, count: int) -> Any:
        return self.resized(Event(Function.REALLOCARRAY, 0, block, size, count))

    def resized(self, event: Event) -> Any:
        """What a resizing request puts back into `blocks`: the new block, the old one if it failed, or nothing."""
        if self.zero_undefined and event.request_size == 0:
            event = event._replace(size=1, count=1)
        reply = self.ask(event)
        if reply.result:
            return reply.result
        return event.address if reply.request_size or reply.errno else multiple()

    @rule(size=impossible_sizes(), function=st.sampled_from([Function.MALLOC, Function.CALLOC, Function.ALIGNED_ALLOC]))
    def impossible(self, size: int, function: Function) -> None:
        if function in self.target.functions:
            self.ask(Event(function, size=size, count=2 if function is Function.CALLOC else 1, alignment=64))

    @rule(target=dead, block=consumes(blocks), thread=chosen("any_thread"))
    def free(self, block: int, thread: int) -> int:
        self.ask(Event(Function.FREE, thread, block))
        return block

    @offers(Function.FREE_SIZED)
    @rule(target=dead, block=consumes(blocks), thread=chosen("any_thread"))
    def free_sized(self, block: int, thread: int) -> int:
        owned = self.acceptor.heap.live[block]
        maker = next(event.function for event in reversed(self.events) if event.result == block)
        function = sized(Live(block, owned.size, owned.usable, owned.alignment, 0, maker))
        if function not in self.target.functions:
            function = Function.FREE
        size, alignment = (0, 0) if function is Function.FREE else (owned.size, owned.alignment)
        self.ask(Event(function, thread, block, size, alignment=alignment))
        return block

    @rule()
    def free_null(self) -> None:
        self.ask(Event(Function.FREE))

    @offers(Function.USABLE_SIZE)
    @rule(block=blocks)
    def usable_size(self, block: int) -> None:
        self.ask(Event(Function.USABLE_SIZE, address=block))

    @rule(block=blocks, thread=chosen("any_thread"))
    def write_all(self, block: int, thread: int) -> None:
        self.ask(Event(Function.FILL, thread, block))

    @rule(block=blocks, thread=chosen("any_thread"))
    def read_all_back(self, block: int, thread: int) -> None:
        self.ask(Event(Function.LOAD, thread, block))

    @precondition(several)
    @rule(thread=chosen("other_thread"))
    def end_thread(self, thread: int) -> None:
        self.ask(Event(Function.LABEL, thread, label="thread-end"))

    @precondition(lambda self: self.terms.catches_misuse)
    @rule(block=dead, thread=chosen("any_thread"))
    def free_again(self, block: int, thread: int) -> None:
        if block not in self.acceptor.heap.live:
            self.ask(Event(Function.FREE, thread, block))

    @precondition(lambda self: self.terms.catches_misuse)
    @rule(block=blocks, offset=st.integers(1, 64))
    def free_inside(self, block: int, offset: int) -> None:
        if self.acceptor.heap.live[block].top > block + offset:
            self.ask(Event(Function.FREE, 0, block + offset))

    def teardown(self) -> None:
        """Compare what is left, unless something was found already, and end the run."""
        try:
            if not self.failed:
                self.carry_out(self.session.sweep)
                give_back = getattr(self.session, "give_back", None)
                if getattr(self.target, "shared", False) and give_back is not None:
                    self.carry_out(give_back)
        finally:
            self.session.close()


def AllocatorMachine(  # noqa: N802 - a class to its users, as Hypothesis's own machines are
    backend: Any,
    *,
    terms: Terms | str | None = None,
    threads: int = THREADS,
    sizes: st.SearchStrategy[int] | None = None,
    alignments: st.SearchStrategy[int] | None = None,
    notes: Sequence[Note] = (render,),
    **options: Any,
) -> type[HeapMachine]:
    """The state machine that tests one allocator; its `TestCase` is a unittest class, as of every such machine.

    backend, options: what `m4alloc.check.adapter.target` takes: the path of a shared library, "system", a class whose
    objects have malloc and free, a ctypes.CDLL, a cffi library, a Cython module.
    terms: what it is held to: Terms, or standards such as "c17,posix"; else what suits the backend ("c23" for Python
    objects, "c23,posix" for libraries, "c17,glibc" for the system's).
    threads: threads that make requests, one at a time. sizes, alignments: strategies of bytes, as `requests` takes.
    notes: printed with what was found; each is given the failing history as a script, its claims included.
    The machine raises Violation, of which the smallest run is shown. Subclass what it returns to add rules.
    Raises InvalidArgument, TypeError or ValueError at once.  Cost: 0.2 ms a step.

    >>> TestSystem = AllocatorMachine("system", threads=1).TestCase
    >>> TestSystem.__name__
    'AllocatorMachineOfSystem.TestCase'
    """
    if not isinstance(threads, int) or threads < 1:
        raise InvalidArgument(f"threads={threads!r}: a number of threads, at least 1, is wanted")
    if isinstance(terms, str):
        contract(terms)
    fields: dict[str, Any] = {
        "threads": threads,
        "any_thread": st.integers(0, threads - 1),
        "other_thread": st.integers(1, max(threads - 1, 1)),
        "sizes": ordered_sizes(LIMIT) if sizes is None else checked("sizes", sizes),
        "alignments": all_alignments() if alignments is None else checked("alignments", alignments),
        "notes": tuple(notes),
    }
    return machine(adapter.target(backend, **options), terms, **fields)


def machine(target: Target, terms: Terms | str | None = None, **fields: Any) -> type[HeapMachine]:
    """The state machine of one target.

    >>> from m4alloc.check.local import reference
    >>> machine(reference(), Terms()).__name__
    'AllocatorMachineOfReference'
    """
    words = "".join(letter if letter.isalnum() else " " for letter in target.name.rpartition("/")[2]).split()
    name = "".join(word[0].upper() + word[1:] for word in words)
    return type(f"AllocatorMachineOf{name}", (HeapMachine,), {"target": target, "held_to": terms, **fields})


def run(target: Target, terms: Terms, chosen: settings | None = None) -> None:
    """Run the machine under the given settings, or the profile's. Raises Violation, the smallest, with its script.

    One violation: the first found, even where there are several.
    """
    one = settings(chosen or settings(), report_multiple_bugs=False)
    run_state_machine_as_test(machine(target, terms), settings=one)
