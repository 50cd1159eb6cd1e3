"""Put an allocator of one's own behind the tools that check allocators: a Python object, ctypes, cffi, Cython.

An adapter calls the allocator in this process. A crash there is the end of the test run; an allocator that may crash
is better given as the path of its shared library, which is driven in children (`m4alloc.check.foreign`).
"""

from __future__ import annotations

import ctypes
import os
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from m4alloc.check.adapter_memory import Blind, BufferMemory, Memory, NoMemory, OwnMemory
from m4alloc.check.adapter_native import Entry, NativeFace, of_cffi, of_cython, of_library, of_mapping
from m4alloc.check.adapter_object import NEEDED, ObjectFace, require
from m4alloc.check.elf import wrong_with
from m4alloc.check.executor import Executor
from m4alloc.check.foreign import Foreign
from m4alloc.check.judgement import Terms
from m4alloc.check.local import LocalTarget
from m4alloc.check.operation import Operation
from m4alloc.check.process_memory import ProcessMemory
from m4alloc.check.target import Episode, Session, Target, Usage
from spec.event import Function

OF_OBJECTS = "c23"
OF_LIBRARIES = "c23,posix"
"""What allocators are held to unless one says otherwise. Python has no errno, which is most of what POSIX adds."""
OF_THE_SYSTEM = "c17,glibc"


def from_object(
    allocator: Any, *, memory: Any | Literal["process"] | None = None, base: int = 0, name: str = ""
) -> LocalTarget:
    """An allocator written in Python: an object, or a class or function that makes one.

    It has malloc(size) and free(address), and any of calloc(count, size), realloc(address, size), reallocarray,
    aligned_alloc(alignment, size), memalign, valloc, pvalloc, posix_memalign (which returns a pair: error, address),
    free_sized(address, size), free_aligned_sized, usable_size(address). Addresses are ints; NULL is 0, None or a
    MemoryError. A class or function makes a fresh one for each run; an object is used for all of them, and gets its
    blocks back after each.
    memory: a writable buffer whose first byte has the address `base`, made zero before each fresh run; "process" when
    addresses are those of this process; None: the allocator's own load(address, size) and store(address, bytes) if it
    has them, else nothing is known of contents, and rules about them are not observed.
    Raises TypeError: malloc or free is missing, or memory is none.

    >>> class Bump:
    ...     def __init__(self):
    ...         self.top = 4096
    ...     def malloc(self, size):
    ...         address, self.top = self.top, self.top + size + -size % 16
    ...         return address
    ...     def free(self, address):
    ...         pass
    >>> bump = from_object(Bump)
    >>> [event.result for event in bump.run([Operation(Function.MALLOC, size=20)] * 2).events]
    [4096, 4128]
    """
    shared = not makes_one(allocator)
    buffer = None if memory is None or memory == "process" else BufferMemory(memory, base)
    name = name or getattr(allocator, "__name__", type(allocator).__name__).rpartition(".")[2]

    def memory_of(made: Any) -> Memory:
        if buffer is not None:
            return buffer
        if memory is not None:
            return ProcessMemory()
        own = callable(getattr(made, "load", None)) and callable(getattr(made, "store", None))
        return OwnMemory(made) if own else NoMemory()

    def make() -> ObjectFace:
        if buffer is not None and not shared:
            buffer.clear()
        made = allocator if shared else allocator()
        return ObjectFace(made, memory_of(made), name)

    blind = isinstance(memory_of(allocator if shared else allocator()), NoMemory)
    return LocalTarget(name, make, shared=shared, executor=Blind if blind else Executor, standard=OF_OBJECTS)


def from_ctypes(functions: ctypes.CDLL | Mapping[str, Any], *, prefix: str = "", name: str = "") -> LocalTarget:
    """A library that ctypes has loaded, or a mapping from C names to function pointers or addresses.

    Functions are called by their C prototypes, whatever argtypes they were given. Of a library only those that it
    exports itself are used. prefix: what their names begin with, `my_` for my_malloc.
    Raises TypeError: malloc or free is missing.

    >>> from_ctypes(ctypes.CDLL(None)).name
    'this process'
    """
    if isinstance(functions, Mapping):
        return native(name or "function pointers", of_mapping(functions))
    if not isinstance(functions, ctypes.CDLL):
        raise TypeError(f"{functions!r} is neither a ctypes.CDLL nor a mapping from names to function pointers")
    name = name or (Path(functions._name).name if functions._name else "this process")
    return native(name, of_library(functions, prefix), prefix, holds_gil=isinstance(functions, ctypes.PyDLL))


def from_cffi(library: Any, *, prefix: str = "", name: str = "") -> LocalTarget:
    """The `lib` of a compiled cffi module, or what `ffi.dlopen` gave, as far as its cdef declares the functions.

    prefix: what their names begin with.  Raises TypeError: malloc or free is missing, or it is no library of cffi's.
    """
    if not is_cffi(library):
        raise TypeError(f"{library!r} is no library of cffi's: `lib` of a compiled module or ffi.dlopen(...) is wanted")
    return native(name or "a cffi library", of_cffi(library, prefix), prefix)


