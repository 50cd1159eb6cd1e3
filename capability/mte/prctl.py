"""Linux's prctl(PR_SET_TAGGED_ADDR_CTRL): how a thread turns MTE on.

Note the direction: the kernel takes the tags to *include*, the processor's GCR the tags to *exclude*. After exec
nothing is included, so IRG gives 0, and no access is checked.
Source: Linux, include/uapi/linux/prctl.h; Documentation/arch/arm64/memory-tagging-extension.rst.
"""

from __future__ import annotations

from enum import IntFlag

from capability.mte.control import Control, Mode
from capability.mte.tag import ALL_TAGS, check_mask


class TaggedAddrCtrl(IntFlag):
    """The flags besides the include mask, which is at bits 18:3."""

    PR_TAGGED_ADDR_ENABLE = 1 << 0
    """System calls accept tagged pointers. The tag checks themselves do not depend on it."""
    PR_MTE_TCF_SYNC = 1 << 1
    PR_MTE_TCF_ASYNC = 1 << 2
    PR_MTE_STORE_ONLY = 1 << 19


TAG_SHIFT = 3
"""PR_MTE_TAG_SHIFT: where the include mask begins."""
AFTER_EXEC = Control(exclude=ALL_TAGS, mode=Mode.NONE)
"""What a program starts with."""

_KNOWN = 0x80007 | ALL_TAGS << TAG_SHIFT
_BOTH = TaggedAddrCtrl.PR_MTE_TCF_SYNC | TaggedAddrCtrl.PR_MTE_TCF_ASYNC
_MODES: dict[int, Mode] = {
    0: Mode.NONE,
    TaggedAddrCtrl.PR_MTE_TCF_SYNC: Mode.SYNC,
    TaggedAddrCtrl.PR_MTE_TCF_ASYNC: Mode.ASYNC,
}


def include(mask: int) -> int:
    """The part of prctl's argument that includes these tags.  Raises WidthError.

    >>> hex(include(0xFFFE))
    '0x7fff0'
    """
    return check_mask(mask) << TAG_SHIFT


def control_from_prctl(argument: int, preferred: Mode = Mode.ASYNC) -> Control:
    """The settings after prctl(PR_SET_TAGGED_ADDR_CTRL, argument).

    preferred: what /sys/devices/system/cpu/cpuN/mte_tcf_preferred says, for a thread that allows both modes; the
    asymmetric mode can be had in that way only.  Raises ValueError where Linux returns EINVAL.

    >>> flags = TaggedAddrCtrl
    >>> control = control_from_prctl(flags.PR_TAGGED_ADDR_ENABLE | flags.PR_MTE_TCF_SYNC | include(0xFFFE))
    >>> hex(control.exclude), control.mode.name
    ('0x1', 'SYNC')
    >>> control_from_prctl(0) == AFTER_EXEC
    True
    """
    if argument < 0 or argument & ~_KNOWN:
        raise ValueError(f"prctl argument {argument:#x}: bits outside {_KNOWN:#x} are not defined (EINVAL)")
    if preferred is Mode.NONE:
        raise ValueError("preferred mode none: sync, async or asymmetric")
    wanted = argument & _BOTH
    mode = preferred if wanted == _BOTH else _MODES[wanted]
    exclude = ~(argument >> TAG_SHIFT) & ALL_TAGS
    return Control(exclude=exclude, mode=mode, store_only=bool(argument & TaggedAddrCtrl.PR_MTE_STORE_ONLY))
