"""The promises of step 4: named attacks are caught or do no harm, on three machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from types import ModuleType
from typing import cast

from capability.architecture import Architecture
from capability.cheri.capability import Capability
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import clear_perms
from capability.cheri.protection import Cheri
from capability.fault import Fault
from capability.flat import Flat
from capability.memory import TaggedMemory
from capability.mte.draw import TagSource
from capability.mte.protection import MTE, MtePointer
from capability.perms import DATA, Perms
from exercises.course import cheri
from exercises.course.played import failing, steps, survived
from exercises.course.promise import BrokenPromise, Promise
from exercises.course.seam import BASE, SIZE, Holder
from spec.error import Misuse

FREES = (
    "double-free",
    "double-free-with-one-between",
    "double-free-large",
    "double-free-by-realloc",
    "realloc-after-free",
    "wild-free",
    "interior-free",
    "free-of-stack",
)
STALE = ("uninitialised-read", "stale-pointer-in-fresh-block", "stale-data-after-shrink", "realloc-tail")
REUSE = (
    "use-after-reuse-read",
    "use-after-reuse-write",
    "dangling-stored-pointer",
    "use-after-realloc",
    "double-free-after-reuse",
    "realloc-after-reuse",
)
BOUNDS = (
    "linear-overflow",
    "off-by-one",
    "distant-overflow",
    "forged-pointer",
    "unrepresentable-overlap",
    "execute-heap",
)
BELIEVED = ("forged-free", "untagged-free", "untagged-realloc", "narrowed-free")
NEIGHBOURS = ("linear-overflow", "linear-underflow", "off-by-one")
AFTER_FREE = ("use-after-free-read", "use-after-free-write", "use-after-reuse-write", "double-free-after-reuse")
GUESSES = {
    "tag-guess": Fraction(11, 13),
    "distant-overflow": Fraction(11, 13),
    "tag-brute-force-restarting": Fraction(11, 13) ** 10,
}


def flat(module: ModuleType) -> Architecture:
    """No protection at all."""
    return Flat()


def capabilities(module: ModuleType) -> Architecture:
    """CHERI, with a sweep at each free."""
    return Cheri()


def tagged(module: ModuleType) -> Architecture:
    """MTE with the student's tags."""
    return MTE(module.Tags())


def all_fail(on: Callable[[ModuleType], Architecture], attacks: tuple[str, ...]) -> Callable[[ModuleType], None]:
    """The test that each of these attacks fails for certain."""

    def test(module: ModuleType) -> None:
        for attack in attacks:
            survived(module, attack, on(module))

    return test


