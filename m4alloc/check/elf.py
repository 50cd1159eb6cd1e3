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
