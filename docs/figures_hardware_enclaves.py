"""Figures of the chapter on enclaves: the life of an EPC page, explored in the model; one page's way in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from capability.fault import Fault
from capability.sgx.accept import eaccept
from capability.sgx.access import Translation
from capability.sgx.augment import eaug, emodpr, emodt
from capability.sgx.boundary import Position, position
from capability.sgx.build import eadd, ecreate, einit, eremove
from capability.sgx.machine import Machine, Outcome
from capability.sgx.page import RW, PageType, Rights, SecInfo
from capability.sgx.paging import Evicted, eblock, eldu, epa, ewb
from capability.sgx.picture import state
from capability.sgx.thread import eenter, eexit
from capability.sgx.track import etrack
from docs.figures import figure
from docs.figures_hardware_draw import WIDTH, arrow, box, caption, cell, code, line, words
from m4alloc.view.svg import Child, Element, picture

SECS, TCS, PAGE_FRAME, VA = 0, 1, 2, 3
HEAP = 0x11000
TABLE = {HEAP: Translation(PAGE_FRAME)}
_PENDING = SecInfo(PageType.REG, RW, pending=True)
_TRIM = SecInfo(PageType.TRIM, modified=True)

Situation = tuple[Machine, Evicted | None]
"""The machine, and the page that the host holds outside the EPC, if it has taken it out."""


def started() -> Machine:
    """An initialised enclave with a thread in it, a version array, and no heap page yet."""
    machine = ecreate(Machine(frames=4), SECS, 0x10000, 0x2000).done()
    machine = eadd(machine, TCS, SECS, 0x10000, SecInfo(PageType.TCS)).done()
    machine = einit(machine, SECS, machine.secs("", SECS).measurement.hex()).done()
    return eenter(epa(machine, VA).done(), 0, TCS).done()


def _leaves(machine: Machine) -> dict[str, Callable[[], Outcome]]:
    """Every leaf that host or enclave may try on the one heap page, but for paging it out and in."""
    return {
        "EAUG": lambda: eaug(machine, PAGE_FRAME, SECS, HEAP),
        "EACCEPT": lambda: eaccept(machine, 0, TABLE, HEAP, _expected(machine)),
        "EMODPR": lambda: emodpr(machine, PAGE_FRAME, Rights.R),
        "EMODT": lambda: emodt(machine, PAGE_FRAME, PageType.TRIM),
        "EBLOCK": lambda: eblock(machine, PAGE_FRAME),
        "EREMOVE": lambda: eremove(machine, PAGE_FRAME),
        "ETRACK": lambda: etrack(machine, SECS),
        "EEXIT": lambda: eexit(machine, 0),
        "EENTER": lambda: eenter(machine, 0, TCS),
    }


def _expected(machine: Machine) -> SecInfo:
    """What the enclave expects of the page: just what the host has done."""
    entry = machine.epcm.get(PAGE_FRAME)
    return _PENDING if entry is None else entry.info


def successors(situation: Situation) -> Iterator[tuple[str, Situation]]:
    """Each leaf that succeeds, with where it leads."""
    machine, held = situation
    for name, leaf in _leaves(machine).items():
        try:
            outcome = leaf()
        except Fault:
            continue
        if not outcome.code and outcome.machine != machine:
            yield name, (outcome.machine, held)
    try:
        outcome, page = ewb(machine, PAGE_FRAME, VA, 0)
        if page is not None and held is None:
            yield "EWB", (outcome.done(), page)
    except Fault:
        pass
    if held is not None:
        with suppress(Fault, RuntimeError):
            yield "ELDU", (eldu(machine, PAGE_FRAME, held, VA, 0, SECS).done(), None)


def name_of(situation: Situation) -> str:
    """What one page is, in a word or two.

    >>> name_of((started(), None))
    'free'
    """
    machine, held = situation
    entry = machine.epcm.get(PAGE_FRAME)
    if entry is None:
        return "free" if held is None else "with the host"
    if entry.blocked:
        return "blocked"
    word = state(entry)
    if word == "modified":
        return "to be trimmed"
    if word == "TRIM":
        return "trimmed"
    if entry.restricted:
        return "restricted"
    return "in use" if word == "REG" else word


def edges(depth: int = 12) -> set[tuple[str, str, str]]:
    """(from, leaf, to) for every change of the page that some sequence of so many leaves can make, while it is pages
    of one life: what has been taken out is not added a second time.

    >>> ("free", "EAUG", "pending") in edges(3), ("pending", "EACCEPT", "in use") in edges(3)
    (True, True)
    """
    seen: set[object] = set()
    layer: list[Situation] = [(started(), None)]
    found: set[tuple[str, str, str]] = set()
    for _ in range(depth):
        following = []
        for situation in layer:
            before = name_of(situation)
            for leaf, after in successors(situation):
                now = name_of(after)
                if before == "with the host" and leaf == "EAUG":
                    continue
                if now != before:
                    found.add((before, leaf, now))
                key = _key(after)
                if key not in seen:
                    seen.add(key)
                    following.append(after)
        layer = following
    return found


def _key(situation: Situation) -> object:
    """Epochs count up for ever; only which is ahead of which matters."""
    machine, held = situation
    entry, inside = machine.epcm.get(PAGE_FRAME), machine.threads.get(0)
    epoch = machine.secs("", SECS).epoch
    ahead = None if entry is None else (entry.info, entry.blocked, min(epoch - entry.epoch, 3))
    return ahead, None if inside is None else min(epoch - inside.epoch, 3), held is None or held.info


PLACES = {
    "free": (10, 20),
    "pending": (210, 20),
    "in use": (410, 20),
    "restricted": (610, 20),
    "to be trimmed": (410, 130),
    "trimmed": (210, 130),
    "blocked": (410, 240),
    "with the host": (610, 240),
}


def _mains() -> dict[tuple[str, str, str], tuple[list[tuple[float, float]], tuple[float, float, str]]]:
    """How the transitions that matter are drawn: the arrow's points, and where its word stands."""
    return {
        ("free", "EAUG", "pending"): ([(120, 40), (210, 40)], (165, 32, "middle")),
        ("pending", "EACCEPT", "in use"): ([(320, 40), (410, 40)], (365, 32, "middle")),
        ("in use", "EMODPR", "restricted"): ([(520, 32), (610, 32)], (565, 24, "middle")),
        ("restricted", "EACCEPT", "in use"): ([(610, 52), (520, 52)], (565, 68, "middle")),
        ("in use", "EMODT", "to be trimmed"): ([(465, 66), (465, 130)], (472, 102, "start")),
        ("restricted", "EMODT", "to be trimmed"): ([(665, 66), (665, 153), (520, 153)], (672, 112, "start")),
        ("to be trimmed", "EACCEPT", "trimmed"): ([(410, 153), (320, 153)], (365, 145, "middle")),
        ("trimmed", "EREMOVE", "free"): ([(210, 153), (65, 153), (65, 66)], (72, 112, "start")),
    }


