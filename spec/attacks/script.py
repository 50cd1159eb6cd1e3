"""An attack as a heap script: the calls and accesses of its run without any protection, every address filled in."""

from __future__ import annotations

from spec.attacks.kind import Attack
from spec.attacks.plan import Plan
from spec.attacks.seam import Accessed, Entry
from spec.attacks.step import Reach, Request
from spec.event import MISUSE_CAUGHT, NEVER_RETURNED, Event, Function
from spec.script_history import from_events
from spec.statement import Script


def history(plan: Plan) -> list[Event]:
    """The events of an attack made of calls and accesses alone, up to the one in which the allocator stopped it.

    A call that the allocator refused has the flags that say so, and ends it.  Raises ValueError for any other attack.

    >>> from spec.attack import plan
    >>> [event.function.name for event in history(plan("double-free", "flat"))]
    ['MALLOC', 'FREE', 'FREE']
    """
    attack, record = plan.attack, plan.record
    if not _is_spoken(attack):
        raise ValueError(f"{attack.name} does to pointers what a heap script has no words for")
    entries: dict[int, Entry] = {entry.step: entry for entry in record.log}
    events = []
    for index, action in enumerate(attack.steps):
        entry = entries.get(index)
        if isinstance(entry, Accessed):
            events.append(_access(action, entry))
        elif index in record.replies:
            events.append(record.replies[index])
        elif isinstance(action, Request):
            events.append(_refused(action, plan))
            break
    return events


def script(plan: Plan) -> Script:
    """The same as a script, whose blocks are named by it.  Raises ValueError.

    >>> from spec.attack import plan
    >>> from spec.script import render
    >>> print(render(script(plan("use-after-reuse-write", "flat"))), end="")
    a = malloc 64 -> 0x10000 usable 64
    free a
    b = malloc 64 -> 0x10000 usable 64
    fill b 0x11
    store b 0 8 result 65
    """
    return from_events(history(plan), source=plan.attack.name)


def _is_spoken(attack: Attack) -> bool:
    return attack.is_native and all(isinstance(step, Request | Reach) for step in attack.steps)


def _access(action: Request | Reach | object, entry: Accessed) -> Event:
    if isinstance(action, Request):
        return Event(Function.FILL, address=entry.address, size=entry.size, result=entry.value)
    function = Function.LOAD if entry.data else Function.STORE
    return Event(function, address=entry.address, size=entry.size, result=0 if entry.data else entry.value)


def _refused(action: Request, plan: Plan) -> Event:
    event, place = action.step.event, action.step.pointer
    assert event is not None and place is not None, "what is refused names a pointer"
    base = plan.record.names[place.name].address if place.name else 0
    return event._replace(address=base + place.offset, flags=MISUSE_CAUGHT | NEVER_RETURNED)
