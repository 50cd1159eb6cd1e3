"""What is wrong with a file that should be a shared library of this machine, as far as its first bytes tell."""

from __future__ import annotations

import os
import platform
import struct
from pathlib import Path

MACHINES = {
    3: "x86 (32 bits)",
    40: "arm (32 bits)",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    21: "ppc64",
    22: "s390x",
}
"""e_machine of the ELF header; System V ABI, chapter 4."""
PT_DYNAMIC, DT_NULL, DT_FLAGS_1, NOOPEN = 2, 0, 0x6FFFFFFB, 0x40
"""Of <elf.h>: a library with the flag refuses dlopen; the linker's -z nodlopen sets it."""
DYNAMIC = 3
"""ET_DYN: what can be loaded."""
SHT_DYNSYM = 11
"""The section with the names that a library exports."""


def wrong_with(path: Path) -> str:
    """What is wrong with the file, and what would be right; empty when nothing is.

    Cost: O(1).  Source: System V ABI, chapter 4, ELF header.

    >>> wrong_with(Path("/nowhere/liballoc.so"))
    'no such file'
    """
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "is a directory; the path of a shared library (.so) is wanted"
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        return f"cannot be read: {os.strerror(error.errno or 0)}"
    if head[:4] != b"\x7fELF":
        kind = "a static archive" if head[:8] == b"!<arch>\n" else "not an ELF file"
        return f"{kind}; a shared library is wanted, such as `gcc -shared -fPIC` makes"
    if len(head) < 20:
        return "cut off within its ELF header"
    order = "<" if head[5] == 1 else ">"
    kind_number, machine = struct.unpack_from(f"{order}HH", head, 16)
    here = platform.machine()
    name = MACHINES.get(machine, f"machine {machine}")
    if name != here or head[4] != 2:
        return f"built for {name}; this machine is {here}"
    if kind_number != DYNAMIC:
        return "an ELF file, but no shared library; `gcc -shared -fPIC` makes one"
    return ""


def exported(path: Path) -> set[str]:
    """The names that the library defines for others; empty where it has no table of sections.

    path: a file that `wrong_with` finds nothing wrong with.  Cost: reads the file.
    Source: System V ABI, chapter 4, sections and symbol table.
    """
    data = path.read_bytes()
    found = set()
    try:
        (sections,) = struct.unpack_from("<Q", data, 40)
        size, count = struct.unpack_from("<HH", data, 58)
        for section in range(sections, sections + size * count, size):
            kind, _, _, start, length, link = struct.unpack_from("<IQQQQI", data, section + 4)
            if kind == SHT_DYNSYM:
                (names,) = struct.unpack_from("<Q", data, sections + size * link + 24)
                for symbol in range(start, start + length, 24):
                    name, info, other, where = struct.unpack_from("<IBBH", data, symbol)
                    if where and info >> 4 and not other & 3:  # defined here, not local, of default visibility
                        found.add(data[names + name : data.index(b"\0", names + name)].decode(errors="replace"))
    except (struct.error, ValueError):  # cut off: the loader says so
        pass
    return found


def malloc_of(path: Path) -> str:
    """What the library calls its malloc, where it has a free of the same kind: je_malloc, malloc; empty for none.

    path: as for `exported`.  Of several the shortest name.

    >>> from m4alloc.lib import lib
    >>> malloc_of(lib())
    'malloc'
    """
    names = exported(path)
    mallocs = [name for name in names if name.endswith("malloc") and f"{name.removesuffix('malloc')}free" in names]
    return min(mallocs, key=lambda name: (len(name), name), default="")


def opened(path: Path) -> bytes:
    """The library without the mark that has dlopen refuse it (-z nodlopen, as hardened_malloc has); empty: it has none.

    path: a file that `wrong_with` finds nothing wrong with.  Cost: reads the file.
    """
    data = bytearray(path.read_bytes())
    try:
        (headers,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        for header in range(headers, headers + size * count, size):
            kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", data, header)
            for entry in range(start, start + length, 16) if kind == PT_DYNAMIC else ():
                tag, value = struct.unpack_from("<QQ", data, entry)
                if tag == DT_FLAGS_1 and value & NOOPEN:
                    struct.pack_into("<Q", data, entry + 8, value & ~NOOPEN)
                    return bytes(data)
                if tag == DT_NULL:
                    break
    except struct.error:  # cut off: the loader says so
        pass
    return b""
