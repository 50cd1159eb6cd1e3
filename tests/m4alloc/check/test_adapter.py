"""Allocators of users behind the adapters: what is right passes, what is wrong is found, what is missing is said."""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from capability.fault import Fault, FaultKind
from m4alloc.check import AllocatorMachine
from m4alloc.check.adapter import OnDemand, from_cffi, from_ctypes, from_cython, from_object, target, terms_of
from m4alloc.check.judgement import Terms, judge
from m4alloc.check.local import LocalTarget
from m4alloc.check.operation import Aim, Directive, Operation, directive
from m4alloc.check.scripted import play
from m4alloc.check.search import find_history
from m4alloc.check.target import End
from spec.error import Misuse, Violation
from spec.event import MISUSE_CAUGHT, NEVER_RETURNED, Function
from spec.script import parse

MALLOC = [Operation(Function.MALLOC, size=24)]
FREE = [Operation(Function.FREE, aim=Aim.LIVE)]
CALLOC = [Operation(Function.CALLOC, size=8, count=3)]
SIZES = st.integers(1, 200)
FIXED = settings(max_examples=12, database=None, deadline=None, stateful_step_count=12)
FOUND = settings(FIXED, max_examples=50, phases=[Phase.generate, Phase.shrink], report_multiple_bugs=False)
UNSHRUNK = settings(FOUND, phases=[Phase.generate])


def run_seeded(chosen: type[RuleBasedStateMachine], settings: settings = FIXED) -> None:
    """Run a machine, the same way every time: how long a failing run takes to shrink is a matter of luck."""
    run_state_machine_as_test(seed(3)(chosen), settings=settings)


class Bump:
    """Hands out one address behind the other, and never takes anything back."""

    def __init__(self) -> None:
        self.top = 4096

    def malloc(self, size: int) -> int:
        if size > 1 << 20:
            raise MemoryError
        address, self.top = self.top, self.top + size + -size % 16 + 16 * (size == 0)
        return address

    def free(self, address: int) -> None:
        pass


def rule(backend: LocalTarget, plan: list[Operation]) -> str:
    """The rule that a plan breaks, or nothing."""
    broken = judge(backend.run(plan), terms_of(backend))
    return "" if broken is None else broken.rule.name


# Python objects.


def test_a_class_makes_a_fresh_allocator_for_each_run() -> None:
    bump = from_object(Bump)
    assert [event.result for event in bump.run(MALLOC).events] == [4096]
    assert [event.result for event in bump.run(MALLOC).events] == [4096]


def test_an_object_is_used_for_every_run_and_gets_its_blocks_back() -> None:
    freed = []

    class Counting(Bump):
        def free(self, address: int) -> None:
            freed.append(address)

    bump = from_object(Counting())
    assert [event.function for event in bump.run(MALLOC).events] == [Function.MALLOC, Function.FREE]
    assert [event.result for event in bump.run(MALLOC).events] == [4128, 0]
    assert freed == [4096, 4128]


def test_a_right_allocator_passes_the_machine_and_the_search() -> None:
    run_seeded(AllocatorMachine(Bump))
    assert find_history(from_object(Bump), 20, terms=Terms("c23")) is None


def test_an_overlap_is_found_without_any_memory() -> None:
    class Overlapping(Bump):
        def malloc(self, size: int) -> int:
            address = super().malloc(size)
            self.top -= 16 if size > 100 else 0
            return address

    with pytest.raises(Violation) as caught:
        run_seeded(AllocatorMachine(Overlapping, threads=1, sizes=SIZES), FOUND)
    assert caught.value.rule.name == "result-disjoint"
    steps = parse(caught.value.__notes__[0]).steps
    assert [step.event.size for step in steps if step.event is not None] == [101, 1]


