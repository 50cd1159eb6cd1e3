"""The client's accesses to the memory of this process, by address, for allocators that are called in it."""

from __future__ import annotations

import ctypes

from m4alloc.check.face import CHECKED
from m4alloc.check.pattern import SPARE, common_prefix, expanded


class ProcessMemory:
    """Fills, compares and counts zeros at real addresses. What lies outside mapped memory ends the process."""

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
