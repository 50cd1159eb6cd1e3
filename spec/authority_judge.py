"""How each rule of capabilities is judged on one reply: one function a rule, as `spec.judge` has them for addresses."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from capability.architecture import Range
from capability.cheri.capability import Capability
from capability.cheri.format import Format
from capability.cheri.isa import Isa
from capability.cheri.narrow import representable_length
from capability.memory import TaggedMemory
from capability.perms import DATA, Perms
from spec.authority_contents import Contents, Held
from spec.event import RESIZING, Event
from spec.judge import Broken, granted

NEEDED = Perms.PERMIT_LOAD | Perms.PERMIT_STORE | Perms.PERMIT_LOAD_CAP | Perms.PERMIT_STORE_CAP
"""What the client of a fresh block may do with it."""


class Grant(NamedTuple):
    """One reply, and what a judge may look at.

    event: with its reply. presented: the pointer handed in, as its register is now, None where there was none.
    result: what was handed out; None for null, or where the call was refused.
    old: the live block that `presented` points to, as it was before the call.
    overlapping, metadata: other live blocks, and the allocator's own data, within the bounds handed out.
    gained: the bytes within the bounds that the same block did not have before; reused: some of them were another's.
    reachable: valid capabilities to other blocks that reach them, with where each is.
    left: valid capabilities that they hold, by address. hidden: the contents of `old` that `presented` did not reach.
    """

    event: Event
    isa: Isa
    memory: TaggedMemory
    presented: Capability | None = None
    result: Capability | None = None
    old: Held | None = None
    overlapping: tuple[Capability, ...] = ()
    metadata: tuple[Range, ...] = ()
    gained: Range = Range(0, 0)
    reused: bool = False
    reachable: tuple[tuple[str, Capability], ...] = ()
    left: tuple[tuple[int, Capability], ...] = ()
    hidden: Contents | None = None

    @property
    def resizes(self) -> bool:
        """Whether the call is a realloc of a live block."""
        return self.event.function in RESIZING and self.old is not None and self.presented is not None


Judge = Callable[[Grant], "bool | Broken"]
ON_GRANT: dict[str, Judge] = {}
"""The judges of capabilities, by rule."""


def _judges(rule: str) -> Callable[[Judge], Judge]:
    def register(judge: Judge) -> Judge:
        ON_GRANT[rule] = judge
        return judge

    return register


def valid(capability: Capability) -> bool:
    """Whether it gives access to anything: tagged, and not sealed."""
    return capability.tag and not capability.sealed


@cache
def _data(format: Format) -> int:
    """The permissions that allow nothing beyond DATA, as the format has them."""
    return format.permissions.within(DATA)


def _names(capability: Capability, perms: int) -> str:
    """The names of permissions, as the format has them."""
    return ", ".join(str(perm.name) for perm in capability.format.permissions.kind(perms))


@_judges("untagged-refused")
def untagged_refused(grant: Grant) -> bool | Broken:
    if not grant.resizes or grant.presented is None or valid(grant.presented):
        return False
    if grant.result is not None and grant.result.tag:
        return Broken(f"handed out {grant.result} for {grant.presented}")
    return True


@_judges("realloc-does-not-amplify")
def realloc_does_not_amplify(grant: Grant) -> bool | Broken:
    presented, result = grant.presented, grant.result
    if not grant.resizes or presented is None or not valid(presented):
        return False
    if result is None or not result.tag:
        return True
    more = result.perms & ~presented.perms
    if more:
        return Broken(f"handed out {result} for {presented}, which lacks {_names(result, more)}")
    shown = None if grant.hidden is None else grant.hidden.shown(grant.memory, result.base, result.top)
    if shown is not None:
        return Broken(f"handed out {result}, whose byte {shown} is the old block's, for {presented}")
    return True


@_judges("capability-covers-request")
def capability_covers_request(grant: Grant) -> bool | Broken:
    result, size = grant.result, granted(grant.event)
    if result is None:
        return False
    granule = grant.isa.format.capability_bytes
    faults = (
        (not result.tag, "has no tag"),
        (result.sealed, "is sealed"),
        (result.address != result.base, f"points {result.address - result.base} bytes behind its base"),
        (not result.covers(result.address, size), f"does not cover the {size} bytes requested"),
        (size >= granule and result.address % granule != 0, f"is not aligned to {granule} for a capability"),
        (grant.presented is None and NEEDED not in result.rights, "may not load and store data and capabilities"),
    )
    for applies, what in faults:
        if applies:
            return Broken(f"handed out {result}, which {what}")
    return True


@_judges("permissions-stripped")
def permissions_stripped(grant: Grant) -> bool | Broken:
    result = grant.result
    if result is None or not result.tag:
        return False
    more = result.perms & ~_data(result.format)
    return Broken(f"handed out {result} with {_names(result, more)}") if more else True


@_judges("capability-disjoint")
def capability_disjoint(grant: Grant) -> bool | Broken:
    result = grant.result
    if result is None or not result.tag:
        return False
    for other in grant.overlapping:
        return Broken(f"handed out {result}, whose bounds overlap those of a live block, {other}")
    for metadata in grant.metadata:
        return Broken(f"handed out {result}, whose bounds reach the allocator's metadata at {metadata}")
    return True


@_judges("capability-representable-padding")
def capability_representable_padding(grant: Grant) -> bool | Broken:
    """There is evidence where the allocator says how many bytes are usable."""
    result, event = grant.result, grant.event
    if result is None or not result.tag or event.usable < 0:
        return False
    size = max(event.usable, granted(event))
    fits = representable_length(size, grant.isa) if size >> grant.isa.format.address_bits == 0 else 0
    if fits and result.length > max(fits, size):
        return Broken(f"handed out {result}, {result.length} bytes long, though {fits} cover the {size} usable ones")
    return True


@_judges("no-reuse-while-reachable")
def no_reuse_while_reachable(grant: Grant) -> bool | Broken:
    """There is evidence where bytes are handed out that were another block's."""
    result = grant.result
    if result is None or not result.tag or not grant.reused:
        return False
    for where, capability in grant.reachable:
        return Broken(f"handed out {result}, while {capability} in {where} is still valid")
    return True


@_judges("tags-cleared-on-free")
def tags_cleared_on_free(grant: Grant) -> bool | Broken:
    """There is evidence where bytes are handed out that were another block's."""
    result = grant.result
    if result is None or not result.tag or not grant.reused:
        return False
    for address, capability in grant.left:
        return Broken(f"handed out {result}, which holds {capability} at {address:#x}")
    return True


@_judges("realloc-does-not-resurrect")
def realloc_does_not_resurrect(grant: Grant) -> bool | Broken:
    """There is evidence where a block grows that had shrunk before."""
    result, old = grant.result, grant.old
    if not grant.resizes or result is None or old is None or old.lost is None or not result.tag:
        return False
    if result.top - result.base <= old.lost.offset:
        return False
    shown = old.lost.shown(grant.memory, result.base, result.top)
    if shown is not None:
        return Broken(f"handed out {result}, whose byte {shown} is what an earlier realloc had cut off")
    return True