def test_without_memory_nothing_is_said_of_contents() -> None:
    class Zeroing(Bump):
        def calloc(self, count: int, size: int) -> int:
            return self.malloc(count * size)

        def realloc(self, address: int, size: int) -> int:
            return self.malloc(size)

    events = from_object(Zeroing).run([*CALLOC, Operation(Function.REALLOC, aim=Aim.LIVE, size=40)]).events
    assert [event.function for event in events] == [Function.CALLOC, Function.REALLOC]
    assert {event.intact for event in events} == {-1}


class InBuffer(Bump):
    """The same with contents: its calloc relies on memory that was never used, its realloc copies too little."""

    memory = bytearray(1 << 16)

    def malloc(self, size: int) -> int:
        return super().malloc(size) if self.top + size < 1 << 16 else 0

    def calloc(self, count: int, size: int) -> int:
        return self.malloc(count * size)

    def realloc(self, address: int, size: int) -> int:
        fresh = self.malloc(size)
        if address and fresh:
            self.memory[fresh : fresh + size] = self.memory[address : address + size]
            self.memory[fresh + 20 : fresh + 21] = b"!"
        return fresh


def test_a_buffer_holds_the_contents_and_is_zero_before_each_run() -> None:
    backend = from_object(InBuffer, memory=InBuffer.memory)
    for _ in range(2):
        assert [event.intact for event in backend.run(CALLOC).events] == [24]
    assert rule(backend, [*MALLOC, Operation(Function.REALLOC, aim=Aim.LIVE, size=40)]) == "realloc-keeps-contents"


def test_a_buffer_begins_at_its_base() -> None:
    memory = bytearray(64)
    assert rule(from_object(Bump, memory=memory, base=4096), MALLOC) == ""
    assert any(memory[:24])
    assert not any(memory[24:])


def test_a_block_outside_the_buffer_is_not_accessible() -> None:
    backend = from_object(Bump, memory=bytearray(64), base=4096)
    plan = MALLOC * 3
    episode = backend.run(plan)
    assert episode.end is End.CRASHED
    assert episode.message == "24 bytes at 0x1040 are not all in memory [0x1000, 0x1040)"
    assert [event.flags for event in episode.events] == [0, 0, 0, NEVER_RETURNED]
    assert rule(backend, plan) == "block-accessible"


def test_an_allocator_with_load_and_store_brings_its_own_memory() -> None:
    class Storing(Bump):
        def __init__(self) -> None:
            super().__init__()
            self.bytes: dict[int, int] = {}

        def load(self, address: int, size: int) -> bytes:
            return bytes(self.bytes.get(at, 7) for at in range(address, address + size))

        def store(self, address: int, data: bytes) -> None:
            self.bytes.update(enumerate(data, address))

        def calloc(self, count: int, size: int) -> int:
            return self.malloc(count * size)

        def free(self, address: int) -> None:
            self.store(self.top - 16, b"!")

    assert rule(from_object(Storing), CALLOC) == "calloc-zeroes"
    plan = [*MALLOC, Operation(Function.MALLOC, size=16), Operation(Function.FREE, aim=Aim.LIVE, block=1)]
    assert rule(from_object(Storing), plan) == "block-keeps-contents"


def test_a_fault_of_its_own_memory_means_that_a_block_is_not_accessible() -> None:
    class Faulting(Bump):
        def load(self, address: int, size: int) -> bytes:
            return bytes(size)

        def store(self, address: int, data: bytes) -> None:
            raise Fault(FaultKind.UNMAPPED, 1, address, "no memory there")

    assert rule(from_object(Faulting), MALLOC) == "block-accessible"


def test_addresses_may_be_those_of_this_process() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    backend = from_object(SimpleNamespace(malloc=libc.malloc, free=libc.free), memory="process")
    assert [event.function for event in backend.run([*MALLOC, *FREE]).events] == [Function.MALLOC, Function.FREE]


