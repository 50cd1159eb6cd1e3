"""Whether a recorded history is a run of the model that is made from its allocator's shape."""

from __future__ import annotations

from collections.abc import Iterable

from spec.event import FREEING, RESIZING, Event, Function
from spec.history import Phase, points
from spec.model.execution import Execution
from spec.model.generated import Action, generated
from spec.model.shape import Shape


class RefusedError(ValueError):
    """A history that the model does not admit: at which event, and what the model had instead."""


def admits(shape: Shape, events: Iterable[Event]) -> int:
    """Follow a recorded history in the model of `shape`, and return how many actions it took.

    events: successful requests and frees, ordered by begin; accesses and labels are passed over. Slots are numbered as
    their addresses appear, classes as their usable sizes do, clients as threads do; a block is held by the thread that
    it was handed out to until another one frees it. A moving realloc is a free, then a malloc.
    Raises: RefusedError at the first event that is no step of the model; ValueError when the shape is too small for the
    history (more slots, sizes or threads), or when `clients` differs from `threads`.
    Cost: O(commands) an event.

    >>> history = [Event(Function.MALLOC, size=24, result=0x1000, usable=32), Event(Function.FREE, address=0x1000)]
    >>> again = Event(Function.MALLOC, size=24, result=0x1000, usable=32)
    >>> admits(Shape(slots=2), [*history, again])
    3
    >>> admits(Shape(slots=2, delay_line=1), [*history, again])
    Traceback (most recent call last):
    spec.model.conformance.RefusedError: action 3, client 0: malloc returns slot 0 (0x1000): no step of the model in ...
    """
    return _Follower(shape).follow(events)


class _Follower:
    """The state that the model is in after the events so far."""

    def __init__(self, shape: Shape) -> None:
        if shape.clients != shape.threads:
            raise ValueError(f"{shape.clients} clients on {shape.threads} threads: a recording has one on each")
        self.shape = shape
        made = generated(shape)
        self.program = made.program
        self.numbers: dict[Action, list[int]] = {}
        for number, action in enumerate(made.actions):
            self.numbers.setdefault(action, []).append(number)
        self.system = Execution(made.program)
        self.states = {next(iter(self.system.initial()))}
        self.slots: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        self.used = [0] * shape.sizes
        self.clients: dict[int, int] = {}
        self.holders: dict[int, int] = {}
        self.taken = 0

    def follow(self, events: Iterable[Event]) -> int:
        for phase, event in points(events):
            resized = event.function in RESIZING and event.address and event.result != event.address
            failed = resized and not event.result and event.request_size
            gives_up = event.address and (event.function in FREEING or resized) and not failed
            hands_out = event.result and (resized or not event.address) and event.function is not Function.USABLE_SIZE
            if gives_up and phase is not Phase.END:
                self._free(event)
            if hands_out and phase is not Phase.BEGIN:
                self._malloc(event)
        return self.taken

    def _client(self, thread: int) -> int:
        client = self.clients.setdefault(thread, len(self.clients))
        if client >= self.shape.clients:
            raise ValueError(f"the history has more than {self.shape.clients} threads")
        return client

    def _malloc(self, event: Event) -> None:
        size = self.sizes.setdefault(event.usable, len(self.sizes))
        if size >= self.shape.sizes:
            raise ValueError(f"the history has more than {self.shape.sizes} usable sizes")
        if event.result not in self.slots:
            if self.used[size] == self.shape.slots:
                raise ValueError(f"the history uses more than {self.shape.slots} slots of {event.usable} bytes")
            self.slots[event.result] = size * self.shape.slots + self.used[size]
            self.used[size] += 1
        client, slot = self._client(event.thread), self.slots[event.result]
        self._take(Action("malloc", client, slot), event.result)
        self.holders[slot] = client

    def _free(self, event: Event) -> None:
        client, slot = self._client(event.thread), self.slots.get(event.address)
        if slot is None:
            raise RefusedError(
                f"action {self.taken + 1}, client {client}: frees {event.address:#x}, which is no slot's"
            )
        holder = self.holders.get(slot, client)
        if holder != client:
            self._take(Action("pass", holder, slot, client), event.address)
        self._take(Action("free", client, slot), event.address)

    def _take(self, action: Action, address: int) -> None:
        wanted = set(self.numbers[action])
        after = set()
        for state in self.states:
            for step, target in self.system.successors(state):
                if step.command in wanted and not step.fault:
                    after.add(self._idle(target))
        self.taken += 1
        if not after:
            text = self.program.commands[next(iter(wanted))].text
            shown = self.system.show(min(self.states))
            raise RefusedError(f"action {self.taken}, {text} ({address:#x}): no step of the model in state {shown}")
        self.states = after

    def _idle(self, state: tuple[int, ...]) -> tuple[int, ...]:
        event = self.program.event_cell
        if event is None or not state[event]:
            return state
        return next(target for _, target in self.system.successors(state))
