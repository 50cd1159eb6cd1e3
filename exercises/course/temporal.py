"""The promises of step 5: a formula that says what the sentence says, a heap that satisfies it, a model that does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import cast

from capability.architecture import Architecture
from capability.cheri.protection import Cheri
from capability.flat import Flat
from exercises.course import cheri
from exercises.course.attacks import FREES, REUSE, all_fail, flat
from exercises.course.promise import BrokenPromise, Promise
from exercises.course.seam import SIZE, Held, Holder
from spec.event import Event, Function
from spec.ltl.decide import difference
from spec.ltl.error import LogicError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.parser import parse
from spec.ltl.word import Word, show_letter
from spec.model.execution import Execution
from spec.model.reader import read
from spec.model.search import check
from spec.model.system import Path as Run
from spec.model.system import Result, Verdict
from spec.model.vocabulary import PropositionError
from spec.properties import find
from spec.property_verdict import Answer, evaluate

MEANT = "[](free -> (!malloc U quarantine_end))"
"""What the sentence says."""
ALONE = "[](!(malloc && free) && !(malloc && quarantine_end) && !(free && quarantine_end))"
"""One thing happens at a time."""
END = "quarantine_end"
MODEL = "quarantine.m4m"
TOLD = 16
OUT_OF_MEMORY = (
    "When `space` has no room, all quarantines end at once: say so of each block, give it back to `space`, try again."
)


def formula(module: ModuleType) -> None:
    """PROPERTY says the same as MEANT of every word in which one thing happens at a time."""
    own, meant, alone = parsed(module.PROPERTY), parse(MEANT), parse(ALONE)
    unknown = own.propositions - meant.propositions
    if unknown:
        raise BrokenPromise(f"PROPERTY speaks of {', '.join(sorted(unknown))}, which nobody ever says.")
    apart = difference(alone & meant, alone & own)
    if apart is None:
        return
    if holds(meant, apart):
        what = "This history of an address is as it should be, and it violates your formula, which asks for too much."
    else:
        what = f"{wrong_with(apart)}, and yet this history satisfies your formula, which asks for too little."
    raise BrokenPromise(f"{what} (1: nothing happens at this address.)", spelled(apart))


def parsed(text: str) -> Formula:
    """The formula.  Raises BrokenPromise where it cannot be read."""
    try:
        return parse(text)
    except LogicError as error:
        raise BrokenPromise(f"PROPERTY cannot be read: {error}", hint="docs/ltl.md has the grammar.") from error


def wrong_with(word: Word) -> str:
    """What a word has against the sentence."""
    if holds(parse("[](free -> (!malloc W quarantine_end))"), word):
        return "A quarantine never ends"
    return "The address is handed out before its quarantine has ended"


def spelled(word: Word) -> list[str]:
    """A word as lines."""
    lines = [f"{number}. {show_letter(letter)}" for number, letter in enumerate(word.letters, 1)]
    back = len(word.prefix) + 1
    return [*lines, f"and from {back} again, for ever" if word.cycle else "the end"]


# The heap


class Watched(Holder):
    """A client that also takes down what properties are about: mallocs, frees, and what the heap says."""

    def __init__(self, module: ModuleType, architecture: Architecture, size: int = SIZE) -> None:
        super().__init__(module, architecture, size)
        self.events: list[Event] = []
        self.usable: dict[int, int] = {}
        self.heap.say = self.heard

    def heard(self, label: str, address: int) -> None:
        """The heap says something about an address."""
        self.events.append(Event(Function.LABEL, address=address, label=label))
        self.lines.append(f"    the heap says {label} of {address:#x}")

    def malloc(self, size: int) -> Held | None:
        held = super().malloc(size)
        if held is not None:
            pointer = held.pointer
            usable = self.usable[pointer.address] = pointer.top - pointer.base
            self.events.append(Event(Function.MALLOC, size=size, result=pointer.address, usable=usable))
        return held

    def free(self, held: Held) -> None:
        # The client gives the block up when free begins; what the heap says inside comes after.
        self.events.append(Event(Function.FREE, address=held.pointer.address))
        super().free(held)

    def judge(self, name: str, text: str, because: str, *, waits: int = 0, exited: bool = False) -> None:
        """Raise BrokenPromise if the property is violated by now."""
        verdict = evaluate(find(text), self.events, quarantine=waits, sees=(END,), exited=exited)
        if verdict.answer is Answer.VIOLATED:
            raise self.broken(f"{name} is violated: {because}.")

    def quarantines(self, address: int) -> list[int]:
        """For each end of the block's quarantines, how many blocks of its size were freed after it."""
        size, counted, found = 0, 0, []
        for event in self.events:
            if event.function is Function.MALLOC and event.result == address:
                size = event.usable
            elif event.function is Function.FREE and event.address == address:
                counted = -1
            if event.function is Function.FREE and self.usable[event.address] == size:
                counted += 1
            if event.label == END and event.address == address:
                found.append(counted)
        return found


