"""The preloaded malloc works before main, after main, and in a library that is loaded or closed at any time."""

import sys

import pytest

from tests.m4alloc.native import PRELOAD, assert_holds, build, checks, library, need, run

AFTER_MAIN = "blocks_live_on_into_atexit_and_the_last_destructor"


@pytest.mark.parametrize("check", [name for name in checks(PRELOAD / "start.c") if name != AFTER_MAIN])
def test_before_main(check: str) -> None:
    assert_holds(PRELOAD / "start.c", check)


def test_blocks_live_on_into_atexit_and_the_last_destructor() -> None:
    ran = run([build(PRELOAD / "start.c"), AFTER_MAIN])
    assert (ran.status, ran.err) == (0, ""), ran
    assert ran.out == f"the last destructor ran, 0 failures\n{AFTER_MAIN}: 1 expectations held\n"


def test_a_library_in_cplusplus_loaded_late_catches_bad_alloc() -> None:
    thrower = build(PRELOAD / "thrower.cc", "-shared", "-fPIC")
    check = "a_library_in_cplusplus_loaded_late_catches_bad_alloc"
    ran = run([build(PRELOAD / "loading.c"), check, thrower])
    assert (ran.status, ran.out, ran.err) == (0, f"{check}: 4 expectations held\n", ""), ran


def test_the_library_can_be_loaded_beside_another_malloc_and_closed() -> None:
    if not library():
        pytest.skip("the system's malloc is never loaded late")
    check = "the_library_can_be_loaded_beside_another_malloc_and_closed"
    ran = run([build(PRELOAD / "loading.c"), check, library()], preload=False)
    assert (ran.status, ran.err) == (0, ""), ran
    assert ran.out.startswith(f"{check}: ")


FROM_PYTHON = """
import ctypes, os, sys, threading
it = ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
for name, arguments in {"malloc": 1, "calloc": 2, "aligned_alloc": 2}.items():
    function = getattr(it, name)
    function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_size_t] * arguments
it.realloc.restype, it.realloc.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t]
it.free.restype, it.free.argtypes = None, [ctypes.c_void_p]
it.malloc_usable_size.restype, it.malloc_usable_size.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
good = []

def use(seed):
    blocks = []
    for size in [1, 24, 100, 4000, 70000, 2000000] * 20:
        block = it.malloc(size)
        ctypes.memset(block, seed, size)
        zero = it.calloc(size, 2)
        assert not any(ctypes.string_at(zero, min(2 * size, 5000)))
        assert it.aligned_alloc(4096, size) % 4096 == 0
        grown = it.realloc(block, 3 * size)
        assert ctypes.string_at(grown, size) == bytes([seed]) * size
        assert it.malloc_usable_size(grown) >= 3 * size
        it.free(zero)
        blocks.append(grown)
    for block in blocks:
        it.free(block)
    good.append(seed)

threads = [threading.Thread(target=use, args=(seed,)) for seed in range(1, 6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
use(9)
print(sorted(good))
"""


def test_python_can_use_the_library_beside_its_own_malloc() -> None:
    ran = run([sys.executable, "-c", FROM_PYTHON, library() or "libc.so.6"], preload=False)
    assert (ran.status, ran.out, ran.err) == (0, "[1, 2, 3, 4, 5, 9]\n", ""), ran


def test_under_valgrind() -> None:
    valgrind = need("valgrind", "valgrind")
    check = "every_usable_byte_of_every_block_is_its_own"
    ran = run([valgrind, "--tool=none", "--quiet", build(PRELOAD / "contents.c"), check], timeout=120)
    assert (ran.status, ran.err) == (0, ""), ran
    assert ran.out.startswith(f"{check}: ")
