"""What each memory protection costs on the allocations of ten programs, counted by the reference allocator.

    python -m benchmarks.protection_cost [--program NAME ...] [--sweep-at BYTES] [--json FILE]

The programs of alloc_bench are recorded at their `trace` scale on the system's allocator, and the calls are made again
on the reference allocator (first fit), once for each architecture. Every figure is a count of the model's, none a time:
what the retirements report, the usable sizes of the replies, the granules that were tagged, the pages that the enclave
accepted. CHERI sweeps when a quarter of the program's peak of live bytes waits to be reused. A recording has no stores,
so that memory would hold no capability and a sweep would pass every page by; each block of a CHERI heap is therefore
given one, to itself, in its first bytes. The bytes swept are those of a heap in which every block holds a pointer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from capability.adi.protection import Adi
from capability.architecture import Access, Architecture, Hazard, Pointer, Retirement
from capability.cheri.capability import Capability
from capability.cheri.isa import CHERIOT, ISAV9_64, ISAV9_128, MORELLO, RISCV_64, RISCV_128
from capability.cheri.protection import Cheri
from capability.cheri.transfer import store_capability
from capability.flat import Flat
from capability.memory import TaggedMemory
from capability.mte.protection import MTE
from capability.perms import Perms
from capability.sgx.heap import EnclaveHeap
from capability.sgx.protection import Sgx
from m4alloc._build import run_compiler
from m4alloc.trace.index import open_index
from m4alloc.trace.operations import Operations, compile_trace
from m4alloc.trace.record import record
from m4alloc.view.text import table
from spec.allocator import ReferenceAllocator
from spec.event import Event, Function

FOLDER = Path(__file__).with_name("alloc_bench")
FLAGS = ("-std=gnu17", "-O2", "-fno-builtin", "-pthread")
PROGRAMS = (
    *("binary_tree", "richards", "espresso", "barnes", "cfrac", "random_mixed"),
    *("glibc_simple", "glibc_thread", "mstress", "xmalloc"),
)
CHERI = {"128": ISAV9_128, "128m": MORELLO, "128r": RISCV_128, "64": ISAV9_64, "64r": RISCV_64, "cheriot": CHERIOT}
FLAT, MORELLO_NAME, ARENA = "flat", "CHERI 128m", 1 << 28
"""The arena begins at its own size, below what the formats with addresses of 32 bits can name."""


def architectures(sweep_at: int) -> dict[str, Architecture]:
    """Every model but flat by the name it has in the tables; the formats of CHERI differ in their bounds alone."""
    return {
        **{f"CHERI {name}": Cheri(isa, sweep_at=sweep_at) for name, isa in CHERI.items()},
        "MTE": MTE(),
        "ADI": Adi(),
        "SGX": Sgx(),
    }


@dataclass(slots=True)
class Cost:
    """Totals of one replay.

    blocks: handed out, a resized one again. requested, usable: their bytes. padding: usable bytes beyond those of a
    machine without protection. held: the most bytes that were live or waited for a sweep at once. granules: tagged,
    when handed out and when given up. retagged: the second part. epochs: sweeps; swept_bytes: read in them.
    accepted, returned: pages of the enclave.
    """

    blocks: int = 0
    requested: int = 0
    usable: int = 0
    padding: int = 0
    held: int = 0
    granules: int = 0
    retagged: int = 0
    epochs: int = 0
    swept_bytes: int = 0
    accepted: int = 0
    returned: int = 0


class CountingMemory(TaggedMemory):
    """Memory that counts the granules tagged in it."""

    __slots__ = ("tagged",)

    def __init__(self, architecture: Architecture) -> None:
        holds = architecture.isa.format.capability_bytes if isinstance(architecture, Cheri) else 16
        unit = max(16, architecture.granule)
        super().__init__(ARENA, ARENA, capability_granule=holds, allocation_granule=unit)
        self.tagged = 0

    def set_allocation_tag(self, address: int, size: int, tag: int) -> int:
        """As TaggedMemory's, added up."""
        granules = super().set_allocation_tag(address, size, tag)
        self.tagged += granules
        return granules