@figure("epc-life")
def life() -> Element:
    """The states of an EPC page and the leaves between them; every arrow was found by exploring the model."""
    found = edges()
    mains = _mains()
    missing = set(mains) - found
    if missing:
        raise ValueError(f"the figure draws what the model cannot do: {sorted(missing)}")
    parts: list[Child] = []
    enclave = {"EACCEPT"}
    for (_, leaf, _), (points, (x, y, anchor)) in mains.items():
        mine = leaf in enclave
        parts += arrow(points, "accent" if mine else "muted", dashed=not mine)
        parts.append(words(leaf, x, y, anchor=anchor, size=11, style="font-weight:600" if mine else ""))
    blocking = sorted({before for before, leaf, now in found if leaf == "EBLOCK" and now == "blocked"})
    parts += arrow([(200, 250), (410, 250)], dashed=True)
    parts.append(words(f"EBLOCK, from {', '.join(blocking[:2])},", 4, 248, size=11))
    parts.append(words(f"{', '.join(blocking[2:])}", 4, 264, size=11))
    parts += arrow([(520, 263), (610, 263)], dashed=True)
    parts.append(words("EWB", 565, 255, anchor="middle", size=11))
    back = sorted({now for before, leaf, now in found if before == "with the host" and leaf == "ELDU"})
    parts += arrow([(665, 240), (665, 205)], dashed=True)
    parts.append(words("ELDU: back to what it was,", 735, 184, anchor="end", size=11))
    parts.append(words(f"{', '.join(back)}", 735, 199, anchor="end", size=10))
    removed = sorted(
        {before for before, leaf, now in found if leaf == "EREMOVE" and now == "free" and before != "trimmed"}
    )
    reachable = {"in use", "restricted"}
    for name, (x, y) in PLACES.items():
        role = "good" if name in reachable else "line"
        parts += cell(x, y, 110, 46, name, role, strength=0.3 if name in reachable else 0.5)
    parts.append(words("reachable by the enclave: the two filled boxes above", 4, 318, size=11, class_="muted"))
    parts.append(words("solid and bold: the enclave's leaf;  dashed: the host's", 4, 334, size=11, class_="muted"))
    said = f"not drawn: EREMOVE while no thread is inside, from {', '.join(removed)}"
    parts.append(words(said, 4, 302, size=11, class_="muted"))
    text = "A page is proposed, accepted, used, and given back; the host may block it and take it out at any time."
    return picture(parts, WIDTH, 342, "The life of an EPC page", text)