def from_cython(module: ModuleType, *, prefix: str = "", name: str = "") -> LocalTarget:
    """A compiled Cython module: the C functions that others can cimport, else its Python functions.

    C functions are those declared in its .pxd or `cdef api` (they are in `__pyx_capi__`); Python functions (`cpdef`,
    `def`) take and return addresses as ints. prefix: what the names begin with.
    Raises TypeError: malloc or free is missing, or takes other arguments.
    """
    name = name or module.__name__.rpartition(".")[2]
    entries = of_cython(getattr(module, "__pyx_capi__", {}), name, prefix)
    if entries:
        return native(name, entries, prefix, holds_gil=True)
    if prefix:
        require(name, frozenset(), prefix)
    return from_object(module, memory="process", name=name)


def native(name: str, entries: Mapping[Function, Entry], prefix: str = "", *, holds_gil: bool = False) -> LocalTarget:
    """The target for functions by address."""
    require(name, frozenset(entries), prefix)
    face = NativeFace(name, entries, holds_gil=holds_gil)
    return LocalTarget(name, lambda: face, shared=True, standard=OF_LIBRARIES)


def makes_one(allocator: Any) -> bool:
    """Whether this is called to get an allocator, instead of being one: a class, or a function without methods."""
    return isinstance(allocator, type) or (callable(allocator) and not hasattr(allocator, "malloc"))


def is_cffi(library: Any) -> bool:
    """Whether cffi made this; without importing cffi, which then is there already."""
    return "_cffi_backend" in sys.modules and type(library).__module__ in ("cffi.api", "_cffi_backend")


class OnDemand:
    """A library that is first loaded when something is asked of it; its driver ends with this process.

    So a test module can name it, and collecting the tests costs nothing.
    Raises ValueError: there is no such file, or it is no shared library of this machine.
    """

    def __init__(self, path: str | os.PathLike[str], **options: Any) -> None:
        self.path, self.options = os.fspath(path), options
        problem = "" if self.path == "system" else wrong_with(Path(self.path))
        if problem:
            raise ValueError(f"{self.path}: {problem}")
        self.name = self.path

    @cached_property
    def foreign(self) -> Foreign:
        """The library, loaded."""
        foreign = Foreign(self.path, **self.options)
        self.end = weakref.finalize(self, foreign.close)
        return foreign

    @property
    def functions(self) -> frozenset[Function]:
        """What the library exports."""
        return self.foreign.functions

    def terms(self, standard: str | None = None) -> Terms:
        """What the library is held to: the standard, and what it promises itself."""
        return terms_of(self.foreign, standard)

    def begin(self) -> Session:
        """A fresh heap to be asked step by step."""
        return self.foreign.begin()

    def run(self, operations: Sequence[Operation]) -> Episode:
        """Carry out a whole plan on a fresh heap."""
        return self.foreign.run(operations)

    def repeat(self, operations: Sequence[Operation], limit: int) -> Usage:
        """Carry out the plan over and over on one fresh heap; see Target.repeat."""
        return self.foreign.repeat(operations, limit)

    def close(self) -> None:
        """End the driver, if it was started; the next use starts another."""
        if "foreign" in vars(self):
            self.end()
            del self.foreign


def terms_of(target: Target, given: Terms | str | None = None) -> Terms:
    """What a target is held to: what is given, be it only the standards, else what suits it. Raises ValueError.

    >>> terms_of(target("system")).standard, terms_of(target(ctypes.CDLL(None)), "c17").standard
    ('c17,glibc', 'c17')
    """
    if isinstance(given, Terms):
        return given
    if isinstance(target, Foreign):
        ours = target.name == "system" or target.quarantine_limit > 0
        return target.terms(given or (OF_THE_SYSTEM if ours else OF_LIBRARIES))
    own: Callable[[str | None], Terms] | None = getattr(target, "terms", None)
    return Terms(given or OF_LIBRARIES) if own is None else own(given)


def target(backend: Any, **options: Any) -> Target:
    """Whatever is given as an allocator, as what the tools drive.

    backend: the path of a shared library, or "system"; a Target; a ctypes.CDLL, or a mapping from names to function
    pointers; a library of cffi's; a Cython module; an object with malloc and free, or a class or function that makes
    one. options: those of the adapter, or of `m4alloc.check.foreign.Foreign`.
    Raises TypeError or ValueError: what is wrong with it.

    >>> target("system").name, target(ctypes.CDLL(None)).name
    ('system', 'this process')
    """
    adapt: Callable[..., Any] = from_object
    if isinstance(backend, str | os.PathLike):
        adapt = OnDemand
    elif all(hasattr(backend, name) for name in ("name", "functions", "begin", "run")):
        if options:
            raise TypeError(f"{', '.join(options)}: a target ({backend.name}) takes no options")
        found: Target = backend
        return found
    elif isinstance(backend, ctypes.CDLL | Mapping):
        adapt = from_ctypes
    elif is_cffi(backend):
        adapt = from_cffi
    elif isinstance(backend, ModuleType) and hasattr(backend, "__pyx_capi__"):
        adapt = from_cython
    elif not makes_one(backend) and not any(hasattr(backend, function.name.lower()) for function in NEEDED):
        raise TypeError(
            f'{backend!r} is no allocator: the path of a shared library, "system", a ctypes.CDLL, a cffi library, '
            "a Cython module, or an object with malloc(size) and free(address) is wanted"
        )
    adapted: Target = adapt(backend, **options)
    return adapted