def test_no_memory_and_a_caught_misuse_are_replies() -> None:
    class Careful(Bump):
        def free(self, address: int) -> None:
            raise Misuse("double-free", "no")

    plan = [Operation(Function.MALLOC, size=2 << 20), *MALLOC, *FREE]
    events = from_object(Careful).run(plan).events
    assert [(event.result, event.errno, event.flags) for event in events] == [
        (0, 12, 0),
        (4096, 0, 0),
        (0, 0, MISUSE_CAUGHT),
    ]


def test_an_exception_of_the_allocator_comes_through_with_the_script_of_the_calls() -> None:
    class Failing(Bump):
        def free(self, address: int) -> None:
            raise LookupError("no such block")

    with pytest.raises(LookupError, match="no such block") as caught:
        run_seeded(AllocatorMachine(Failing, threads=1), FOUND)
    assert caught.value.__notes__[0].splitlines()[-1] == "free NULL never-returned"


@pytest.mark.parametrize("result", ["0x1000", 1.5, -16, 1 << 64])
def test_a_reply_that_is_no_address_is_an_error_that_names_the_call(result: object) -> None:
    allocator = SimpleNamespace(malloc=lambda size: result, free=lambda address: None)
    with pytest.raises(TypeError, match=r"SimpleNamespace.malloc\(24\) returned .*; an address is an int, NULL is 0"):
        from_object(allocator).run(MALLOC)


def test_posix_memalign_gives_a_pair() -> None:
    pair = SimpleNamespace(malloc=int, free=int, posix_memalign=lambda alignment, size: (22, 0))
    plan = [Operation(Function.POSIX_MEMALIGN, size=8, alignment=3)]
    assert [event.errno for event in from_object(pair).run(plan).events] == [22]
    pair.posix_memalign = lambda alignment, size: 4096
    with pytest.raises(TypeError, match=r"posix_memalign\(3, 8\) returned 4096; a pair \(error, address\) is wanted"):
        from_object(pair).run(plan)


# Functions of this process.


def test_a_library_of_ctypes_is_driven_by_its_own_functions_alone(bump: Callable[..., str]) -> None:
    backend = from_ctypes(ctypes.CDLL(bump()))
    assert Function.CALLOC in backend.functions
    assert Function.REALLOCARRAY not in backend.functions, "libc's, found behind the library"
    run_seeded(AllocatorMachine(ctypes.CDLL(bump())))


def test_a_fault_of_a_library_of_ctypes_is_found(bump: Callable[..., str]) -> None:
    with pytest.raises(Violation) as caught:
        run_seeded(AllocatorMachine(ctypes.CDLL(bump("NOT_ZERO"))), UNSHRUNK)
    assert caught.value.rule.name == "calloc-zeroes"
    assert rule(from_ctypes(ctypes.CDLL(bump("FREE_SETS_ERRNO"))), [*MALLOC, *FREE]) == "free-keeps-errno"


def test_function_pointers_have_the_names_that_a_mapping_gives_them(bump: Callable[..., str]) -> None:
    library = ctypes.CDLL(bump())
    address = ctypes.cast(library.free, ctypes.c_void_p).value
    backend = target({"malloc": library.malloc, "free": address})
    assert backend.functions == {Function.MALLOC, Function.FREE}
    assert [event.usable for event in backend.run([*MALLOC, *FREE]).events] == [-1, -1]


def test_callbacks_of_ctypes_are_function_pointers_too() -> None:
    room = ctypes.create_string_buffer(1 << 12)
    made = [ctypes.addressof(room) + -ctypes.addressof(room) % 16]

    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)
    def malloc(size: int) -> int:
        made.append(made[-1] + 64)
        return made[-2]

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def free(address: int) -> None:
        pass

    assert [event.result for event in from_ctypes({"malloc": malloc, "free": free}).run(MALLOC).events] == [made[0], 0]


