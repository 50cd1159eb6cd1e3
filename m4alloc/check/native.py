"""The face of an allocator in a shared library, called through ctypes; runs in the forked child only."""

from __future__ import annotations

import ctypes
import os
from typing import Any

from m4alloc.check.face import CHECKED, Reply
from m4alloc.check.pattern import SPARE, common_prefix, expanded
from spec.event import ERRNO_CHANGED, FREEING, MISUSE_CAUGHT, NOT_OBSERVED, Function

SIZE, POINTER = ctypes.c_size_t, ctypes.c_void_p

SIGNATURES: dict[Function, tuple[str, tuple[Any, ...], Any]] = {
    Function.MALLOC: ("malloc", (SIZE,), POINTER),
    Function.CALLOC: ("calloc", (SIZE, SIZE), POINTER),
    Function.REALLOC: ("realloc", (POINTER, SIZE), POINTER),
    Function.REALLOCARRAY: ("reallocarray", (POINTER, SIZE, SIZE), POINTER),
    Function.FREE: ("free", (POINTER,), None),
    Function.ALIGNED_ALLOC: ("aligned_alloc", (SIZE, SIZE), POINTER),
    Function.MEMALIGN: ("memalign", (SIZE, SIZE), POINTER),
    Function.POSIX_MEMALIGN: ("posix_memalign", (POINTER, SIZE, SIZE), ctypes.c_int),
    Function.VALLOC: ("valloc", (SIZE,), POINTER),
    Function.PVALLOC: ("pvalloc", (SIZE,), POINTER),
    Function.USABLE_SIZE: ("malloc_usable_size", (POINTER,), SIZE),
    Function.FREE_SIZED: ("free_sized", (POINTER, SIZE), None),
    Function.FREE_ALIGNED_SIZED: ("free_aligned_sized", (POINTER, SIZE, SIZE), None),
    Function.NEW: ("_ZnwmRKSt9nothrow_t", (SIZE, POINTER), POINTER),  # the form that does not throw into Python
    Function.DELETE: ("_ZdlPv", (POINTER,), None),
}
SENTINEL = 77
"""errno before every call: what is left of it afterwards shows whether the call wrote there."""
LARGEST = 2**63 - 1


class NativeMemory:
    """The client's accesses to real memory, by address."""

    def __init__(self) -> None:
        self.pattern = ctypes.create_string_buffer(expanded(), CHECKED + SPARE)
        self.base = ctypes.addressof(self.pattern)
        self.memcmp = ctypes.PyDLL(None).memcmp
        self.memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

    def fill(self, address: int, size: int, seed: int) -> None:
        """Copy the pattern in. Cost: O(size)."""
        ctypes.memmove(address, self.base + seed, size)

    def intact(self, address: int, size: int, seed: int) -> int:
        """Compare with the pattern. Cost: O(size)."""
        if self.memcmp(address, self.base + seed, size) == 0:
            return size
        return common_prefix(ctypes.string_at(address, size), ctypes.string_at(self.base + seed, size))

    def zeros(self, address: int, size: int) -> int:
        """Count leading zero bytes: the first is zero, and each equals the one before. Cost: O(size)."""
        if size == 0:
            return 0
        first = ctypes.string_at(address, 1)
        if first == b"\0" and (size == 1 or self.memcmp(address, address + 1, size - 1) == 0):
            return size
        data = ctypes.string_at(address, size)
        return size - len(data.lstrip(b"\0"))


