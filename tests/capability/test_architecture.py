"""What every protection model owes the seam, asked of each of them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from capability.adi.mcd import Thread
from capability.adi.policy import VersionPolicy
from capability.adi.protection import Adi
from capability.architecture import Access, Architecture, Hazard, Pointer, Range
from capability.cheri.isa import ISAS
from capability.cheri.protection import Cheri
from capability.fault import Fault, FaultKind
from capability.flat import Flat
from capability.memory import TaggedMemory
from capability.mte.control import Mode
from capability.mte.policy import POLICIES
from capability.mte.protection import MTE
from capability.perms import DATA
from capability.sgx.protection import Sgx

MODELS: list[Architecture] = [Flat(), *(Cheri(isa) for isa in ISAS), Cheri(sweep_at=1 << 16)]
# Scudo's odd/even lets one guess a tag from the address, which nobody does here; mte/test_detection.py does.
MODELS += [MTE(policy) for name, policy in POLICIES.items() if name != "scudo-odd-even"]
MODELS += [Adi(), Adi(VersionPolicy(free_version=0, exclude_neighbours=False)), Adi(thread=Thread(mcde=False))]
MODELS += [Sgx()]
MODELS += [MTE(mode=Mode.ASYNC), MTE(mode=Mode.NONE)]
BASE, SIZE = 0x10000, 64

every_model = pytest.mark.parametrize("architecture", MODELS, ids=str)


class Machine:
    """An architecture, its memory, and three blocks, two of them in a row, with the pointers to them.

    run: which of many machines; each has derived another number of blocks before, so that a random tag is another one.
    """

    def __init__(self, architecture: Architecture, run: int = 0) -> None:
        self.architecture = architecture
        self.memory = TaggedMemory(BASE, 1 << 20)
        for number in range(run):
            self.derive(BASE + (1 << 19) + SIZE * number, 16)
        self.first, self.second, self.distant = (self.derive(BASE + SIZE * number) for number in (0, 1, 100))

    def derive(self, base: int, size: int = SIZE) -> Pointer:
        return self.architecture.derive(self.memory, base, size, DATA)

    def is_caught(self, pointer: Pointer, address: int) -> bool:
        try:
            self.architecture.check(self.memory, pointer, address, 1, Access.LOAD)
            self.memory.synchronise()
        except Fault:
            return True
        return False


def _use_after_free(machine: Machine) -> bool:
    machine.architecture.retire(machine.memory, machine.first)
    return machine.is_caught(machine.first, BASE)


def _use_after_reuse(machine: Machine) -> bool:
    machine.architecture.retire(machine.memory, machine.first)
    machine.architecture.retire(machine.memory, None)
    machine.derive(BASE)
    return machine.is_caught(machine.first, BASE)


def _granule_overflow(machine: Machine) -> bool:
    return machine.is_caught(machine.derive(BASE + 0x4000, 7), BASE + 0x4007)


class _Integer:
    """A pointer that nobody derived: an address, and a guess at the bounds."""

    address = base = BASE
    top = BASE + SIZE


HAZARDS: dict[Hazard, Callable[[Machine], bool]] = {
    Hazard.USE_AFTER_FREE: _use_after_free,
    Hazard.USE_AFTER_REUSE: _use_after_reuse,
    Hazard.ADJACENT_OVERFLOW: lambda machine: machine.is_caught(machine.first, BASE + SIZE),
    Hazard.DISTANT_OVERFLOW: lambda machine: machine.is_caught(machine.first, machine.distant.address),
    Hazard.GRANULE_OVERFLOW: _granule_overflow,
    Hazard.FORGED_POINTER: lambda machine: machine.is_caught(_Integer(), BASE),
}


@pytest.mark.slow
@every_model
@pytest.mark.parametrize("hazard", Hazard, ids=lambda hazard: hazard.name.lower())
def test_detection_is_what_is_measured(architecture: Architecture, hazard: Hazard) -> None:
    claimed = architecture.detection(hazard)
    runs = 1 if claimed in (0, 1) else 400
    caught = sum(HAZARDS[hazard](Machine(architecture, run)) for run in range(runs))
    measured = Fraction(caught, runs)
    assert abs(measured - claimed) <= (0 if runs == 1 else Fraction(1, 10))


@every_model
def test_every_byte_of_a_derived_block_can_be_used(architecture: Architecture) -> None:
    machine = Machine(architecture)
    for access in (Access.LOAD, Access.STORE):
        for address in range(BASE, BASE + SIZE):
            architecture.check(machine.memory, machine.first, address, 1, access)
    architecture.check(machine.memory, machine.first, BASE, SIZE, Access.STORE)
    assert (machine.first.address, machine.first.base, machine.first.top) == (BASE, BASE, BASE + SIZE)


@every_model
def test_each_retired_range_is_reported_reusable_exactly_once(architecture: Architecture) -> None:
    machine = Machine(architecture)
    reported: list[Range] = []
    for pointer in (machine.second, machine.first, machine.distant):
        reported += architecture.retire(machine.memory, pointer).reusable
    reported += architecture.retire(machine.memory, None).reusable
    assert reported == [Range(p.base, p.top) for p in (machine.second, machine.first, machine.distant)]
    assert architecture.retire(machine.memory, None).reusable == ()


@every_model
def test_a_copied_machine_goes_its_own_way(architecture: Architecture) -> None:
    machine = Machine(architecture)
    twin = machine.memory.copy()
    architecture.retire(machine.memory, machine.first)
    architecture.retire(machine.memory, None)
    architecture.check(twin, machine.first, BASE, SIZE, Access.LOAD)
    architecture.retire(twin, machine.first)
    architecture.retire(twin, None)
    assert twin.key() == machine.memory.key()


@every_model
def test_an_access_outside_memory_faults(architecture: Architecture) -> None:
    machine = Machine(architecture)
    unit = max(16, architecture.granule)
    with pytest.raises(Fault) as fault:
        outside = machine.derive(BASE + (1 << 20) - unit, 2 * unit)
        architecture.check(machine.memory, outside, BASE + (1 << 20) - 8, 16, Access.LOAD)
    assert fault.value.kind is FaultKind.UNMAPPED
