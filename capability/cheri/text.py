"""How CHERI's tools print a capability: printf("%#p"), debuggers, emulators.

Source: CTSRD-CHERI/cheri-c-programming, "Displaying capabilities".
"""

from __future__ import annotations

from collections.abc import Sequence

from capability.perms import Perms

_LETTERS = (
    (Perms.PERMIT_LOAD, "r"),
    (Perms.PERMIT_STORE, "w"),
    (Perms.PERMIT_EXECUTE, "x"),
    (Perms.PERMIT_LOAD_CAP, "R"),
    (Perms.PERMIT_STORE_CAP, "W"),
)


def letters(rights: Perms) -> str:
    """The rights in short: r, w, x for data and code, R, W for capabilities.

    >>> from capability.perms import DATA
    >>> letters(DATA)
    'rwRW'
    """
    return "".join(letter for right, letter in _LETTERS if right in rights)


def line(address: int, rights: str, base: int, top: int, notes: Sequence[str]) -> str:
    """A capability in one line: address, rights, bounds, and what is unusual about it.

    >>> line(0x1010, "rw", 0x1000, 0x1040, ["invalid"])
    '0x1010 [rw,0x1000-0x1040] (invalid)'
    """
    tail = f" ({','.join(notes)})" if notes else ""
    return f"{address:#x} [{rights},{base:#x}-{top:#x}]{tail}"
