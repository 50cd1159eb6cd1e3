"""A Hypothesis state machine for allocators: random requests by several threads, every reply judged as it comes.

The plans of m4alloc.check.search are faster, a whole one at a time. The machine asks step by step, so it can go on
from what it has been told, be extended with rules of one's own, and its failing run is a program in Hypothesis's way.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from m4alloc.check.judgement import CLIENT_RULES, Terms, changed, judge, lost
from m4alloc.check.strategies import alignments, bad_alignments, impossible_sizes, sizes
from m4alloc.check.target import EndedError, Session, Target
from spec.error import Violation
from spec.event import Event, Function
from spec.script_history import from_events
from spec.script_writer import render

LIMIT = 1 << 16
THREADS = 3


class AllocatorMachine(RuleBasedStateMachine):
    """The rules; `machine(target, terms)` gives the class for one allocator.

    `blocks` are addresses of live blocks, `dead` of freed ones. Contents are the session's business: it fills every
    block to its last usable byte and compares before it is given up.
    """

    target: Target
    terms: Terms
    blocks: Bundle[int] = Bundle("blocks")
    dead: Bundle[int] = Bundle("dead")

    def __init__(self) -> None:
        super().__init__()
        self.acceptor = self.terms.acceptor()
        self.events: list[Event] = []
        self.failed = False
        self.session: Session = self.target.begin()

    # Every request goes through here.

    def ask(self, event: Event) -> Event:
        """Make the request, judge all that was seen, and return the reply. Raises Violation with the script."""
        if event.function not in self.target.functions and event.function not in (Function.LOAD, Function.FILL):
            return event
        try:
            seen = self.session.request(event)
        except EndedError as ended:
            broken = judge(ended.episode, self.terms)
            assert broken is not None
            raise self.told(Violation(broken.rule, broken.message), ended.episode.events) from None
        self.judge(seen)
        return seen[-1]

    def judge(self, seen: list[Event]) -> None:
        """Step the acceptor on what was seen. Raises Violation with the script."""
        for event in seen:
            self.events.append(event)
            for finding in self.acceptor.step(event):
                if isinstance(finding, Violation):
                    raise self.told(finding, self.events)
            if lost(event):
                raise self.told(Violation(CLIENT_RULES["block-keeps-contents"], changed(event), event), self.events)
        self.acceptor.check()

    def told(self, violation: Violation, events: list[Event]) -> Violation:
        """The violation with the history as a note, which Hypothesis prints for the smallest run."""
        self.failed = True
        violation.add_note(render(from_events(events, self.terms.settings())))
        return violation

    def acquired(self, event: Event) -> Any:
        """What an allocating request adds to `blocks`."""
        result = self.ask(event).result
        return result if result else multiple()

    # The rules.

    @rule(target=blocks, size=sizes(LIMIT), thread=st.integers(0, THREADS - 1))
    def malloc(self, size: int, thread: int) -> Any:
        return self.acquired(Event(Function.MALLOC, thread, size=size))

    @rule(target=blocks, size=sizes(LIMIT), count=st.integers(0, 4), thread=st.integers(0, THREADS - 1))
    def calloc(self, size: int, count: int, thread: int) -> Any:
        return self.acquired(Event(Function.CALLOC, thread, size=size, count=count))

    @rule(target=blocks, alignment=alignments(), size=sizes(LIMIT), thread=st.integers(0, THREADS - 1))
    def aligned_alloc(self, alignment: int, size: int, thread: int) -> Any:
        return self.acquired(Event(Function.ALIGNED_ALLOC, thread, size=size, alignment=alignment))

    @rule(target=blocks, alignment=alignments() | bad_alignments(), size=sizes(LIMIT))
    def posix_memalign(self, alignment: int, size: int) -> Any:
        return self.acquired(Event(Function.POSIX_MEMALIGN, size=size, alignment=alignment))

    @rule(target=blocks, block=consumes(blocks), size=sizes(LIMIT), thread=st.integers(0, THREADS - 1))
    def realloc(self, block: int, size: int, thread: int) -> Any:
        return self.resized(Event(Function.REALLOC, thread, block, size))

    @rule(target=blocks, block=consumes(blocks), size=sizes(LIMIT), count=st.integers(0, 4))
    def reallocarray(self, block: int, size: int, count: int) -> Any:
        return self.resized(Event(Function.REALLOCARRAY, 0, block, size, count))

    def resized(self, event: Event) -> Any:
        """What a resizing request puts back into `blocks`: the new block, the old one if it failed, or nothing."""
        if event.function not in self.target.functions:
            return event.address
        reply = self.ask(event)
        if reply.result:
            return reply.result
        return event.address if reply.request_size or reply.errno else multiple()

    @rule(size=impossible_sizes(), function=st.sampled_from([Function.MALLOC, Function.CALLOC, Function.ALIGNED_ALLOC]))
    def impossible(self, size: int, function: Function) -> None:
        self.ask(Event(function, size=size, count=2 if function is Function.CALLOC else 1, alignment=64))

    @rule(target=dead, block=consumes(blocks), thread=st.integers(0, THREADS - 1))
    def free(self, block: int, thread: int) -> int:
        self.ask(Event(Function.FREE, thread, block))
        return block

    @rule()
    def free_null(self) -> None:
        self.ask(Event(Function.FREE))

    @rule(block=blocks)
    def usable_size(self, block: int) -> None:
        self.ask(Event(Function.USABLE_SIZE, address=block))

    @rule(block=blocks, thread=st.integers(0, THREADS - 1))
    def write_all(self, block: int, thread: int) -> None:
        self.ask(Event(Function.FILL, thread, block))

    @rule(block=blocks, thread=st.integers(0, THREADS - 1))
    def read_all_back(self, block: int, thread: int) -> None:
        self.ask(Event(Function.LOAD, thread, block))

    @rule(thread=st.integers(1, THREADS - 1))
    def end_thread(self, thread: int) -> None:
        self.judge(self.session.request(Event(Function.LABEL, thread, label="thread-end")))

    @precondition(lambda self: self.terms.catches_misuse)
    @rule(block=dead, thread=st.integers(0, THREADS - 1))
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
                self.judge(self.session.sweep())
        finally:
            self.session.close()


def machine(target: Target, terms: Terms) -> type[AllocatorMachine]:
    """The state machine of one allocator; its `TestCase` is a unittest class, as Hypothesis gives every machine.

    >>> from m4alloc.check.local import reference
    >>> machine(reference(), Terms()).__name__
    'AllocatorMachineOfReference'
    """
    name = "".join(word.capitalize() for word in target.name.replace("/", " ").replace(".", " ").split()[-2:])
    return type(f"AllocatorMachineOf{name}", (AllocatorMachine,), {"target": target, "terms": terms})


def run(target: Target, terms: Terms, chosen: settings | None = None) -> None:
    """Run the machine under the given settings, or the profile's. Raises Violation, the smallest, with its script.

    One violation: the first found, even where there are several.
    """
    one = settings(chosen or settings(), report_multiple_bugs=False)
    run_state_machine_as_test(machine(target, terms), settings=one)
