"""Rows of instructions that touch registers only: tag arithmetic, and IRG with its generator."""

from __future__ import annotations

from collections.abc import Callable

from capability.mte import arithmetic, random
from capability.mte.control import Control
from capability.mte.random import Rgsr
from capability.mte.tag import ALL_TAGS, members, tag_of, with_tag
from m4alloc.vectors.mte_row import Answers, digits, word
from m4alloc.vectors.row import Row


def tagof(row: Row) -> Answers:
    return {"tag": tag_of(word(row["x"]))}


def gmi(row: Row) -> Answers:
    return {"xd": digits(arithmetic.gmi(word(row["xn"]), word(row["xm"])))}


def subps(row: Row) -> Answers:
    xn, xm = word(row["xn"]), word(row["xm"])
    return {"xd": digits(arithmetic.subp(xn, xm)), "nzcv": arithmetic.subps(xn, xm).nzcv}


_Moving = Callable[[Control, int, int, int], int]


def _moved(instruction: _Moving, row: Row) -> Answers:
    control = Control(exclude=row["excl"])
    return {"xd": digits(instruction(control, word(row["xn"]), row["uimm6"], row["uimm4"]))}


def _moved_tags(instruction: _Moving, row: Row) -> Answers:
    control = Control(exclude=row["excl"])
    pointers = [with_tag(0x12340, tag) for tag in range(16)]
    return {"res": [tag_of(instruction(control, xn, row["uimm6"], row["uimm4"])) for xn in pointers]}


def addg(row: Row) -> Answers:
    return _moved(arithmetic.addg, row)


def subg(row: Row) -> Answers:
    return _moved(arithmetic.subg, row)


def addg_tags(row: Row) -> Answers:
    return _moved_tags(arithmetic.addg, row)


def subg_tags(row: Row) -> Answers:
    return _moved_tags(arithmetic.subg, row)


_SEEDS = {random.random_offset(seed)[0]: seed for seed in range(512)}.values()
"""One seed for each of the sixteen offsets."""


def irg_set(row: Row) -> Answers:
    """Every tag that IRG can give, found by trying each previous tag with each offset that the generator can make."""
    control, xn, xm = Control(exclude=row["gcr_excl"]), word(row["xn"]), word(row["xm"])
    seen = 0
    for start in range(16):
        for seed in _SEEDS:
            xd, _ = random.irg(control, Rgsr(start, seed), xn, xm)
            if with_tag(xd, 0) == with_tag(xn, 0):
                seen |= 1 << tag_of(xd)
    return {"seen": seen}


def irg_seq(row: Row) -> Answers:
    """The sequence that some seed gives; the row's own where one does."""
    tags, exclude = row["tags"], row["gcr_excl"]
    states = random.explain(tags, exclude)
    if not states:
        return {"tags": "no seed of the generator gives this sequence"}
    return {"tags": [tags[0], *random.sequence(states[0], exclude, len(tags) - 1)[0]]}


def irg_exact(row: Row) -> Answers:
    control, rgsr = Control(exclude=row["gcr_excl"]), Rgsr(row["tag_in"], row["seed_in"])
    xn, xm = word(row["xn"]), word(row["xm"])
    if row["rrnd"]:
        # RGSR is UNKNOWN afterwards, and which of the allowed tags it is, too.
        allowed = members(ALL_TAGS & ~(row["gcr_excl"] | xm)) or (0,)
        return {"xd": row["xd"] if word(row["xd"]) in {with_tag(xn, tag) for tag in allowed} else f"a tag of {allowed}"}
    xd, after = random.irg(control, rgsr, xn, xm)
    return {"xd": digits(xd), "seed_out": after.seed, "tag_out": after.tag}


def irg_chain(row: Row) -> Answers:
    rgsr = Rgsr(row["tag_in"], row["seed_in"])
    tags, after = random.sequence(rgsr, row["gcr_excl"], len(row["tags"]))
    return {"tags": tags, "seed_out": after.seed, "tag_out": after.tag}