class NativeFace(NativeMemory):
    """Calls into a library loaded with RTLD_DEEPBIND, so that it uses its own malloc and Python keeps libc's.

    path "system" is the allocator that the process already has. Raises OSError when the file cannot be loaded,
    ValueError when it does not export malloc and free.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        mode = os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND
        library = ctypes.CDLL(None if path == "system" else path, mode=mode, use_errno=True)
        self.entries: dict[Function, Any] = {}
        for function, (name, arguments, result) in SIGNATURES.items():
            try:
                entry = getattr(library, name)
            except AttributeError:
                continue
            if path != "system" and not self.exported_by(path, entry):
                continue
            entry.argtypes, entry.restype = arguments, result
            self.entries[function] = entry
        self.functions = frozenset(self.entries)
        missing = [name for name in (Function.MALLOC, Function.FREE) if name not in self.functions]
        if missing:
            raise ValueError(f"{path} exports no {missing[0].name.lower()}")
        self.misuses: Any = None
        if path != "system" and hasattr(library, "m4alloc_misuses"):
            self.misuses = library.m4alloc_misuses
            self.misuses.restype = ctypes.c_uint64
        self.library = library
        self.room = ctypes.c_void_p()

    @staticmethod
    def exported_by(path: str, entry: Any) -> bool:
        """Whether the symbol found is the library's own and not libc's, found through the library's scope."""
        return owner(ctypes.cast(entry, ctypes.c_void_p).value or 0) == os.path.realpath(path)

    def call(self, function: Function, address: int, size: int, count: int, alignment: int) -> Reply:
        """Make one request with errno preset, so that a failure without errno and a stray write both show."""
        entry = self.entries[function]
        before = self.misuses() if self.misuses is not None else 0
        ctypes.set_errno(SENTINEL)
        result: int | None
        match function:
            case Function.MALLOC | Function.VALLOC | Function.PVALLOC:
                result = entry(size)
            case Function.FREE | Function.DELETE | Function.USABLE_SIZE:
                result = entry(address)
            case Function.NEW:
                result = entry(size, self.base)
            case Function.CALLOC:
                result = entry(count, size)
            case Function.REALLOC | Function.FREE_SIZED:
                result = entry(address, size)
            case Function.REALLOCARRAY:
                result = entry(address, count, size)
            case Function.ALIGNED_ALLOC | Function.MEMALIGN:
                result = entry(alignment, size)
            case Function.FREE_ALIGNED_SIZED:
                result = entry(address, alignment, size)
            case _:
                return self.posix_memalign(size, alignment)
        errno = ctypes.get_errno()
        flags = MISUSE_CAUGHT if self.misuses is not None and self.misuses() != before else 0
        if result or function in FREEING or function is Function.USABLE_SIZE:
            return Reply(min(result or 0, LARGEST), 0, flags | (ERRNO_CHANGED if errno != SENTINEL else 0))
        return Reply(0, errno if errno != SENTINEL else 0, flags)

    def posix_memalign(self, size: int, alignment: int) -> Reply:
        """Its error is its value; the pointer it was given to write to is left alone on failure."""
        self.room.value = None
        error = self.entries[Function.POSIX_MEMALIGN](ctypes.addressof(self.room), alignment, size)
        flags = ERRNO_CHANGED if ctypes.get_errno() != SENTINEL else 0
        return Reply(0 if error else self.room.value or 0, error, flags)

    def usable(self, address: int) -> int:
        """malloc_usable_size, or NOT_OBSERVED when the library has none."""
        entry = self.entries.get(Function.USABLE_SIZE)
        return NOT_OBSERVED if entry is None else min(entry(address), LARGEST)

    def promises(self) -> tuple[int, int]:
        """The quarantine, and the largest usable size it applies to, that m4alloc_info states; 0, 0 without one.

        Opens the library's heap.
        """
        if self.misuses is None or not hasattr(self.library, "m4alloc_info"):
            return 0, 0
        self.library.m4alloc_info.restype = ctypes.POINTER(Promises)
        stated = self.library.m4alloc_info().contents
        return stated.quarantine, stated.quarantine_limit


class Promises(ctypes.Structure):
    """struct m4alloc_info of m4alloc/preload.c."""

    _fields_ = (
        ("version", ctypes.c_uint32),
        ("quarantine", ctypes.c_uint32),
        ("quarantine_limit", ctypes.c_uint64),
    )


class Information(ctypes.Structure):
    """Dl_info of dladdr(3)."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def owner(address: int) -> str:
    """The real path of the file that the code at `address` was loaded from, empty when unknown."""
    information = Information()
    dladdr = ctypes.CDLL(None).dladdr
    dladdr.argtypes = (ctypes.c_void_p, ctypes.POINTER(Information))
    if not dladdr(address, ctypes.byref(information)) or not information.file:
        return ""
    return os.path.realpath(os.fsdecode(information.file))
