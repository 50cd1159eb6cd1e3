"""Allocators over capabilities, and the acceptor that judges what authority they hand out.

An address says where a block lies; a capability also says how far its holder may reach, what it may do there, and for
how long. `AuthorityAcceptor` stands between a client and an allocator, puts each request through, holds addresses
against `spec.acceptor` and capabilities against `spec.contract.CAPABILITY_RULES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from capability.architecture import Range
from capability.cheri.capability import Capability
from capability.cheri.isa import Isa
from capability.cheri.revocation import Revocation
from capability.fault import Fault
from capability.memory import TaggedMemory
from spec.acceptor import Acceptor
from spec.authority_contents import Before, Held
from spec.authority_judge import ON_GRANT, Grant, valid
from spec.contract import CAPABILITY_RULES, Rule
from spec.error import Bug, Finding, Misuse, Violation
from spec.event import FREEING, MISUSE_CAUGHT, RESIZING, Event
from spec.judge import hands_out
from spec.standard import contract
from spec.story import request, when


class CapabilityAllocator(Protocol):
    """An allocator whose clients hold capabilities.

    memory: what its blocks lie in, one tag a capability (`capability_granule` = `isa.format.capability_bytes`).
    The registers of its clients are swept with the memory's `Revocation`, as `capability.cheri.protection` does.
    metadata: where it keeps data of its own in that memory; empty when all of it is elsewhere.
    """

    @property
    def isa(self) -> Isa: ...
    @property
    def memory(self) -> TaggedMemory: ...
    @property
    def metadata(self) -> Sequence[Range]: ...

    def request(self, event: Event, presented: Capability | None) -> tuple[Event, Capability | None]:
        """The event with its reply, and the capability handed out.

        presented: the pointer that free, realloc or malloc_usable_size is handed, None for NULL; `event.address` is its
        address.  Raises Misuse or Fault, with nothing changed, for a pointer that it refuses.
        """


class AuthorityAcceptor:
    """An allocator with every reply of another one judged; it has the same protocol.

    standard: as `spec.standard.contract` takes it; `cheri` must be among the names.
    observes: the event flags that the allocator raises whenever they apply. rules: of capabilities, to be judged.
    limit: findings to keep; further ones are only counted.
    Raises: ValueError for a standard without `cheri`, or a memory that keeps tags for other granules.

    Pointers handed in are read as registers are after revocation. A pointer is taken for that of a live block by its
    address, whatever its bounds. One reply is one finding at most: of addresses before capabilities, else of the first
    rule in `CAPABILITY_RULES`.

    >>> from spec.authority_reference import ReferenceCapabilities
    >>> from spec.event import Function
    >>> client = AuthorityAcceptor(ReferenceCapabilities())
    >>> reply, block = client.request(Event(Function.MALLOC, size=5000))
    >>> block
    0x10000 [rwRW,0x10000-0x11390]
    >>> client.findings, client.tally["capability-covers-request"], "no-reuse-while-reachable" in client.not_observed
    ([], 1, True)
    """

    def __init__(
        self,
        allocator: CapabilityAllocator,
        standard: str = "c17,cheri",
        *,
        observes: int = 0,
        rules: Mapping[str, Rule] = CAPABILITY_RULES,
        limit: int = 1000,
    ) -> None:
        chosen = contract(standard)
        if "cheri" not in chosen.standards:
            raise ValueError(f"standard {standard!r} has no rules of capabilities: add cheri")
        granule = allocator.isa.format.capability_bytes
        if allocator.memory.capability_granule != granule:
            raise ValueError(
                f"capabilities of {allocator.isa} are {granule} bytes; the memory keeps a tag for each "
                f"{allocator.memory.capability_granule}"
            )
        self.allocator = allocator
        self.addresses = Acceptor(replace(chosen, widest=min(chosen.widest, granule)), observes=observes, limit=limit)
        self.limit = limit
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.rules = rules
        self._tally = dict.fromkeys(rules, 0)
        self.live: dict[int, Held] = {}
        self.stale: list[Capability] = []
        self._dropped: set[int] = set()

    @property
    def isa(self) -> Isa:
        """The instruction set of the allocator."""
        return self.allocator.isa

    @property
    def memory(self) -> TaggedMemory:
        """The memory of the allocator."""
        return self.allocator.memory

    @property
    def metadata(self) -> Sequence[Range]:
        """The allocator's own data."""
        return self.allocator.metadata

    @property
    def violations(self) -> list[Violation]:
        """What the allocator did wrong, of the findings kept."""
        return [finding for finding in self.findings if isinstance(finding, Violation)]

    @property
    def tally(self) -> dict[str, int]:
        """How often there was evidence of each rule in force, of addresses and of capabilities."""
        return {**self.addresses.tally, **self._tally}

    @property
    def not_observed(self) -> list[str]:
        """The rules in force for which there was no evidence."""
        return [name for name, number in self.tally.items() if not number]

    def current(self, capability: Capability) -> Capability:
        """The register that holds `capability`, as it is now: a sweep may have cleared its tag.  Cost: O(1)."""
        return self.memory.state(Revocation).current(capability)

    def request(self, event: Event, presented: Capability | None = None) -> tuple[Event, Capability | None]:
        """Put one request to the allocator, judge what came of it, and hand it on.

        Raises what the allocator raises for a pointer that it refuses; that is judged, too.
        Cost: that of the allocator; O(blocks) and the bytes of the block resized.
        """
        if presented is not None:
            presented = self.current(presented)
            event = event._replace(address=presented.address)
        old = self.live.get(event.address) if presented is not None else None
        before = Before.of(self.memory, event, presented, old)
        try:
            reply, result = self.allocator.request(event, presented)
        except (Misuse, Fault):
            self._refused(event, presented, old)
            raise
        if (result.address if result is not None else 0) != (reply.result if hands_out(reply) else 0):
            raise Bug(f"{request(reply)} returned {reply.result:#x} and the capability {result}")
        if old is not None and result is None and event.function in RESIZING and presented != old.capability:
            self._refused(event, presented, old)  # with a null pointer
            return reply, result
        self._served(reply, presented, result, old, before)
        return reply, result

    def check(self) -> None:
        """Raise Bug unless the records are consistent.  Cost: O(n)."""
        self.addresses.check()
        for address, held in self.live.items():
            if held.capability.address != address:
                raise Bug(f"{held.capability} is filed under {address:#x}")
        if self.live.keys() - self.addresses.heap.live.keys():
            raise Bug("a block is held that is not live")

    # What came of a call.

    def _refused(self, event: Event, presented: Capability | None, old: Held | None) -> None:
        """The allocator made nothing of a pointer: it may, unless it is the one that it handed out for a live block."""
        if old is None or presented == old.capability:
            if event.address not in self._dropped:
                self._addresses(event._replace(result=0, flags=event.flags | MISUSE_CAUGHT))
                if event.address not in self.addresses.heap.live:
                    self.live.pop(event.address, None)
            return
        self._judge(Grant(event, self.isa, self.memory, presented, None, old), quiet=False)

    def _served(
        self, reply: Event, presented: Capability | None, result: Capability | None, old: Held | None, before: Before
    ) -> None:
        quiet = self._addresses(reply)
        given_up = old is not None and (
            reply.function in FREEING or (reply.function in RESIZING and result is not None)
        )
        if presented is not None and reply.function in FREEING:
            self._dropped.discard(reply.address)
        if given_up:
            self.live.pop(reply.address, None)
        if result is None:
            if given_up and old is not None:
                self.stale.append(old.capability)
            return
        stays = old is not None and result.base == old.capability.base
        grant = self._grant(reply, presented, result, old, before, stays=stays)
        if given_up and old is not None and result != old.capability:
            self.stale.append(old.capability)
        self._judge(grant, quiet=quiet)
        for other in grant.overlapping:
            self.live.pop(other.address, None)
            self._dropped.add(other.address)
        self._forget(grant.gained)
        if result.address in self.addresses.heap.live:
            self.live[result.address] = Held(self.current(result), result.bounds, before.lost(result.length))

    def _grant(
        self,
        reply: Event,
        presented: Capability | None,
        result: Capability,
        old: Held | None,
        before: Before,
        *,
        stays: bool,
    ) -> Grant:
        result = self.current(result)
        bounds = result.bounds
        gained = Range(old.capability.top if stays and old is not None else result.base, result.top)
        # A block that stays where it is may still be reached by its own wider or narrower pointers.
        strangers = [stale for stale in self.stale if not (stays and stale.base == result.base)]
        return Grant(
            reply,
            self.isa,
            self.memory,
            presented,
            result,
            old,
            overlapping=tuple(held.capability for held in self.live.values() if _meet(held.bounds, bounds)),
            metadata=tuple(own for own in self.metadata if _meet(own, bounds)),
            gained=gained,
            reused=any(_meet(stale.bounds, gained) for stale in strangers),
            reachable=tuple(self._reachable(gained, strangers, result if stays else None)),
            left=self._left(gained, copied=0 if stays or old is None else old.capability.length),
            hidden=before.hidden,
        )

    def _reachable(
        self, gained: Range, strangers: list[Capability], same: Capability | None
    ) -> list[tuple[str, Capability]]:
        """Valid capabilities into `gained` that belong to no live block, in registers and in live blocks."""
        found = []
        for stale in strangers:
            if _meet(stale.bounds, gained) and valid(self.current(stale)):
                found.append(("a register", stale))
        for at in self._capabilities(Range(self.memory.base, self.memory.top)):
            held = self.memory.load_capability(at)
            if not isinstance(held, Capability) or not valid(held) or not _meet(held.bounds, gained):
                continue
            if same is not None and held.base == same.base:
                continue
            if any(_within(held.bounds, other.bounds) for other in self.live.values()):
                continue
            for holder in self.live.values():
                if holder.bounds.base <= at < holder.bounds.top:
                    found.append((f"the live block {holder.capability} at {at:#x}", held))
        return found

    def _left(self, gained: Range, copied: int) -> tuple[tuple[int, Capability], ...]:
        """Valid capabilities in `gained` behind the first `copied` bytes, by address."""
        found = []
        for at in self._capabilities(Range(gained.base + copied, gained.top)):
            held = self.memory.load_capability(at)
            if isinstance(held, Capability) and valid(held):
                found.append((at, held))
        return tuple(found)

    def _capabilities(self, bounds: Range) -> list[int]:
        """The addresses of tagged granules wholly inside `bounds`."""
        memory, granule = self.memory, self.memory.capability_granule
        base, top = max(bounds.base, memory.base), min(bounds.top, memory.top)
        found = memory.capability_addresses(base, top - base) if base < top else []
        return [at for at in found if base <= at and at + granule <= top]

    def _forget(self, gained: Range) -> None:
        """What was handed out again is stale no longer, once it is known whether anybody still reaches it."""
        self.stale = [stale for stale in self.stale if not _within(stale.bounds, gained)]

    # What was found.

    def _addresses(self, event: Event) -> bool:
        """Hold the addresses of a call against the contract; whether that is a finding."""
        found = self.addresses.step(event)
        for finding in found:
            self._keep(finding)
        if found:
            gone = self.live.keys() - self.addresses.heap.live.keys() - {event.address}
            self._dropped |= gone
            for address in gone:
                del self.live[address]
        return bool(found)

    def _judge(self, grant: Grant, *, quiet: bool) -> None:
        """Count the rules of which the reply is evidence; the first that broke is the finding, unless there is one."""
        for name, rule in self.rules.items():
            verdict = ON_GRANT[name](grant)
            if verdict is False:
                continue
            self._tally[name] += 1
            if verdict is True or quiet:
                continue
            quiet = True
            event, place = grant.event, when(self.addresses.number(grant.event), grant.event.thread)
            message = f"{request(event)} at {place} {verdict.what}. {rule.sentence} ({rule.source})"
            self._keep(Violation(rule, message, event, verdict.block))

    def _keep(self, finding: Finding) -> None:
        name = finding.rule.name if isinstance(finding, Violation) else finding.kind
        self.counts[name] += 1
        if len(self.findings) < self.limit:
            self.findings.append(finding)


def _meet(one: Range, other: Range) -> bool:
    """Whether they share a byte; an empty range shares none."""
    return max(one.base, other.base) < min(one.top, other.top)


def _within(one: Range, other: Range) -> bool:
    return other.base <= one.base and one.top <= other.top
