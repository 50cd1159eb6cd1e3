"""The promises of step 4: named attacks are caught or do no harm, on three machines."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from types import ModuleType

from capability.architecture import Architecture
from capability.cheri.protection import Cheri
from capability.flat import Flat
from capability.mte.protection import MTE
from exercises.course import cheri
from exercises.course.played import failing, steps, survived
from exercises.course.promise import BrokenPromise, Promise
from exercises.course.seam import SIZE, Holder

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
    holder = Holder(module, Flat())
    for _ in range(3):
        held = holder.must_have(SIZE // 4 * 3, "no other block is live")
        found = holder.memory.leading_zeros(held.pointer.address, held.size)
        if found < held.size:
            raise holder.broken(f"Byte {found} of {held.name} is 0x5e, which the last owner of its memory wrote there.")
        holder.memory.fill(held.pointer.address, held.size, 0x5E)
        holder.lines.append(f"fill {held.name} 0x5e")
        holder.free(held)
    all_fail(flat, STALE)(module)


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


PROMISES = (
    Promise(
        "wrong frees",
        "What is no live block is not freed, on any machine.",
        "Look the address up in `pointers` before anything else is changed; raise Misuse if nothing is there.",
        all_fail(flat, FREES),
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
        all_fail(flat, REUSE),
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
        all_fail(capabilities, BELIEVED),
    ),
    Promise(
        "neighbours",
        "With tags, an overflow into the next block is caught for certain.",
        "Never draw the tag that the memory before or behind has: site.draw(mask_of(0, site.before(), site.after())).",
        all_fail(tagged, NEIGHBOURS),
    ),
    Promise(
        "after free",
        "With tags, a stale pointer is caught for certain.",
        "Memory that is nobody's needs a tag that no pointer has: which one does `allocate` never give away? It needs "
        "it at once: retire at the free, and let the block wait after that.",
        all_fail(tagged, AFTER_FREE),
    ),
    Promise(
        "guess",
        "With tags, guessing one fails with probability 11/13 at least, and ODDS says how often exactly.",
        "Draw at random, among as many tags as the promises above leave: a tag that can be predicted protects nobody.",
        guesses,
    ),
    *cheri.PROMISES,
)
