"""The specification as an acceptor: it steps along a history and says which reply no allocator may give.

An allocator is free to choose addresses, so nothing is predicted: each reply is judged by the rules of the contract,
then taken as the truth. This is the readable form; `spec.history` runs a whole history faster and to the same end.
"""

from __future__ import annotations

import errno
from collections import Counter

from spec.contract import Rule
from spec.error import Bug, Finding, Misuse, Violation
from spec.event import (
    ACCESSING,
    ALLOCATING,
    FREEING,
    MISUSE_CAUGHT,
    NEVER_RETURNED,
    NOT_OBSERVED,
    RESIZING,
    Event,
    Function,
    returned,
)
from spec.heap import Block, Heap
from spec.judge import (
    ON_ACCESS,
    ON_RELEASE,
    ON_REPLY,
    SIZE_MAX,
    Broken,
    Call,
    Judge,
    extent,
    granted,
    hands_out,
    resizes_to_zero,
    undefined,
)
from spec.reuse import ReuseWindow
from spec.standard import Contract, ReallocZero, contract
from spec.story import death, inside, life, request, when

USER_ADDRESSES = (1, 2**56)
"""Where blocks may lie when no arena is known: user addresses of x86-64 and aarch64 with their largest page tables."""

ABOUT_STRAYS = frozenset({"misuse-caught"})
"""The rules that calls which give up no live block are evidence of."""
ABOUT_REQUESTS = frozenset({"call-returns"})
"""The rules that calls which give up nothing are evidence of when they begin."""


