"""Plan: an attack made ready for one defence, to be played under any draws."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from capability.adi.protection import Adi
from capability.fault import Fault
from capability.mte.draw import TagSource
from spec.attacks.defence import Defence
from spec.attacks.goal import Ending
from spec.attacks.kind import Attack
from spec.attacks.record import Record, record
from spec.attacks.seam import CAUGHT, Entry, State
from spec.attacks.verdict import Catch, Outcome, catch_of


class Plan:
    """An attack recorded once on the reference allocator over a defence.

    Raises Bug when the attack does not apply there.
    """

    def __init__(self, attack: Attack, defence: Defence) -> None:
        self.attack = attack
        self.defence = defence
        self.record: Record = record(attack.steps, defence)

    def ended(self, state: State) -> tuple[Outcome, Catch | None]:
        """The outcome of a run that no entry stopped; what was deferred is reported now, and `state` with it."""
        reached = self.attack.goal.is_reached(Ending(self.record.names, state))
        try:
            state.memory.synchronise()
        except Fault as fault:
            return (Outcome.LATE if reached else Outcome.CAUGHT), catch_of(fault, len(self.attack.steps))
        if reached:
            return Outcome.MISSED, None
        if state.fault is not None:
            step, found = state.fault
            return Outcome.CAUGHT, catch_of(found, step)
        return Outcome.HARMLESS, None

    def trial(self, seed: int) -> tuple[Outcome, Catch | None, State]:
        """One run with the model's own generators from this seed: the outcome, the catch, the machine at its end.

        An attack that may be repeated is, each time on a fresh machine, until a try is not caught.
        """
        tries = self.attack.tries
        for number in range(tries):
            found = self.one_try(seed * tries + number)
            if found[0] is not Outcome.CAUGHT:
                break
        return found

    def one_try(self, seed: int) -> tuple[Outcome, Catch | None, State]:
        """One try of such a run."""
        memory = self.defence.memory()
        # Consecutive seeds of this generator give shifted copies of one sequence: spread them.
        memory.state(TagSource).seed = seed * 0xD1342543DE82EF95 % (1 << 64)
        architecture = self.defence.architecture
        if isinstance(architecture, Adi):
            architecture = replace(architecture, seed=seed)
        state = State(memory)
        entry: Entry | None = None
        try:
            for index, entry in enumerate(self.record.log):
                if index >= state.skip:
                    entry.play(state, architecture)
        except CAUGHT as error:
            assert entry is not None
            return Outcome.CAUGHT, catch_of(error, entry.step), state
        return (*self.ended(state), state)

    def simulate(self, trials: int, seed: int = 0) -> Counter[Outcome]:
        """How often each outcome came about in so many runs; another seed gives other runs.

        Cost: about 50 microseconds a trial and try.
        """
        return Counter(self.trial(seed * trials + number)[0] for number in range(trials))
