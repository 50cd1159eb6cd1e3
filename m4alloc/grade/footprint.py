"""How much memory a library's heap takes on a trace: the pages that became its own, counted by the kernel."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from typing import Any

from m4alloc.check.adapter_native import of_library
from m4alloc.check.foreign import STATIC_TLS
from m4alloc.grade.plan import functions_of
from m4alloc.grade.traces import peak_live
from m4alloc.tune.workload import Kind, Workload
from spec.event import Function

LOOKS = 48
"""How often the pages are counted, besides at the peak of live bytes and at the end."""
PAGE = 4096
PR_SET_THP_DISABLE = 41
NEW_NAMESPACE = -1
"""LM_ID_NEWLM of dlmopen(3)."""
ROLLUP = Path("/proc/self/smaps_rollup")


def footprint(library: str, workload: Workload) -> dict[str, Any]:
    """The most bytes of anonymous and shared memory that the trace added to this process: to be run in a child.

    Every byte of every block is written, and its ends are compared before it is given back: who hands out one block for
    all would take no memory. Also what the live blocks could hold at the peak of live bytes (None without
    malloc_usable_size). Huge pages are off, else one byte would count as 2 MiB.
    Raises ValueError: contents have changed.
    Source: proc(5), smaps_rollup: exact, since the kernel walks the page tables.  Cost: 2 us a call, 1 ms a look.
    """
    ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    entries = of_library(opened(library))
    pointer, size_t = ctypes.c_void_p, ctypes.c_size_t
    called: dict[Function, Any] = {}
    takes = {
        Function.MALLOC: (size_t,),
        Function.CALLOC: (size_t, size_t),
        Function.REALLOC: (pointer, size_t),
        Function.FREE: (pointer,),
        Function.ALIGNED_ALLOC: (size_t, size_t),
        Function.MEMALIGN: (size_t, size_t),
        Function.POSIX_MEMALIGN: (pointer, size_t, size_t),
        Function.USABLE_SIZE: (pointer,),
    }
    for function, arguments in takes.items():
        if function in entries:
            result: Any = None if function is Function.FREE else size_t
            called[function] = ctypes.CFUNCTYPE(result, *arguments)(entries[function].address)
    columns = (functions_of(workload, frozenset(entries)), workload.kind, workload.block, workload.size)
    calls = list(zip(*(column.tolist() for column in (*columns, workload.alignment)), strict=True))
    places = array("Q", bytes(8 * (workload.blocks + 1)))
    written = bytearray(workload.blocks + 1)
    sizes = [0] * (workload.blocks + 1)
    live, peak = peak_live(workload)
    looks = {peak, len(calls) - 1, *range(0, len(calls), max(1, len(calls) // LOOKS))}
    room = ctypes.c_void_p()
    gc.disable()
    ctypes.memset(ctypes.addressof(room), 0, 8)
    resident()
    base = most = resident()
    usable = None
    for number, (function, kind, block, size, alignment) in enumerate(calls):
        if kind != Kind.ALLOCATE and sizes[block]:
            for at in (0, sizes[block] - 1):
                if ctypes.c_ubyte.from_address(places[block] + at).value != written[block]:
                    raise ValueError(
                        f"byte {at} of a block of {sizes[block]} bytes was not what had been written there"
                    )
        if kind == Kind.FREE:
            called[Function.FREE](places[block])
            places[block] = 0
            continue
        if function == Function.MALLOC:
            places[block] = called[Function.MALLOC](size)
        elif function == Function.CALLOC:
            places[block] = called[Function.CALLOC](1, size)
        elif function == Function.REALLOC:
            places[block] = called[Function.REALLOC](places[block], size)
        elif function == Function.POSIX_MEMALIGN:
            called[Function.POSIX_MEMALIGN](ctypes.addressof(room), max(alignment, 8), size)
            places[block] = room.value or 0
        else:
            places[block] = called[Function(function)](alignment, size)
        written[block], sizes[block] = 1 + number % 251, size
        ctypes.memset(places[block], written[block], size)
        if number in looks:
            most = max(most, resident())
        if number == peak and Function.USABLE_SIZE in called:
            usable = sum(called[Function.USABLE_SIZE](place) for place in places if place)
    return {"peak_live": live, "footprint": max(most - base, resident() - base, PAGE if live else 0), "usable": usable}


def opened(library: str) -> ctypes.CDLL:
    """The library, loaded; of the system's malloc a second copy, whose heap is empty. Raises OSError."""
    if library != "system":
        return ctypes.CDLL(library, mode=os.RTLD_NOW | os.RTLD_DEEPBIND)
    dlmopen = ctypes.CDLL(None).dlmopen
    dlmopen.argtypes, dlmopen.restype = (ctypes.c_long, ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    handle = dlmopen(NEW_NAMESPACE, b"libc.so.6", os.RTLD_NOW)
    if not handle:
        raise OSError("a second copy of the C library cannot be loaded")
    return ctypes.CDLL("libc.so.6", handle=handle)


def with_static_tls(library: str, workload: Workload) -> dict[str, Any]:
    """The same in a fresh process that has room for the library's thread-local storage, which only a start can make."""
    tunables = ":".join(filter(None, [os.environ.get("GLIBC_TUNABLES"), STATIC_TLS]))
    with tempfile.TemporaryDirectory(prefix="m4alloc-") as folder:
        trace = Path(folder) / "trace.m4t"
        workload.write(trace)
        done = subprocess.run(
            [sys.executable, "-m", "m4alloc.grade.footprint", library, str(trace)],
            env={**os.environ, "GLIBC_TUNABLES": tunables},
            capture_output=True,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def resident() -> int:
    """Bytes of anonymous and shared pages of this process."""
    text = ROLLUP.read_text(encoding="ascii")
    return 1024 * sum(int(found) for found in re.findall(r"^(?:Anonymous|Pss_Shmem): +(\d+) kB$", text, re.M))


if __name__ == "__main__":
    from m4alloc.trace.read import Trace

    print(json.dumps(footprint(sys.argv[1], Workload.of(Trace.open(sys.argv[2])))))