class Acceptor:
    """A heap, a contract, and what was found so far.

    standard: names as `spec.standard.contract` takes them, or a contract.
    promises: the rules of `spec.contract.PROMISES` that the allocator promises; a contract has its own.
    quarantine, quarantine_limit: what the trace header promises (bytes of usable size; no limit unless given).
    heap: where the history starts, for a forked child its parent's; the acceptor takes it over.
    arena: [low, high), where blocks may lie. page: bytes, the alignment of valloc.
    observes: the flags (ERRNO_CHANGED, MISUSE_CAUGHT, WHOLE_SCANNED) that whoever recorded the history looked for:
    only then is a flag that is not raised evidence that nothing happened. A raised flag always counts.
    limit: findings to keep; further ones are only counted.
    Raises: ValueError for an unknown standard or promise, or a negative quarantine.

    >>> acceptor = Acceptor("c17")
    >>> acceptor.step(Event(Function.MALLOC, size=24, result=0x1000))
    []
    >>> print(acceptor.step(Event(Function.MALLOC, size=24, result=0x1010))[0])
    result-disjoint: malloc(24) at event 2 returned 0x1010 with 24 bytes, 16 bytes into block #1 (24 bytes at 0x1000), \
live since event 1. A block shares no byte with any other live block. (ISO C17 7.22.3 p1)
    >>> acceptor.tally["result-disjoint"], "calloc-zeroes" in acceptor.not_observed
    (2, True)
    """

    def __init__(
        self,
        standard: str | Contract = "c17,glibc",
        *,
        promises: frozenset[str] = frozenset(),
        quarantine: int = 0,
        quarantine_limit: int = SIZE_MAX,
        heap: Heap | None = None,
        arena: tuple[int, int] | None = None,
        page: int = 4096,
        observes: int = 0,
        limit: int = 1000,
    ) -> None:
        if quarantine < 0:
            raise ValueError(f"quarantine is a number of frees, 0 or more, not {quarantine}")
        self.contract = standard if isinstance(standard, Contract) else contract(standard, frozenset(promises))
        self.heap = Heap() if heap is None else heap
        self.window = ReuseWindow(self.heap, quarantine, quarantine_limit)
        self.span = arena or USER_ADDRESSES
        self.page = page
        self.observes = observes
        self.limit = limit
        self.tally: dict[str, int] = dict.fromkeys(self.contract.rules, 0)
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.events = 0
        self.contested: set[int] = set()
        self._lost: dict[int, Block] = {}  # the contested blocks, by base
        self.survivors: set[int] = set()
        self._misused = 0
        self.under_way: dict[int, tuple[Block, bool]] = {}  # by begin: the block handed in, and whether it was given up
        rules = self.contract.rules.items()
        self._on_release = [(rule, ON_RELEASE[name]) for name, rule in rules if name in ON_RELEASE]
        self._on_stray = [(rule, judge) for rule, judge in self._on_release if rule.name in ABOUT_STRAYS]
        self._on_request = [(rule, judge) for rule, judge in self._on_release if rule.name in ABOUT_REQUESTS]
        self._on_reply = [(rule, ON_REPLY[name]) for name, rule in rules if name in ON_REPLY]
        self._on_access = [(rule, ON_ACCESS[name]) for name, rule in rules if name in ON_ACCESS]

    @property
    def violations(self) -> list[Violation]:
        """What the allocator did wrong, of the findings kept."""
        return [finding for finding in self.findings if isinstance(finding, Violation)]

    @property
    def misuses(self) -> list[Misuse]:
        """What the client did wrong, of the findings kept."""
        return [finding for finding in self.findings if isinstance(finding, Misuse)]

    @property
    def refused(self) -> int:
        """Violations in all, kept or only counted."""
        return sum(number for name, number in self.counts.items() if name in self.contract.rules)

    @property
    def not_observed(self) -> list[str]:
        """The rules in force for which the history held no evidence."""
        return [name for name, number in self.tally.items() if not number]

    def step(self, event: Event) -> list[Finding]:
        """Judge a call that overlaps no other, request and reply at once; what was found. It does not raise.

        Cost: O(log n) in live blocks.
        """
        return self.release(event) + self.acquire(event)

    def release(self, event: Event) -> list[Finding]:
        """Let the call begin: what it gives up is free for others from here on.

        A free gives up its block; a realloc that moves or frees gives up the old block, one that shrinks in place its
        tail, one that fails nothing. A call that never returned gives up what it was handed, and hands out nothing:
        it is evidence of `call-returns` alone.
        """
        self.events += 1
        function = event.function
        if function in FREEING or function in RESIZING:
            return self._give_up(event)
        if function in ACCESSING:
            return self._access(event)
        if function == Function.LABEL:
            return []
        block = None
        if function == Function.USABLE_SIZE and event.address:
            block = self.heap.live.get(event.address)
            if block is None:
                return [self._stray(event)]
            self.under_way[event.begin] = block, False
        return self._judge(self._on_request, Call(event, self.contract, block, observes=self.observes))

    def acquire(self, event: Event) -> list[Finding]:
        """Let the call return: its reply is judged, and what it hands out belongs to the client from here on."""
        function = event.function
        old, given_up = self.under_way.pop(event.begin, (None, False))
        if old is not None and given_up:
            self.heap.settle(old)
        if event.flags & NEVER_RETURNED:
            return []
        if function in ALLOCATING or function in RESIZING:
            return self._reply(event, old)
        if function == Function.USABLE_SIZE:
            return self._measure(event, old)
        return []

    def number(self, event: Event) -> int:
        """The number reports give an event: its begin, or its place in a history without such numbers."""
        return event.begin or self.events

    def keep(self, finding: Finding) -> Finding:
        """Count a finding, and keep it while there is room."""
        if isinstance(finding, Misuse):
            self.counts[finding.kind] += 1
        elif isinstance(finding, Violation):
            self.counts[finding.rule.name] += 1
        if len(self.findings) < self.limit:
            self.findings.append(finding)
        return finding

    def check(self) -> None:
        """Raise Bug unless the heap and the counts are consistent.  Cost: O(n)."""
        self.heap.check()
        if len(self.findings) != min(self.limit, self.counts.total()):
            raise Bug(f"{len(self.findings)} findings are kept of {self.counts.total()}")
        if any(self.heap.live.get(grave.block.base) is grave.block for grave in self.window.young.values()):
            raise Bug("a live block is in quarantine")

    # What calls give up.

    def _give_up(self, event: Event) -> list[Finding]:
        address = event.address
        block: Block | None = self.heap.live.get(address)
        if address and block is None:
            return self._give_up_stray(event)
        mismatch = _mismatch(event, block) if block is not None else ""
        if block is not None and mismatch:
            self.under_way[event.begin] = block, True
            self._remove(event, block, certain=not event.flags & MISUSE_CAUGHT)
            return [self._undefined(event, self._misuse("size-mismatch", event, mismatch, block))]
        if undefined(event, self.contract):
            self._misused = self._misused or self.number(event)
            found = []
        else:
            found = self._judge(self._on_release, Call(event, self.contract, block, observes=self.observes))
        if block is not None and event.function in RESIZING:
            self.under_way[event.begin] = block, self._resize(event, block)
        elif block is not None:
            self.under_way[event.begin] = block, True
            self._remove(event, block, certain=not event.flags & MISUSE_CAUGHT)
        return found

    def _give_up_stray(self, event: Event) -> list[Finding]:
        """A call gives up what is no live block."""
        grave = self.heap.graves.get(event.address)
        if event.address in self.contested or (grave is not None and not grave.certain):
            self._settle_contest(event.address)
            return []  # nobody can tell whether the block is live
        stray = self._undefined(event, self._stray(event))
        return [stray, *self._judge(self._on_stray, Call(event, self.contract, observes=self.observes))]

    def _undefined(self, event: Event, misuse: Misuse) -> Misuse:
        """Note that the client broke its side, unless the allocator noticed and did nothing."""
        if not event.flags & MISUSE_CAUGHT:
            self._misused = self._misused or self.number(event)
        return misuse

    def _resize(self, event: Event, block: Block) -> bool:
        """Give up what a realloc gives up when it begins; whether that is the whole block."""
        came_back, failed = returned(event), not event.result
        if resizes_to_zero(event):
            failed = failed and event.errno == errno.ENOMEM and not undefined(event, self.contract)
        if came_back and failed:
            self.survivors.add(block.id)
            return False
        if came_back and event.result == event.address:
            kept = min(block.extent, extent(event))
            self.heap.resize(block.base, size=min(block.size, granted(event)), usable=kept)
            return False
        frees = bool(event.result) or not came_back or self.contract.realloc_zero is ReallocZero.FREES
        self._remove(event, block, certain=frees)
        return True

    def _remove(self, event: Event, block: Block, *, certain: bool = True) -> None:
        certain = certain and block.base not in self.contested
        self._settle_contest(block.base)
        self.heap.remove(block.base, self.number(event), event.thread, certain=certain)
        self.window.bury(block)

    # What calls hand out.

    def _reply(self, event: Event, old: Block | None) -> list[Finding]:
        base, in_place = event.result, old is not None and event.result == old.base
        judges = [] if undefined(event, self.contract) else self._on_reply
        call = Call(
            event,
            self.contract,
            old,
            survivors=self.survivors,
            quarantine=self.window.length,
            span=self.span,
            page=self.page,
            observes=self.observes,
        )
        if not hands_out(event):
            return self._judge(judges, call)
        top = base + extent(event)
        here = self.heap.live.get(base)
        lost = in_place and old is not None and (here is None or here.id != old.id)
        if lost and base in self.contested:
            in_place = False
        elif lost:
            what = f"ended after {old} had been given up by another call"
            return [self._misuse("double-free", event, what, old)]
        overlapping = tuple(block for block in self.heap.overlapping(base, top) if not (in_place and block is here))
        young = self.window.too_young(base, top)
        passed = self.window.since(young) if young else 0
        call = call._replace(overlapping=overlapping, young=young, passed=passed)
        found = self._judge(judges, call)
        for block in overlapping:
            self._drop(block)
        if young:
            self.window.forget(base, top)
        self._insert(event, old if in_place else None)
        return found

    def _insert(self, event: Event, same: Block | None) -> None:
        """Take the reply as the truth; `same` is the block that an in-place realloc resized."""
        base, size, usable = event.result, granted(event), event.usable
        low, high = self.span
        if base < low or base + extent(event) > high:
            size, usable = 0, NOT_OBSERVED  # nothing that lies nowhere can be shared
            for block in self.heap.overlapping(base, base + 1):
                if same is None or block.id != same.id:
                    self._drop(block)
        if same is not None:
            self.heap.resize(base, size=size, usable=usable)
            self.survivors.discard(same.id)
        else:
            self.heap.insert(Block(base, size, usable, event.alignment, 0, event.thread, self.number(event)))

    def _drop(self, block: Block) -> None:
        """Forget a live block of which the allocator handed out some bytes again: one fault is one finding."""
        if block.base in self.heap.live:
            del self.heap.live[block.base]
            self.contested.add(block.base)
            self._lost[block.base] = block

    def _settle_contest(self, base: int) -> None:
        """Forget that the block at `base` was handed out twice: the client gave it up."""
        self.contested.discard(base)
        self._lost.pop(base, None)

    def _measure(self, event: Event, old: Block | None) -> list[Finding]:
        """Judge what malloc_usable_size said, and believe it."""
        if not event.address:
            return self._judge(self._on_reply, Call(event, self.contract))
        if old is None or self.heap.live.get(old.base) is not old:
            return []
        others = tuple(block for block in self.heap.overlapping(old.base, old.base + event.result) if block is not old)
        call = Call(event, self.contract, old, others, self.survivors, span=self.span)
        found = self._judge(self._on_reply, call)
        if not found and event.result != old.usable and not self.window.too_young(old.base, old.base + event.result):
            self.heap.resize(old.base, size=old.size, usable=event.result)
        return found

    # What the client did wrong.

    def _access(self, event: Event) -> list[Finding]:
        block = self.heap.lookup(event.address)
        if block is None:
            if any(lost.base <= event.address < lost.top for lost in self._lost.values()):
                return []  # nobody can tell whether the block is live
            return [self._stray(event)]
        over = event.address + event.size - block.base - max(block.size, block.usable)
        if over > 0:
            return [self._misuse("out-of-bounds", event, f"ends {over} bytes behind {block}, {life(block)}", block)]
        return self._judge(self._on_access, Call(event, self.contract, block, observes=self.observes))

    def _stray(self, event: Event) -> Misuse:
        """The story of an address that is not what the call needs it to be."""
        address = event.address
        gives_up = event.function in FREEING or event.function in RESIZING
        block = self.heap.lookup(address)
        if block is not None:
            kind = "interior-free" if gives_up else "out-of-bounds"
            return self._misuse(kind, event, f"names {inside(address, block)}, {life(block)}", block)
        full = len(self.findings) >= self.limit
        grave = self.heap.graves.get(address) if full else self.heap.grave(address)
        if grave is None:
            kind = "invalid-free" if gives_up else "out-of-bounds"
            return self._misuse(kind, event, "names no address inside any block", None)
        kind = "use-after-free"
        if gives_up:
            kind = "double-free" if address == grave.block.base else "invalid-free"
        return self._misuse(kind, event, f"names {inside(address, grave.block)}, {death(grave)}", grave.block)

    def _misuse(self, kind: str, event: Event, what: str, block: Block | None) -> Misuse:
        message = f"{request(event)} at {when(self.number(event), event.thread)} {what}"
        misuse = Misuse(kind, message, event, block)
        self.keep(misuse)
        return misuse

    def _judge(self, judges: list[tuple[Rule, Judge]], call: Call) -> list[Finding]:
        """Count the rules of which the call is evidence; the first that broke is the finding."""
        broken: tuple[Rule, Broken] | None = None
        for rule, judge in judges:
            verdict = judge(call)
            if verdict is not False:
                self.tally[rule.name] += 1
                if verdict is not True and broken is None:
                    broken = rule, verdict
        if broken is None:
            return []
        rule, (what, block) = broken
        event = call.event
        where = when(self.number(event), event.thread)
        message = f"{request(event)} at {where} {what}. {rule.sentence} ({self.contract.clause(rule)})"
        if self._misused:
            message += f"; the client broke its side at event {self._misused}"
        return [self.keep(Violation(rule, message, event, block, self._misused))]


def _mismatch(event: Event, block: Block) -> str:
    """What a sized free says wrongly about its block; empty when it is right or says nothing."""
    function = event.function
    if function == Function.DELETE and not event.size:
        return ""
    if function in (Function.FREE_SIZED, Function.FREE_ALIGNED_SIZED, Function.DELETE) and event.size != block.size:
        return f"names {event.size} bytes for {block}, {life(block)}"
    if function in (Function.FREE_SIZED, Function.FREE_ALIGNED_SIZED) and event.alignment != block.alignment:
        return f"names an alignment of {event.alignment or 'none'} for {block} of {block.alignment or 'none'}"
    return ""