@dataclass(slots=True)
class Counted:
    """An architecture whose answers are added up on their way to the allocator.

    Derivations in other memories than `memory` are those with which the allocator finds out what is representable.
    """

    inner: Architecture
    memory: TaggedMemory
    cost: Cost = field(default_factory=Cost)
    held: int = 0

    @property
    def granule(self) -> int:
        """The architecture's own."""
        return self.inner.granule

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> Pointer:
        """A pointer to a block, which is held from now on."""
        pointer = self.inner.derive(memory, base, size, perms)
        if memory is self.memory:
            self.held += size
            self.cost.held = max(self.cost.held, self.held)
        return pointer

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        """The architecture's own."""
        self.inner.check(memory, pointer, address, size, access)

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        """What it gave back is held no longer; with revocation, giving back anything is the end of a sweep."""
        done = self.inner.retire(memory, pointer)
        self.held -= sum(top - base for base, top in done.reusable)
        self.cost.retagged += done.granules
        self.cost.swept_bytes += done.swept_bytes
        self.cost.returned += done.pages
        self.cost.epochs += isinstance(self.inner, Cheri) and bool(done.reusable)
        return done

    def detection(self, kind: Hazard) -> object:
        """The architecture's own."""
        return self.inner.detection(kind)


def replay(images: Iterable[Operations], architecture: Architecture) -> Cost:
    """Make the calls on a reference allocator over `architecture`, a fresh one for each process image; the totals.

    `padding` is left 0: it takes the run of another architecture.  Cost: about 50 microseconds a call.
    """
    total = Cost()
    for operations in images:
        memory = CountingMemory(architecture)
        counted = Counted(architecture, memory)
        allocator = ReferenceAllocator(architecture=counted, capacity=ARENA, base=ARENA)  # type: ignore[arg-type]
        allocator.memory = memory
        blocks = [0] * operations.slots
        for kind, slot, size, extra in operations.array.tolist():
            _make(allocator, blocks, Event(Function(kind), size=size), slot, extra, counted.cost, architecture)
        cost = counted.cost
        cost.granules = memory.tagged
        if isinstance(architecture, Sgx):
            cost.accepted = cost.returned + len(memory.state(EnclaveHeap).table)
        for name, value in asdict(cost).items():
            setattr(total, name, max(total.held, value) if name == "held" else getattr(total, name) + value)
    return total


_WITH_ALIGNMENT = frozenset({Function.ALIGNED_ALLOC, Function.MEMALIGN, Function.POSIX_MEMALIGN})


def _make(
    allocator: ReferenceAllocator,
    blocks: list[int],
    event: Event,
    slot: int,
    extra: int,
    cost: Cost,
    architecture: Architecture,
) -> None:
    """One call; what a block that it hands out has is counted."""
    function = event.function
    if function is Function.CALLOC:
        event = event._replace(count=extra)
    elif function in _WITH_ALIGNMENT:
        event = event._replace(alignment=extra)
    elif function in (Function.FREE, Function.REALLOC, Function.USABLE_SIZE):
        event = event._replace(address=blocks[slot])
    reply = allocator.request(event)
    if function is Function.USABLE_SIZE:
        return
    blocks[slot] = reply.result
    if not reply.result:
        return
    cost.blocks += 1
    cost.requested += event.request_size
    cost.usable += reply.usable
    if isinstance(architecture, Cheri):
        pointer = allocator.pointer(reply.result)
        assert isinstance(pointer, Capability)
        store_capability(allocator.memory, pointer, reply.result, pointer, architecture.isa)


def costs(images: Sequence[Operations], among: Mapping[str, Architecture]) -> dict[str, Cost]:
    """The totals on flat, and on each architecture, whose padding is counted from flat's."""
    found = {FLAT: replay(images, Flat())}
    for name, model in among.items():
        found[name] = replay(images, model)
        found[name].padding = found[name].usable - found[FLAT].usable
    return found