def test_a_prefix_is_what_the_names_begin_with(library: Callable[..., str]) -> None:
    text = (
        "#include <stdlib.h>\nvoid *my_malloc(size_t n) { return malloc(n); }\nvoid my_free(void *p) { free(p); }"
        "\nsize_t my_usable_size(void *p) { return 24; }"
    )
    backend = from_ctypes(ctypes.CDLL(library(text)), prefix="my_")
    assert [event.usable for event in backend.run([*MALLOC, *FREE]).events] == [24, -1]
    with pytest.raises(
        TypeError, match=r"has no your_malloc and no your_free; an allocator has at least your_malloc\("
    ):
        from_ctypes(ctypes.CDLL(library(text)), prefix="your_")


def test_a_library_without_malloc_is_refused_though_libc_has_one(library: Callable[..., str]) -> None:
    loaded = ctypes.CDLL(library("#include <unistd.h>\nvoid free(void *p) { getpid(); }"))
    assert loaded.malloc
    with pytest.raises(TypeError, match=r"\.so has no malloc; an allocator has at least malloc\(size\) and free\(addr"):
        from_ctypes(loaded)


def test_a_library_of_cffi_is_driven_as_one_of_ctypes(bump: Callable[..., str]) -> None:
    cffi = pytest.importorskip("cffi", reason="needs cffi: pip install cffi")
    ffi = cffi.FFI()
    ffi.cdef(
        "void *malloc(size_t); void free(void *); void *calloc(size_t, size_t);"
        "void *reallocarray(void *, size_t, size_t);"
    )
    library = ffi.dlopen(bump("NOT_ZERO"))
    backend = target(library)
    assert backend.functions == {Function.MALLOC, Function.FREE, Function.CALLOC}
    assert rule(from_cffi(library), [Operation(Function.CALLOC, size=100)]) == "calloc-zeroes"


def test_what_is_no_library_of_cffi_is_refused() -> None:
    with pytest.raises(TypeError, match="is no library of cffi's: `lib` of a compiled module"):
        from_cffi(ctypes.CDLL(None))


def test_the_c_functions_of_a_cython_module_are_found_by_its_capsules() -> None:
    core = pytest.importorskip("m4alloc._fast", reason="the native core is not built: make")
    backend = from_cython(core, prefix="m4_")
    assert {Function.MALLOC, Function.REALLOC, Function.FREE_SIZED, Function.USABLE_SIZE} <= backend.functions
    run_seeded(AllocatorMachine(core, prefix="m4_", terms="c17"))


def capsules(**functions: tuple[Any, str]) -> ModuleType:
    """A module that exports C functions as Cython does, each with its signature; keeps what it points to."""
    new: Any = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    module: Any = ModuleType("mine")
    module.kept = [(pointer, signature.encode()) for pointer, signature in functions.values()]
    pairs = zip(functions, module.kept, strict=True)
    module.__pyx_capi__ = {
        name: new(ctypes.cast(pointer, ctypes.c_void_p), text, None) for name, (pointer, text) in pairs
    }
    return module  # type: ignore[no-any-return]


def test_a_cpdef_function_is_told_to_look_for_no_override() -> None:
    asked = []

    @ctypes.PYFUNCTYPE(ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int)
    def malloc(size: int, skip: int) -> int:
        asked.append((size, skip))
        return 0

    libc = ctypes.CDLL(None)
    module = capsules(malloc=(malloc, "size_t (size_t, int __pyx_skip_dispatch)"), free=(libc.free, "void (void *)"))
    assert [event.result for event in target(module).run(MALLOC).events] == [0]
    assert asked == [(24, 0)]


def test_a_c_function_with_other_arguments_is_refused() -> None:
    libc = ctypes.CDLL(None)
    module = capsules(malloc=(libc.malloc, "void *(size_t, int)"), free=(libc.free, "void (void *)"))
    with pytest.raises(TypeError, match=r"mine.malloc is 'void \*\(size_t, int\)'; malloc\(size\) is wanted"):
        target(module)