def rounds(watched: Watched, size: int, times: int) -> Iterator[None]:
    """A block is allocated and freed, over and over."""
    for _ in range(times):
        watched.free(watched.must_have(size, "no other block is live", OUT_OF_MEMORY))
        yield


def keeps_quarantine(module: ModuleType) -> None:
    """Nothing is handed out before the heap has said so, also when memory is short."""
    safe = "address: [](free -> (!malloc W quarantine_end))"
    because = "the address was handed out before the heap had said quarantine_end of it"
    for architecture in (Flat(), Cheri(sweep_at=256)):
        for size in (64, 1 << 12):
            watched = Watched(module, architecture, 1 << 13)
            for _ in rounds(watched, size, 10):
                watched.judge("PROPERTY", safe, because)


def waits_long_enough(module: ModuleType) -> None:
    """Where there is room, a block sits out WAIT others of its size."""
    for first, other in ((64, 64), (64, 32), (64, 48), (64, 80), (16384, 16384)):
        watched = Watched(module, Flat())
        held = watched.must_have(first, "nothing is allocated")
        watched.free(held)
        for number in range(8):
            size = first if number == 5 else other
            watched.free(watched.must_have(size, "most of the heap is free"))
            live = "a byte of it was freed fewer than 4 frees of its size ago"
            watched.judge("no-early-reuse (4)", "no-early-reuse", live, waits=4)
            early = [frees for frees in watched.quarantines(held.pointer.address) if frees < 4]
            if early:
                often = f"{early[0]} other blocks of its size" if early[0] else "no other block of its size"
                raise watched.broken(f"The heap says that the quarantine of a is over, and {often} had been freed.")


def each_ends(module: ModuleType) -> None:
    """After close, no quarantine is still open; and before it, memory came back."""
    for architecture, size in ((Flat(), 64), (Flat(), 16384), (Cheri(sweep_at=1 << 16), 64)):
        watched = Watched(module, architecture)
        for _ in rounds(watched, size, 8):
            pass
        if isinstance(architecture, Flat) and not any(event.label == END for event in watched.events):
            longer = "As soon as a queue is longer than WAIT, its oldest block leaves: not only in close()."
            raise BrokenPromise("Eight blocks were freed, and no quarantine has ended.", watched.history(), longer)
        watched.called("close", watched.heap.close)
        why = "the program is over, and the heap has not said quarantine_end of a block that was freed"
        watched.judge("PROPERTY", f"address: {MEANT}", why, exited=True)


def only_once(module: ModuleType) -> None:
    """The heap says quarantine_end of freed blocks alone."""
    watched = Watched(module, Flat())
    for _ in rounds(watched, 64, 8):
        text = "address: (!quarantine_end W free) && [](malloc -> (!quarantine_end W free))"
        watched.judge("[](malloc -> (!quarantine_end W free))", text, "the heap says that of a block which is live")
        said = [event.address for event in watched.events if event.label == END]
        other = next((address for address in said if address not in watched.usable), None)
        if other is not None:
            raise watched.broken(f"The heap says quarantine_end of {other:#x}, where no block began.")
        text = "address: [](quarantine_end -> X(!quarantine_end W free))"
        watched.judge("[](quarantine_end -> X(!quarantine_end W free))", text, "the heap says twice that one is over")


# The model


def execution(module: ModuleType) -> Execution:
    """The student's model.  Raises BrokenPromise where it cannot be read."""
    path = Path(str(module.__file__)).with_name(MODEL)
    try:
        return Execution(read(path.read_text(encoding="utf-8"), source=MODEL))
    except LogicError as error:
        raise BrokenPromise(str(error), hint="docs/modelling-language.md has every construct.") from error


def checked(module: ModuleType, text: str) -> tuple[Execution, Result]:
    """What the model checker says of a formula, of each block."""
    system = execution(module)
    try:
        return system, check(system, parse(text), states=200_000)
    except PropositionError as error:
        hint = "Say it in the step that ends a quarantine: atomic { state[b] = FREE  label quarantine_end(b) }."
        raise BrokenPromise(f"The model never says what the property is about: {error}", hint=hint) from error


def model_holds(text: str, otherwise: str) -> Callable[[ModuleType], None]:
    """The test that every run of the model satisfies a formula."""

    def test(module: ModuleType) -> None:
        system, result = checked(module, text)
        if result.verdict is Verdict.EXHAUSTED:
            raise BrokenPromise("The model has more than 200,000 states: make it smaller.")
        if result.verdict is Verdict.VIOLATED and result.counterexample is not None:
            raise BrokenPromise(otherwise, run(system, result.counterexample))

    return test