def quarter(images: Sequence[Operations]) -> int:
    """A quarter of the most bytes that were live at once, at least one: what revocation is usually let wait for."""
    return max(1, replay(images, Flat()).held // 4)


def trace_command(program: str, folder: Path) -> list[str]:
    """The command of the program's `trace` run; the program is compiled."""
    entries = tomllib.loads((FOLDER / "catalogue.toml").read_text(encoding="utf-8"))["program"]
    entry = next(entry for entry in entries if entry["name"] == program)
    executable = folder / program
    run_compiler(*FLAGS, str(FOLDER / entry["source"]), "-lm", "-o", str(executable))
    return [str(executable), *(word.replace("{threads}", str(entry["threads"])) for word in entry["trace"])]


def recorded(command: Sequence[str], recording: Path) -> list[Operations]:
    """Run the command, and compile what was recorded: one list of calls an image of it."""
    done = record(command, recording, allocator="system", stdout=subprocess.DEVNULL)
    if done.status != 0:
        raise SystemExit(f"{command[0]} ended with status {done.status}")
    tree = open_index(recording)
    return [compile_trace(trace, tree.inherited(trace)) for trace in tree.traces]


def padding_table(found: Mapping[str, Mapping[str, Cost]]) -> list[str]:
    """How many percent of the bytes requested are added: by whole units of 16 bytes, and beyond them by each model."""
    models = [name for name in next(iter(found.values())) if name != FLAT]

    def line(program: str, cost: Mapping[str, Cost]) -> list[str]:
        flat = cost[FLAT]
        asked = flat.requested or 1
        return [
            program,
            f"{flat.blocks:,}",
            f"{flat.requested:,}",
            f"{100 * (flat.usable - flat.requested) / asked:.1f}",
            *(f"{100 * cost[name].padding / asked:.2f}" for name in models),
        ]

    rows = [line(program, cost) for program, cost in found.items()]
    header = ["padding, % of requested", "blocks", "requested", "units of 16", *models]
    return table(rows, header, right=range(1, len(header)))


def work_table(found: Mapping[str, Mapping[str, Cost]]) -> list[str]:
    """What is done to memory besides: sweeps of one format of CHERI, granules of MTE and ADI, pages of SGX."""

    def line(program: str, cost: Mapping[str, Cost]) -> list[str]:
        cheri, mte, adi, sgx = (cost[name] for name in (MORELLO_NAME, "MTE", "ADI", "SGX"))
        return [
            program,
            f"{cheri.epochs:,}",
            f"{cheri.swept_bytes:,}",
            f"{cheri.held / (cost[FLAT].held or 1):.2f}",
            f"{mte.granules:,}",
            f"{mte.retagged:,}",
            f"{adi.granules:,}",
            f"{sgx.accepted:,}",
            f"{sgx.returned:,}",
        ]

    header = [
        *("work", "CHERI epochs", "bytes swept", "held to flat", "MTE granules tagged", "of them at free"),
        *("ADI lines tagged", "SGX pages accepted", "given back"),
    ]
    rows = [line(program, cost) for program, cost in found.items()]
    return table(rows, header, right=range(1, len(header)))


def detection_table(among: Mapping[str, Architecture]) -> list[str]:
    """The probability that one wrong access is caught, as the models give it."""
    rows = [[kind.value, *(str(model.detection(kind)) for model in among.values())] for kind in Hazard]
    return table(rows, ["caught", *among], right=range(1, len(among) + 1))


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--program", action="append", choices=PROGRAMS, metavar="NAME", help="only this one; repeatable"
    )
    parser.add_argument(
        "--sweep-at",
        type=int,
        metavar="BYTES",
        help="retired before a sweep (default: a quarter of the peak of live bytes)",
    )
    parser.add_argument("--json", type=Path, help="write all totals there")
    chosen = parser.parse_args(words)
    if chosen.sweep_at is not None and chosen.sweep_at < 0:
        parser.error(f"--sweep-at {chosen.sweep_at}: want 0, for a sweep at each free, or a number of bytes")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for program in chosen.program or PROGRAMS:
            print(f"\r{program:20}", end="", file=sys.stderr, flush=True)
            images = recorded(trace_command(program, Path(folder)), Path(folder) / f"{program}.m4t")
            among = architectures(quarter(images) if chosen.sweep_at is None else chosen.sweep_at)
            found[program] = costs(images, among)
    print(file=sys.stderr)
    print("\n".join([*padding_table(found), "", *work_table(found), "", *detection_table(among)]))
    if chosen.json:
        totals = {program: {name: asdict(cost) for name, cost in cost_of.items()} for program, cost_of in found.items()}
        caught = {name: {kind.value: str(model.detection(kind)) for kind in Hazard} for name, model in among.items()}
        result = {"benchmark": "protection_cost", "sweep_at": chosen.sweep_at, "totals": totals, "caught": caught}
        chosen.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
