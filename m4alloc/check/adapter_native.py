"""The face of functions that are called by their address in this process, and where to find such addresses."""

from __future__ import annotations

import ctypes
import importlib
import os
from collections.abc import Mapping
from errno import ENOMEM
from typing import Any, NamedTuple

from m4alloc.check.adapter_object import NAMES, operands, prototype, require
from m4alloc.check.face import Reply
from m4alloc.check.process_memory import ProcessMemory
from spec.event import ERRNO_CHANGED, FREEING, NOT_OBSERVED, Event, Function

SENTINEL = 77
"""errno before every call: what is left of it afterwards shows whether the call wrote there."""
LARGEST = 2**63 - 1
FUNCTION_POINTER: Any = ctypes.CFUNCTYPE(None).__mro__[1]
"""What every function pointer of ctypes is."""
LINK_MAP = 2
"""RTLD_DI_LINKMAP of dlinfo(3)."""


class Entry(NamedTuple):
    """A function: its address, and how many zeros Cython wants behind the arguments."""

    address: int
    zeros: int = 0


class NativeFace(ProcessMemory):
    """Calls functions of this process; their blocks are real memory.

    entries: where each function is. holds_gil: they may touch Python objects, so that the interpreter's lock is kept;
    a MemoryError that they raise means a null pointer.
    Raises TypeError: malloc or free is missing.
    """

    def __init__(self, name: str, entries: Mapping[Function, Entry], *, holds_gil: bool = False) -> None:
        super().__init__()
        self.name = name
        self.functions = frozenset(entries)
        require(name, self.functions)
        kind: Any = (ctypes.PyDLL if holds_gil else ctypes.CDLL)(None, use_errno=True)
        self.entries: dict[Function, Any] = {}
        self.zeros_behind = {function: (0,) * entry.zeros for function, entry in entries.items()}
        for function, entry in entries.items():
            called = kind._FuncPtr(entry.address)
            takes = [ctypes.c_void_p if one == "address" else ctypes.c_size_t for one in operands(function)]
            if function is Function.POSIX_MEMALIGN:
                takes.insert(0, ctypes.c_void_p)
            called.argtypes = [*takes, *[ctypes.c_int] * entry.zeros]
            called.restype = ctypes.c_void_p
            if function in FREEING:
                called.restype = None
            elif function is Function.USABLE_SIZE:
                called.restype = ctypes.c_size_t
            elif function is Function.POSIX_MEMALIGN:
                called.restype = ctypes.c_int
            self.entries[function] = called
        self.room = ctypes.c_void_p()

    def call(self, function: Function, address: int, size: int, count: int, alignment: int) -> Reply:
        """Make one request with errno preset, so that a failure without errno and a stray write both show."""
        event = Event(function, 0, address, size, count, alignment)
        arguments = [getattr(event, name) for name in operands(function)]
        if function is Function.POSIX_MEMALIGN:
            self.room.value = None
            arguments.insert(0, ctypes.addressof(self.room))
        ctypes.set_errno(SENTINEL)
        try:
            result = self.entries[function](*arguments, *self.zeros_behind[function])
        except MemoryError:
            return Reply(0, ENOMEM)
        errno = ctypes.get_errno()
        changed = ERRNO_CHANGED if errno != SENTINEL else 0
        if function is Function.POSIX_MEMALIGN:  # its error is its value
            return Reply(0 if result else self.room.value or 0, result, changed)
        if result or function in FREEING or function is Function.USABLE_SIZE:
            return Reply(min(result or 0, LARGEST), 0, changed)
        return Reply(0, errno if changed else 0)

    def usable(self, address: int) -> int:
        """malloc_usable_size, or NOT_OBSERVED where there is none."""
        entry = self.entries.get(Function.USABLE_SIZE)
        if entry is None:
            return NOT_OBSERVED
        usable: int = entry(address, *self.zeros_behind[Function.USABLE_SIZE])
        return min(usable, LARGEST)


def of_library(library: ctypes.CDLL, prefix: str = "") -> dict[Function, Entry]:
    """What a loaded library itself exports; what its dependencies do (libc's calloc) is not its own.

    Source: dlsym(3) searches the dependencies, too; dladdr(3) and dlinfo(3) say whose a symbol is.
    """
    own = loaded_from(library)
    found = {}
    for function, names in NAMES.items():
        for name in names:
            entry = getattr(library, prefix + name, None)
            address = address_of(entry) if entry is not None else 0
            if address and (not own or owner(address) == own):
                found[function] = Entry(address)
                break
    return found


