"""Checking an allocator over capabilities: the published attacks and a client's ordinary life, every reply judged.

The attacks are those of "Picking a CHERI Allocator" (ISMM 2023): overlap, narrowwiden, escperms, escinauthentic and
undef. Where the paper's programs stop too early to see a fault, these go on: its overlap tries lengths up to 20,473.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from capability.architecture import Access
from capability.cheri.access import check_access
from capability.cheri.capability import Capability
from capability.cheri.isa import Isa
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import limit_rights
from capability.cheri.transfer import store_capability
from capability.fault import Fault
from capability.perms import Perms
from spec.authority import AuthorityAcceptor, CapabilityAllocator
from spec.contract import CAPABILITY_RULES, Rule
from spec.error import Misuse, Violation
from spec.event import Event, Function

FUNCTIONS = frozenset(
    {
        Function.MALLOC,
        Function.CALLOC,
        Function.ALIGNED_ALLOC,
        Function.POSIX_MEMALIGN,
        Function.REALLOC,
        Function.FREE,
    }
)
"""What the client calls, unless it is told to call less."""
ARENA = 1 << 21
"""Bytes that an allocator must be able to hand out for every scenario to run to its end."""
READ_ONLY = Perms.GLOBAL | Perms.PERMIT_LOAD | Perms.PERMIT_LOAD_CAP


class Client:
    """Calls an allocator through an acceptor, and uses what it gets as a program would.

    What the allocator or the hardware refuses is not done. rng: what it fills its blocks with, and does next.
    """

    def __init__(self, acceptor: AuthorityAcceptor, functions: Collection[Function], rng: random.Random) -> None:
        self.acceptor = acceptor
        self.functions = functions
        self.rng = rng
        self.calls = 0

    @property
    def isa(self) -> Isa:
        """Whose capabilities they are."""
        return self.acceptor.isa

    def call(self, event: Event, presented: Capability | None = None) -> Capability | None:
        """The capability that a call hands out; None for none, and where the function is not to be called."""
        if event.function not in self.functions:
            return None
        self.calls += 1
        try:
            return self.acceptor.request(event, presented)[1]
        except (Misuse, Fault):
            return None

    def malloc(self, size: int) -> Capability | None:
        """A block of `size` bytes."""
        return self.call(Event(Function.MALLOC, size=size))

    def realloc(self, block: Capability, size: int) -> Capability | None:
        """The block resized to `size` bytes, at least 1."""
        return self.call(Event(Function.REALLOC, address=block.address, size=size), block)

    def free(self, block: Capability | None) -> None:
        """Give the block up."""
        if block is not None:
            self.call(Event(Function.FREE, address=block.address), block)

    def fill(self, block: Capability | None) -> None:
        """Fill the first bytes of a block, a page of them at most, with what is found in no other block."""
        if block is None:
            return
        memory, size = self.acceptor.memory, min(block.length, 4096)
        data = self.rng.randbytes(size)
        with suppress(Fault):
            check_access(self.acceptor.current(block), block.base, size, Access.STORE, self.isa)
            memory.store(block.base, data)

    def keep(self, holder: Capability | None, offset: int, held: Capability | None) -> None:
        """Store a capability in a block, at the first granule from `offset` on."""
        if holder is None or held is None:
            return
        granule = self.isa.format.capability_bytes
        address = holder.base + -(-offset // granule) * granule
        with suppress(Fault):
            store_capability(self.acceptor.memory, holder, address, held, self.isa)


def overlap(client: Client) -> None:
    """Blocks of every length around a step of the format, a small one behind each: do two bounds overlap?"""
    blocks = []
    for power in range(4, 18):
        for more in (0, 1, -1, 17):
            size = (1 << power) + more
            blocks += [client.malloc(size), client.malloc(16)]
    for block in blocks:
        client.free(block)


def narrowwiden(client: Client) -> None:
    """realloc to one byte and back: do the bytes or the capabilities behind it come back?"""
    for size in (256, 2048):
        block, secret = client.malloc(size), client.malloc(64)
        client.fill(block)
        client.keep(block, size // 2, secret)
        small = None if block is None else client.realloc(block, 1)
        large = None if small is None else client.realloc(small, size)
        client.free(large or small or block)
        client.free(secret)


def escperms(client: Client) -> None:
    """Give realloc a pointer that may do less: may the result do more?"""
    for narrows, drops in ((True, True), (False, True), (True, False)):
        for size in (64, 256):
            block = client.malloc(256)
            client.fill(block)
            if block is None:
                continue
            weaker = set_bounds(block, 32, client.isa) if narrows else block
            weaker = limit_rights(weaker, READ_ONLY, client.isa) if drops else weaker
            result = client.realloc(weaker, size)
            client.free(block if result is None else result)


def escinauthentic(client: Client) -> None:
    """Give realloc a pointer without its tag: does one with a tag come back?"""
    for size in (16, 32, 64, 1024):
        block = client.malloc(32)
        client.fill(block)
        if block is not None:
            result = client.realloc(block.clear_tag(), size)
            client.free(block if result is None else result)


def undef(client: Client) -> None:
    """Free a block that holds capabilities: does the next owner find them?"""
    for size in (256, 48):
        block, secret = client.malloc(size), client.malloc(64)
        client.fill(block)
        for offset in range(0, size, 16):
            client.keep(block, offset, secret)
        if block is not None and size > 64:
            block = client.realloc(block, 1) or block
        client.free(block)
        blocks = [client.malloc(size) for _ in range(8)]
        for each in (secret, *blocks):
            client.free(each)


def stale(client: Client) -> None:
    """Keep pointers to a freed block, in memory and in a register: are they still valid when it is reused?"""
    for size in (32, 640):
        holder, block = client.malloc(64), client.malloc(size)
        client.keep(holder, 0, block)
        client.keep(holder, 32, None if block is None else set_bounds(block, 16, client.isa))
        client.free(block)
        blocks = [client.malloc(size) for _ in range(32)]
        for each in (holder, *blocks):
            client.free(each)


def requests(client: Client) -> None:
    """Every function that hands out a block, at sizes and alignments around the steps of the formats."""
    blocks = []
    for size in (0, 1, 15, 16, 17, 100, 511, 513, 4097, 20481):
        blocks.append(client.malloc(size))
        blocks.append(client.call(Event(Function.CALLOC, size=size, count=3)))
        for alignment in (8, 16, 64, 4096):
            blocks.append(client.call(Event(Function.ALIGNED_ALLOC, size=size, alignment=alignment)))
            blocks.append(client.call(Event(Function.POSIX_MEMALIGN, size=size, alignment=alignment)))
    blocks.append(client.call(Event(Function.CALLOC, size=1 << 62, count=8)))
    blocks.append(client.call(Event(Function.ALIGNED_ALLOC, size=64, alignment=24)))
    client.call(Event(Function.FREE))
    for block in blocks:
        client.free(block)


def life(client: Client) -> None:
    """Blocks of all sizes come, go and change, and hold pointers to each other."""
    rng, blocks = client.rng, list[Capability]()
    for _ in range(200):
        size = rng.choice((1, 16, 24, 32, 48, 64, 200, 256, 1000, 4097, 9000)) + rng.randrange(3)
        kind = rng.random()
        if kind < 0.4 or len(blocks) < 4:
            block = client.malloc(size)
            if block is not None:
                client.fill(block)
                blocks.append(block)
            continue
        block = blocks.pop(rng.randrange(len(blocks)))
        if kind < 0.6:
            client.free(block)
        elif kind < 0.85:
            blocks.append(client.realloc(block, size) or block)
        else:
            client.keep(block, rng.randrange(64), rng.choice(blocks))
            blocks.append(block)
    for block in blocks:
        client.free(block)


SCENARIOS: Mapping[str, Callable[[Client], None]] = MappingProxyType(
    {each.__name__: each for each in (overlap, narrowwiden, escperms, escinauthentic, undef, stale, requests, life)}
)
"""What a client does with a fresh allocator, by name; the first five are published attacks."""


@dataclass(frozen=True, slots=True)
class AuthorityReport:
    """What came of checking one allocator.

    violations: each with the name of its scenario, in order. tally: how often there was evidence of each rule in
    force. calls: requests in all.
    """

    violations: tuple[tuple[str, Violation], ...]
    tally: Mapping[str, int]
    calls: int

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.violations

    @property
    def not_observed(self) -> list[str]:
        """The rules in force for which there was no evidence."""
        return [name for name, number in self.tally.items() if not number]


def check_authority(
    make: Callable[[], CapabilityAllocator],
    *,
    standard: str = "c17,cheri",
    seed: int = 0,
    functions: Collection[Function] = FUNCTIONS,
    scenarios: Collection[str] = tuple(SCENARIOS),
    rules: Mapping[str, Rule] = CAPABILITY_RULES,
) -> AuthorityReport:
    """Let clients of a fresh allocator each do what `scenarios` say, and judge every reply.

    make: a fresh allocator with room for ARENA bytes; one that has less serves fewer requests. standard: with `cheri`
    in it. seed: of what the clients do at random; the same seed does the same.
    Raises: KeyError for an unknown scenario, ValueError as AuthorityAcceptor.  Cost: some tenths of a second.

    >>> from capability.cheri.isa import MORELLO
    >>> from spec.authority_reference import ReferenceCapabilities
    >>> report = check_authority(lambda: ReferenceCapabilities(MORELLO))
    >>> report.ok, report.tally["untagged-refused"], report.tally["realloc-does-not-amplify"] > 6
    (True, 4, True)
    """
    violations: list[tuple[str, Violation]] = []
    tally: Counter[str] = Counter()
    calls = 0
    for name in scenarios:
        acceptor = AuthorityAcceptor(make(), standard, rules=rules)
        client = Client(acceptor, functions, random.Random(f"{seed} {name}"))
        SCENARIOS[name](client)
        violations += [(name, violation) for violation in acceptor.violations]
        tally.update(acceptor.tally)
        calls += client.calls
    return AuthorityReport(tuple(violations), dict(tally), calls)
