"""IRG and its generator: the exact linear-feedback shift register of RGSR_EL1, used when GCR_EL1.RRND is 0.

With RRND = 1, which is what Linux sets, a processor may draw from any source that is no worse; `draw` models that.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from capability.mte.arithmetic import choose_tag
from capability.mte.control import Control
from capability.mte.tag import check_mask, check_tag, with_tag
from capability.word import bit, unsigned


class Rgsr(NamedTuple):
    """RGSR_EL1: the last tag drawn (bits 3:0), and the 16-bit seed (bits 23:8).

    >>> Rgsr.from_register(0xACE103)
    Rgsr(tag=3, seed=44257)
    """

    tag: int
    seed: int

    @classmethod
    def from_register(cls, value: int) -> Rgsr:
        """The two fields of the register; its other bits are reserved.  Raises WidthError beyond 64 bits."""
        return cls(unsigned(value, 64) & 0xF, value >> 8 & 0xFFFF)

    def to_register(self) -> int:
        """The register with these two fields.  Raises WidthError for a field that does not fit.

        >>> hex(Rgsr(3, 0xACE1).to_register())
        '0xace103'
        """
        return unsigned(self.seed, 16) << 8 | check_tag(self.tag)


def next_bit(seed: int) -> tuple[int, int]:
    """One step of the register: the bit that comes out, and the seed after it.

    seed: 0 to 0xffff; 0 never changes, and then every bit is 0.  Raises WidthError.
    Source: AArch64.NextRandomTagBit: seed<5> EOR seed<3> EOR seed<2> EOR seed<0> enters at the top.

    >>> next_bit(0b1), next_bit(0b101)
    ((1, 32768), (0, 2))
    """
    unsigned(seed, 16)
    top = bit(seed, 5) ^ bit(seed, 3) ^ bit(seed, 2) ^ bit(seed, 0)
    return top, top << 15 | seed >> 1


def random_offset(seed: int) -> tuple[int, int]:
    """Four bits, the first one lowest, and the seed after them.  Source: AArch64.RandomTag.

    >>> random_offset(0xACE1)
    (2, 10958)
    """
    offset = 0
    for position in range(4):
        out, seed = next_bit(seed)
        offset |= out << position
    return offset, seed


def irg(control: Control, rgsr: Rgsr, xn: int, xm: int = 0) -> tuple[int, Rgsr]:
    """IRG with RRND = 0: `xn` with a random tag, and the register after it.

    xn: 64 bits, of which all but the tag survive. xm: bits 15:0 exclude further tags, the others are ignored.
    The random number is an offset from the *previous* result. The tag that `xn` has is not excluded unless `xm` says
    so (see `gmi`). With every tag excluded the result is tag 0. Where tags cannot be accessed it is tag 0 as well, and
    the register stays.
    Raises WidthError.  Source: IRG.

    >>> xd, rgsr = irg(Control(), Rgsr(tag=3, seed=0xACE1), 0x1000)
    >>> hex(xd), rgsr
    ('0x500000000001000', Rgsr(tag=5, seed=10958))
    """
    exclude = control.exclude | (unsigned(xm, 64) & 0xFFFF)
    if not control.ata:
        return with_tag(xn, 0), rgsr
    offset, seed = random_offset(rgsr.seed)
    tag = choose_tag(rgsr.tag, offset, exclude)
    return with_tag(xn, tag), Rgsr(tag, seed)


def sequence(rgsr: Rgsr, exclude: int, count: int) -> tuple[list[int], Rgsr]:
    """The next `count` tags that IRG draws with this exclude mask, and the register after them.

    >>> sequence(Rgsr(3, 0xACE1), 0x8001, 8)[0]
    [5, 7, 14, 4, 11, 14, 4, 2]
    """
    tags, control = [], Control(exclude=check_mask(exclude))
    for _ in range(count):
        _, rgsr = irg(control, rgsr, 0)
        tags.append(rgsr.tag)
    return tags, rgsr


def explain(tags: Sequence[int], exclude: int = 0) -> list[Rgsr]:
    """Every state after the first tag that accounts for the rest: what an observer of the tags learns.

    tags: consecutive results of IRG, at least one. exclude: the mask in force.  Raises WidthError, ValueError.
    Without exclusion five tags leave one seed: four differences are the register's sixteen bits, and all that follows
    is known.  Cost: O(65,536 * tags needed to refute a seed).

    >>> explain([5, 7, 14, 4, 11], 0)
    [Rgsr(tag=5, seed=10298)]
    """
    if not tags:
        raise ValueError("no tags: at least 1 is needed to know where the offsets start")
    allowed: dict[tuple[int, int], int] = {
        (start, offset): choose_tag(start, offset, exclude) for start in {*tags} for offset in range(16)
    }
    found = []
    for first in range(1 << 16):
        seed = first
        for previous, tag in pairwise(tags):
            offset, seed = random_offset(seed)
            if allowed[previous, offset] != tag:
                break
        else:
            found.append(Rgsr(tags[0], first))
    return found
