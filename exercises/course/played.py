"""The attack catalogue against a student's heap: recorded on it, judged exactly, and told step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from types import ModuleType
from typing import Any, NamedTuple, cast

from capability.architecture import Access, Architecture, Hazard, Pointer, Retirement, UnrepresentableError
from capability.flat import FlatPointer
from capability.memory import TaggedMemory
from capability.perms import Perms
from exercises.course.promise import BrokenPromise, StuckError, raised
from exercises.course.seam import named
from spec.allocator import ReferenceAllocator
from spec.attack import CATALOGUE
from spec.attacks.defence import ARENA, CAPACITY, Defence
from spec.attacks.judge import judge
from spec.attacks.plan import Plan
from spec.attacks.seam import Entry, Examined, State
from spec.attacks.story import tell
from spec.attacks.verdict import Outcome, Verdict
from spec.error import Misuse
from spec.event import FREEING, RESIZING, Event, Function

SIZE_MAX = 2**64 - 1
SEEDS = 200
GOOD = (Outcome.CAUGHT, Outcome.HARMLESS)


class Live(NamedTuple):
    """A live block: the number of its generation, the size asked for, the pointer."""

    id: int
    size: int
    pointer: Pointer


class Blocks(NamedTuple):
    """What the recorder looks at of a heap."""

    live: dict[int, Live]


class Steady:
    """The architecture as the heap sees it; a derivation that is refused leaves the recording as it was."""

    def __init__(self, inner: Architecture) -> None:
        self.inner = inner

    @property
    def granule(self) -> int:
        return self.inner.granule

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> Pointer:
        recorder = getattr(memory, "recorder", None)
        try:
            return self.inner.derive(memory, base, size, perms)
        except UnrepresentableError:
            if recorder is not None:
                cast(Any, memory).recorder = recorder
            raise

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        self.inner.check(memory, pointer, address, size, access)

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        return self.inner.retire(memory, pointer)

    def detection(self, kind: Hazard) -> Fraction:
        return self.inner.detection(kind)


class Attacked:
    """A student's heap as the recorder asks it: the whole family of malloc, by address.

    calloc and realloc are made of the heap's malloc and free; a realloc always moves.
    """

    def __init__(self, student: Any, memory: TaggedMemory) -> None:
        self.student = student
        self.memory = memory
        self.heap = Blocks({})
        self.stale: dict[int, Pointer] = {}
        self.born = 0

    def request(self, event: Event) -> Event:
        """The event with its reply.  Raises Misuse; BrokenPromise for any other exception of the heap's."""
        function = event.function
        if function in FREEING:
            self.give_up(event.address)
            return event._replace(result=0)
        if function in RESIZING and event.address:
            return self.resized(event)
        if event.request_size > SIZE_MAX:
            return event._replace(result=0)
        reply = self.acquired(event)
        if function is Function.CALLOC and reply.result:
            self.memory.fill(reply.result, event.request_size, 0)
        return reply

    def acquired(self, event: Event) -> Event:
        """A new block."""
        pointer = self.called(lambda: self.student.malloc(event.request_size))
        if pointer is None:
            return event._replace(result=0)
        self.born += 1
        self.heap.live[pointer.address] = Live(self.born, event.request_size, pointer)
        return event._replace(result=pointer.address, usable=pointer.top - pointer.base)

    def resized(self, event: Event) -> Event:
        """A new block with the contents of the old one, which is freed."""
        old = self.heap.live.get(event.address)
        if old is None or event.request_size == 0:
            self.give_up(event.address)
            return event._replace(result=0)
        reply = self.acquired(event)
        if reply.result:
            self.memory.move(reply.result, event.address, min(old.size, event.request_size))
            self.give_up(event.address)
        return reply

    def give_up(self, address: int) -> None:
        """A free, through the pointer that a client would have for the address."""
        if not address:
            return
        live = self.heap.live.get(address)
        pointer = live.pointer if live else self.stale.get(address, FlatPointer(address, address, address))
        self.called(lambda: self.student.free(pointer))
        if live:
            self.stale[address] = pointer
            del self.heap.live[address]

    def called(self, call: Callable[[], Any]) -> Any:
        """What the heap answers."""
        try:
            return call()
        except (Misuse, BrokenPromise, StuckError):
            raise
        except (Exception, SystemExit) as error:
            raise raised(error) from error


@dataclass(frozen=True, slots=True)
class Own(Defence):
    """A column of the table that is the student's heap."""

    heap: Any = None

    def allocator(self, memory: TaggedMemory, architecture: Architecture | None = None) -> ReferenceAllocator:
        """Their heap, in the place of the reference allocator."""
        student = self.heap(Steady(architecture or self.architecture), memory, ARENA, CAPACITY)
        return cast(ReferenceAllocator, Attacked(student, memory))


def planned(module: ModuleType, attack: str, architecture: Architecture) -> Plan:
    """The attack, made ready for the student's heap over an architecture; free and realloc ask its `examine`."""
    plan = Plan(CATALOGUE[attack], Own("your heap", "your heap", architecture, heap=module.Heap))
    judge_of = module.Heap(architecture, TaggedMemory(ARENA, CAPACITY), ARENA, CAPACITY)

    def play(entry: Examined, state: State, architecture: Architecture) -> None:
        given, issued = state.pointers[entry.given], state.pointers[entry.issued]
        judge_of.examine(state.memory, given, issued)

    asked = type("Asked", (Examined,), {"play": play})
    log: list[Entry] = [asked(*entry) if isinstance(entry, Examined) else entry for entry in plan.record.log]
    plan.record = plan.record._replace(log=log)
    return plan


def survived(module: ModuleType, attack: str, architecture: Architecture, least: Fraction = Fraction(1)) -> Verdict:
    """The verdict, if the attack fails with at least this probability.  Raises BrokenPromise with one run of it."""
    try:
        plan = planned(module, attack, architecture)
    except BrokenPromise as broken:
        raise BrokenPromise(f"{attack}: {broken.happened}", steps(attack), broken.hint) from broken
    verdict = judge(plan)
    share = failing(verdict)
    if share < least:
        entry = CATALOGUE[attack]
        much = "always succeeds" if not share else f"fails with probability {share}, not {least}"
        raise BrokenPromise(f"{entry.sentence} This {much}: {entry.goal.text}.", run(plan, architecture))
    return verdict


def failing(verdict: Verdict) -> Fraction:
    """The probability that an attack is caught in time, or does no harm."""
    return sum((verdict.share(outcome) for outcome in GOOD), Fraction(0))


def run(plan: Plan, architecture: Architecture) -> list[str]:
    """One run in which the attack succeeds, step by step."""
    seed = next((seed for seed in range(SEEDS) if plan.trial(seed)[0] not in GOOD), 0)
    story = tell(plan, seed)
    lines = [f"{line.step}. {line.text:<38} {line.answer}" for line in story.lines]
    return [f"{plan.attack.name}, on {named(architecture)}", *lines[:-1], f"{lines[-1]}  <- here"]


def steps(attack: str) -> list[str]:
    """The steps of an attack that could not be carried out."""
    return [f"{number}. {step}" for number, step in enumerate(CATALOGUE[attack].steps, 1)]