def of_mapping(mapping: Mapping[str, Any]) -> dict[Function, Entry]:
    """The functions that a mapping from C names to function pointers or addresses holds. Raises TypeError."""
    known = {name: function for function, names in NAMES.items() for name in names}
    found = {}
    for name, pointer in mapping.items():
        if name not in known:
            raise TypeError(f"{name!r} is no function of the malloc family; known are {', '.join(known)}")
        found[known[name]] = Entry(pointer if isinstance(pointer, int) else address_of(pointer))
    return found


def of_cffi(library: Any, prefix: str = "") -> dict[Function, Entry]:
    """What the `lib` of a cffi module, or what `ffi.dlopen` gave, declares.

    Raises TypeError: it is no library of cffi's.
    """
    ffi: Any = importlib.import_module("_cffi_backend").FFI()  # which is there, where a cffi library is
    found = {}
    for function, names in NAMES.items():
        for name in names:
            try:
                entry = getattr(library, prefix + name)
            except AttributeError:
                continue
            if not isinstance(entry, ffi.CData):
                entry = ffi.addressof(library, prefix + name)
            found[function] = Entry(int(ffi.cast("uintptr_t", entry)))
            break
    if Function.MALLOC in found:
        # Where cffi looked a symbol up in a library, it may have found a dependency's, as dlsym does.
        own = owner(found[Function.MALLOC].address)
        found = {function: entry for function, entry in found.items() if owner(entry.address) == own}
    return found


def of_cython(capsules: Mapping[str, Any], name: str, prefix: str = "") -> dict[Function, Entry]:
    """The C functions that a Cython module exports to those that cimport it, by its `__pyx_capi__`.

    Raises TypeError: one of them takes another number of arguments.
    """
    api: Any = ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    found = {}
    for function, names in NAMES.items():
        one = next((one for one in names if prefix + one in capsules), None)
        if one is None:
            continue
        capsule = capsules[prefix + one]
        signature: bytes = api.PyCapsule_GetName(capsule)
        takes = signature.decode().rpartition("(")[2].rstrip(")")
        arguments = [part for part in takes.split(",") if part.strip() not in ("", "void")]
        # A cpdef function has one more, which says that it is not to look for an override.
        behind = sum("skip_dispatch" in part for part in arguments)
        wanted = len(operands(function)) + (function is Function.POSIX_MEMALIGN)
        if len(arguments) - behind != wanted:
            raise TypeError(f"{name}.{prefix}{one} is {signature.decode()!r}; {prototype(function)} is wanted")
        found[function] = Entry(api.PyCapsule_GetPointer(capsule, signature), behind)
    return found


def address_of(pointer: Any) -> int:
    """The address in a function pointer of ctypes. Raises TypeError: it is none."""
    if not isinstance(pointer, FUNCTION_POINTER):
        raise TypeError(f"{pointer!r} is no function pointer of ctypes: a function of a CDLL or CFUNCTYPE is wanted")
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


class Information(ctypes.Structure):
    """Dl_info of dladdr(3)."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


class LinkMap(ctypes.Structure):
    """The first fields of struct link_map, <link.h>."""

    _fields_ = (("address", ctypes.c_void_p), ("name", ctypes.c_char_p))


def owner(address: int) -> str:
    """The real path of the file that the code at `address` was loaded from, empty when unknown."""
    information = Information()
    dladdr = ctypes.CDLL(None).dladdr
    dladdr.argtypes = (ctypes.c_void_p, ctypes.POINTER(Information))
    if not dladdr(address, ctypes.byref(information)) or not information.file:
        return ""
    return os.path.realpath(os.fsdecode(information.file))


def loaded_from(library: ctypes.CDLL) -> str:
    """The real path of the file of a loaded library; empty for the program itself, whose scope is everything."""
    where = ctypes.POINTER(LinkMap)()
    dlinfo = ctypes.CDLL(None).dlinfo
    dlinfo.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    if dlinfo(library._handle, LINK_MAP, ctypes.byref(where)) or not where or not where.contents.name:
        return ""
    return os.path.realpath(os.fsdecode(where.contents.name))