def model_lives(module: ModuleType) -> None:
    """Blocks are handed out, freed, and handed out again."""
    system = execution(module)
    tracked = system.program.tracked
    if tracked is None or len(list(system.initial())) < 2:
        raise BrokenPromise(
            "Your model has no two blocks: who ends quarantines could have a favourite, and nobody would see it.",
            hint="const BLOCKS = 2, and track block: 0..BLOCKS-1, as they were given.",
        )
    for text, what in (
        ("[]!malloc", "no block is ever handed out"),
        ("[]!free", "no block is ever freed"),
        ("[](free -> []!malloc)", "no block is ever handed out again after it was freed"),
    ):
        if checked(module, text)[1].verdict is Verdict.HOLDS:
            raise BrokenPromise(f"In your model {what}: what is never done is never done wrong.")
    stopped = check(system).counterexample
    if stopped is not None:
        raise BrokenPromise("The model comes to a stop, or does something that it cannot.", run(system, stopped))


def run(system: Execution, path: Run) -> list[str]:
    """A run as lines: who does what, and the event that it is."""
    lines = []
    for number, step in enumerate(path.steps):
        after = path.states[number + 1] if number + 1 < len(path.states) else path.states[path.back or 0]
        letter = system.letter(cast(tuple[int, ...], after))
        events = sorted(letter & {"malloc", "free", "quarantine_end"})
        who = system.processes[step.process] if step.process >= 0 else ""
        round_ = "for ever: " if number == path.back else ""
        if events or round_ or step.text != "idle":
            lines.append(f"{round_}{who}: {step.text}" + (f"   [{' '.join(events)}]" if events else ""))
    return lines if len(lines) <= TOLD else [*lines[: TOLD // 2], "...", *lines[-TOLD // 2 :]]


PROMISES = (
    Promise(
        "formula",
        "PROPERTY says what the sentence says.",
        "`p W q` is true when p is for ever, `p U q` only if q comes at last. `!malloc` next to `[]` is about every "
        "moment from there on, also those after the quarantine.",
        formula,
    ),
    Promise(
        "says so",
        "No address is handed out before the heap has said that its quarantine is over.",
        'Every way back to `space` has to pass self.say("quarantine_end", base): after a wait, and when memory is out.',
        keeps_quarantine,
    ),
    Promise(
        "once",
        "The heap says quarantine_end only of what was freed.",
        "Say it where the block leaves the queue, and nowhere else.",
        only_once,
    ),
    Promise(
        "waits",
        "While there is room, a block sits out 4 other frees of its size.",
        "One queue for each length, from which the oldest leaves when there are more than WAIT: a common queue counts "
        "frees of other sizes, and `>=` in place of `>` counts the block itself.",
        waits_long_enough,
    ),
    Promise(
        "ends",
        "Every quarantine ends: for most while the program runs, for the rest in close().",
        "close() goes through all queues and ends what is in them, saying so. On CHERI a block may wait for a sweep "
        "before it comes to a queue: retire(memory, None) completes it.",
        each_ends,
    ),
    Promise(
        "model lives",
        "quarantine.m4m: blocks are handed out, freed, and handed out again.",
        "`m4alloc model exercises/step5_time/quarantine.m4m` says what it finds.",
        model_lives,
    ),
    Promise(
        "model safe",
        "quarantine.m4m: no block is handed out before its quarantine has ended.",
        "A third value of `state`, WAITING, between LIVE and FREE; only a process of its own leads from it to FREE.",
        model_holds("[](free -> (!malloc W quarantine_end))", "A block is handed out while it is in quarantine."),
    ),
    Promise(
        "model honest",
        "quarantine.m4m: a quarantine ends only where there is one, and live blocks are handed out to nobody else.",
        "await state[b] == WAITING in the same atomic step as state[b] = FREE.",
        model_holds(
            "[](malloc -> (malloc W (!malloc && ((!malloc && !quarantine_end) W free))))",
            "A live block is handed out again, or its quarantine ends though it has none.",
        ),
    ),
    Promise(
        "model ends",
        "quarantine.m4m: every quarantine ends, whatever the client does.",
        "A process that ends quarantines has to be `fair`, else it may never move. And if it chooses a block, it may "
        "choose the same one each time: go through them in turn, `for b in 0..BLOCKS-1 { ... }`.",
        model_holds("[](free -> <>quarantine_end)", "A block is freed, and its quarantine never ends."),
    ),
    Promise(
        "still safe",
        "What step 4 promised of reuse and of wrong frees still holds.",
        "Did give_back or sweep lose what they did in step 4?",
        all_fail(flat, FREES + REUSE),
    ),
    *(promise for promise in cheri.PROMISES if promise.name in ("sweeps", "comes back")),
)