def clean(module: ModuleType) -> None:
    """A block is zero when it is handed out, also when its memory was somebody's, and the attacks find nothing."""
    for architecture, whole, size, times in (
        (Flat(), SIZE, SIZE // 2, 5),
        (Flat(), 1 << 12, 64, 80),
        (Cheri(), 1 << 12, 40, 80),
    ):
        holder = Holder(module, architecture, whole)
        for _ in range(times):
            held = holder.must_have(size, "no other block is live", _EMPTIED)
            base, usable = held.pointer.base, held.pointer.top - held.pointer.base
            found = holder.memory.leading_zeros(base, usable)
            if found < usable:
                byte = holder.memory.load(base + found, 1)[0]
                last = ", which the last owner of its memory wrote there" if byte == 0x5E else ", not 0"
                padding = f"; {size} bytes were asked for, but the pointer reaches it" if found >= size else ""
                raise holder.broken(f"Byte {found} of {held.name} is {byte:#x}{last}{padding}.")
            holder.memory.fill(base, usable, 0x5E)
            holder.lines.append(f"fill {held.name} 0x5e")
            holder.free(held)
    all_fail(flat, STALE)(module)


def wrong_frees(module: ModuleType) -> None:
    """The attacks that free what is no live block; the null pointer is no block, and nothing to refuse."""
    all_fail(flat, FREES)(module)
    holder = Holder(module, Flat())
    holder.called("free None", lambda: holder.heap.free(None))


def put_off(module: ModuleType) -> None:
    """While there is room, the block freed last is never the next one, however many have been freed before."""
    all_fail(flat, REUSE)(module)
    holder = Holder(module, Flat())
    last = 0
    for _ in range(24):
        held = holder.must_have(64, "most of the heap is free")
        if held.pointer.address == last:
            raise holder.broken(f"{held.name} has the memory that was freed a moment ago, though most of it is free.")
        last = held.pointer.address
        holder.free(held)


def believed(module: ModuleType) -> None:
    """A free with a pointer that was not handed out is refused, and changes nothing; examine alone is asked, too."""
    for attack in BELIEVED:
        survived(module, attack, capabilities(module))
    isa = Cheri().isa
    holder = Holder(module, Cheri())
    held = holder.must_have(64, "nothing is allocated")
    holder.memory.fill(held.pointer.address, 64, 0x5E)
    issued = cast(Capability, held.pointer)
    for what, forged in (
        ("an untagged copy of the pointer to a", issued.clear_tag()),
        ("the pointer to a, narrowed to 16 bytes", set_bounds(issued, 16, isa)),
        ("the pointer to a, without the right to store", clear_perms(issued, Perms.PERMIT_STORE, isa)),
    ):
        holder.lines.append(f"free {forged}")
        try:
            holder.heap.free(forged)
        except (Misuse, Fault):
            if holder.memory.leading_zeros(held.pointer.address, 1):
                raise holder.broken(f"free was given {what}, and refused it, but a had been cleared by then.") from None
            continue
        raise holder.broken(f"free was given {what}, and took the block back: does it call examine?")
    try:
        holder.heap.free(issued)
    except (Misuse, Fault) as error:
        holder.lines.append("free a")
        raise BrokenPromise(
            f"free was given wrong pointers to a, and refused them; it then refused the right one, too: {error}.",
            holder.history(),
            "Look the block up with .get, and take it out of `pointers` only when examine has let the pointer pass.",
        ) from error


def told_apart(module: ModuleType) -> None:
    """Overflows into neighbours are caught for certain, also those of a block in a hole between two others."""
    all_fail(tagged, NEIGHBOURS)(module)
    for _, (left, block, right) in holes(module):
        if block.tag in (left.tag, right.tag):
            raise BrokenPromise(
                f"Three blocks side by side; the middle one is freed, and its place handed out again, with the tag "
                f"{block.tag}, which a neighbour has: {left}, {block}, {right}."
            )


def after_free(module: ModuleType) -> None:
    """A pointer to freed memory is caught for certain, whatever the tags of the neighbours are."""
    all_fail(tagged, AFTER_FREE)(module)
    for memory, (_, block, _) in holes(module):
        MTE(module.Tags()).retire(memory, block)
        if memory.allocation_tag(block.address) == block.tag:
            raise BrokenPromise(
                f"A block has the tag {block.tag}, and its memory has the same after the free: {block}."
            )


def holes(module: ModuleType) -> Iterator[tuple[TaggedMemory, list[MtePointer]]]:
    """Three blocks side by side, the middle one allocated last, in a place that was used before; many draws of tags."""
    for seed in range(64):
        mte, memory = MTE(module.Tags()), TaggedMemory(BASE, SIZE)
        memory.state(TagSource).seed = seed
        blocks = [mte.derive(memory, BASE + 64 * place, 64, DATA) for place in range(4)]
        mte.retire(memory, blocks[1])
        blocks[1] = mte.derive(memory, BASE + 64, 64, DATA)
        yield memory, blocks[:3]


def guesses(module: ModuleType) -> None:
    """Guessing fails as often as 15 tags allow, less two neighbours, and the student knows how often."""
    for attack, least in GUESSES.items():
        if attack not in module.ODDS:
            raise BrokenPromise(f"ODDS says nothing of {attack}.")
        verdict = survived(module, attack, tagged(module), least)
        found, expected = failing(verdict), module.ODDS[attack]
        if found != expected:
            much = "more" if found > expected else "less"
            raise BrokenPromise(
                f"You expect {attack} to fail with probability {expected}; it is {much}: about {float(found):.3f}.",
                steps(attack),
                "How many tags can be drawn at each step, and how many of them are the attacker's? A guess that may be "
                "repeated ten times fails only if all ten fail.",
            )


_EMPTIED = "Blocks may wait, but not when memory is out: then the quarantine is emptied, and malloc tries once more."

PROMISES = (
    Promise(
        "wrong frees",
        "What is no live block is not freed, on any machine.",
        "Look the address up in `pointers` before anything else is changed; raise Misuse if nothing is there.",
        wrong_frees,
    ),
    Promise(
        "stale contents",
        "No block shows what its memory held before.",
        "self.memory.fill(base, length, 0): at free it also shortens the life of secrets, at malloc it costs the same. "
        "Clear all of the block, not only what was asked for.",
        clean,
    ),
    Promise(
        "reuse",
        "Without help from hardware, a stale pointer meets no new owner soon.",
        "A quarantine: put what may be reused at the end of a queue, and hand on to `space` only what has waited for "
        "some frees. Empty it when memory runs out.",
        put_off,
    ),
    Promise(
        "bounds",
        "On CHERI no access leaves its block.",
        "This is step 3's work: has a change of this step undone it?",
        all_fail(capabilities, BOUNDS),
    ),
    Promise(
        "believed",
        "On CHERI only the pointer that was handed out gives a block up.",
        "In examine: self.architecture.check(memory, given, given.address, 1, Access.LOAD) raises for what is no valid "
        "capability; then compare `given` with `issued`, for a narrower one is valid, too. Let free call it.",
        believed,
    ),
    Promise(
        "neighbours",
        "With tags, an overflow into the next block is caught for certain.",
        "Never draw the tag that the memory before or behind has: site.draw(mask_of(0, site.before(), site.after())).",
        told_apart,
    ),
    Promise(
        "after free",
        "With tags, a stale pointer is caught for certain.",
        "Memory that is nobody's needs a tag that no pointer has: which one does `allocate` never give away? It needs "
        "it at once: retire at the free, and let the block wait after that.",
        after_free,
    ),
    Promise(
        "guess",
        "With tags, guessing one fails with probability 11/13 at least, and ODDS says how often exactly.",
        "Draw at random, among as many tags as the promises above leave: a tag that can be predicted protects nobody.",
        guesses,
    ),
    *cheri.PROMISES,
)