@figure("epc-steps")
def steps() -> Element:
    """One heap page from EAUG to EREMOVE: what each leaf makes of it, and what the enclave can do."""
    machine = started()
    rows: list[tuple[str, str, str]] = []
    script: tuple[tuple[str, str], ...] = (
        ("EAUG", "host"),
        ("EACCEPT", "enclave"),
        ("EMODT", "host"),
        ("EACCEPT", "enclave"),
        ("ETRACK", "host"),
        ("EACCEPT", "enclave"),
        ("EEXIT", "host"),
        ("EENTER", "host"),
        ("EREMOVE", "host"),
        ("EACCEPT", "enclave"),
        ("EREMOVE", "host"),
    )
    for leaf, who in script:
        outcome = _leaves(machine)[leaf]()
        machine = outcome.machine
        answer = "" if not outcome.code else f"refused: {outcome.code.name}"
        rows.append((f"{leaf}", who, answer))
        rows[-1] = (*rows[-1][:2], answer or name_of((machine, None)))
    parts: list[Child] = [caption("leaf", 14), caption("by", 14, 130), caption("the page afterwards", 14, 230)]
    why = {
        3: "no new epoch since EMODT",
        5: "the thread was in before it",
        6: "its translations are gone",
        8: "a thread inside, no consent",
        9: "that is its consent",
    }
    for number, (leaf, who, answer) in enumerate(rows):
        y = 24 + number * 25
        refused = answer.startswith("refused")
        parts.append(words(f"{number + 1}", 0, y + 16, size=11, class_="muted"))
        shown = {"EEXIT": "interrupt, out", "EENTER": "EENTER"}.get(leaf, leaf)
        parts.append(code(shown, 22, y + 16))
        parts.append(words(who, 130, y + 16, size=11))
        role = "bad" if refused else "good" if answer == "in use" else "line"
        parts.append(box(230, y, 330, 21, role, strength=0.25, dashed=refused))
        parts.append(words(answer, 240, y + 15, size=11))
        parts.append(words(why.get(number, ""), 570, y + 15, size=11, class_="muted"))
    text = "The trim is refused twice: before ETRACK, and while a thread that was inside before it has not left."
    return picture(parts, WIDTH, 24 + len(rows) * 25 + 4, "A heap page comes and goes", text)


@figure("enclave-boundary")
def boundary() -> Element:
    """Buffers around an enclave, and what the three-valued check says of each."""
    base, length = 0x10000, 0x4000
    low, high = base - 0x3000, base + length + 0x3000
    left = 10

    def at(address: int) -> float:
        return left + (min(max(address, low), high) - low) * (WIDTH - 2 * left) / (high - low)

    parts: list[Child] = [
        box(at(base), 24, at(base + length) - at(base), 200, "series-2", strength=0.15),
        caption("the enclave", 16, at(base)),
        code(f"{base:#x}", at(base) - 4, 238, anchor="end"),
        code(f"{base + length:#x}", at(base + length) + 4, 238),
        words("the host's memory", left, 16, size=11, class_="muted"),
    ]
    buffers = ((0x11000, 0x1800), (0xD800, 0x1C00), (0xF000, 0x2000), (0x13400, 0x1800), (0x12800, 2**64 - 0x1000))
    roles = {Position.WITHIN: "bad", Position.OUTSIDE: "good", Position.NEITHER: "warn"}
    for row, (address, size) in enumerate(buffers):
        y = 34 + row * 38
        where = position(address, size, base, length)
        wraps = address + size > 1 << 64
        stop = high if wraps else address + size
        parts.append(
            box(
                at(address),
                y,
                at(stop) - at(address),
                18,
                roles[where],
                strength=0.35,
                dashed=where is Position.NEITHER,
            )
        )
        taken = "take it" if where is Position.OUTSIDE else "refuse it"
        said = f"{where.value}: {taken}{'; it wraps around to ' + hex(address + size - (1 << 64)) if wraps else ''}"
        parts.append(words(said, at(address) + 4, y + 13, size=11))
    parts.append(line(left, 226, WIDTH - left, 226))
    text = "Within, outside, or neither: a straddling or wrapping buffer is neither, and must be refused."
    return picture(parts, WIDTH, 246, "Buffers that a host may name", text)