@pytest.mark.campaign
def test_a_cython_module_is_an_allocator_by_cdef_api_and_by_cpdef(tmp_path: Path) -> None:
    (tmp_path / "mine.pyx").write_text(
        "# cython: language_level=3\n"
        "from libc.stdlib cimport malloc as c_malloc, free as c_free\n"
        "cdef api void *malloc(size_t size) noexcept nogil:\n    return c_malloc(size)\n"
        "cdef api void free(void *block) noexcept nogil:\n    c_free(block)\n"
        "cdef api void *calloc(size_t count, size_t size) except NULL:\n    raise MemoryError('none')\n"
        "cpdef size_t py_malloc(size_t size):\n    return <size_t>c_malloc(size)\n"
    )
    include = sysconfig.get_path("include")
    subprocess.run([sys.executable, "-m", "cython", "-3", "mine.pyx"], cwd=tmp_path, check=True)
    command = ["gcc", "-w", "-shared", "-fPIC", f"-I{include}", "mine.c", "-o", "mine.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    spec = importlib.util.spec_from_file_location("mine", tmp_path / "mine.so")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    events = from_cython(module).run([*MALLOC, *FREE, *CALLOC]).events
    assert [(event.function, event.errno) for event in events] == [
        (Function.MALLOC, 0),
        (Function.FREE, 0),
        (Function.CALLOC, 12),
    ]


# What is given, and what is missing.


@pytest.mark.parametrize(
    ("allocator", "message"),
    [
        (
            SimpleNamespace(malloc=int),
            r"SimpleNamespace has no free; an allocator has at least malloc\(size\) and free",
        ),
        (SimpleNamespace(free=int), "SimpleNamespace has no malloc; "),
        (type("Empty", (), {}), "Empty has no malloc and no free; "),
        (object(), 'is no allocator: the path of a shared library, "system", a ctypes.CDLL'),
        (24, "24 is no allocator"),
        ({"mallok": 1}, "'mallok' is no function of the malloc family; known are malloc, free, calloc"),
        ({"malloc": "x"}, "'x' is no function pointer of ctypes"),
    ],
)
def test_what_is_missing_is_named(allocator: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        target(allocator)


@pytest.mark.parametrize(
    ("memory", "message"),
    [(b"fixed", "memory of type bytes must be writable"), (7, "memory is 7; it must be a writable buffer")],
)
def test_memory_that_cannot_be_written_is_refused(memory: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        from_object(Bump, memory=memory)


def test_each_backend_is_held_to_what_suits_it(bump: Callable[..., str]) -> None:
    backends = (Bump, ctypes.CDLL(bump()), bump(), "system")
    assert [terms_of(target(backend)).standard for backend in backends] == [
        "c23",
        "c23,posix",
        "c23,posix",
        "c17,glibc",
    ]
    assert terms_of(target(Bump), "c17").standard == "c17"


def test_a_library_is_loaded_when_it_is_first_asked_and_again_after_it_was_closed() -> None:
    system = OnDemand("system")
    assert "foreign" not in vars(system)
    assert Function.MALLOC in system.functions
    system.close()
    assert [event.function for event in system.run(MALLOC).events] == [Function.MALLOC]
    system.close()
    system.close()


# Scripts and plans in this process.


def test_a_repeat_is_carried_out_and_a_fork_is_left_out() -> None:
    plan = [directive(Directive.REPEAT, 3), *MALLOC, directive(Directive.END_REPEAT), directive(Directive.FORK_CHILD)]
    assert [event.function for event in from_object(Bump).run(plan).events] == [Function.MALLOC] * 3


def test_only_the_label_thread_end_ends_a_thread() -> None:
    seen: list[int] = []

    class Counting(Bump):
        def malloc(self, size: int) -> int:
            seen.append(threading.get_native_id())
            return super().malloc(size)

    text = "@1 malloc 8\n@1 label here\n@1 malloc 8\n@1 label thread-end\n@1 malloc 8\n"
    outcome = play(parse(text), from_object(Counting))
    assert [event.label for event in outcome.events if event.function is Function.LABEL] == ["here", "thread-end"]
    assert seen[0] == seen[1]
