"""The programs of alloc_bench make the calls they say they make, and a wrong allocator shows in what they print."""

import os
import shutil
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from m4alloc.lib import lib
from tests.m4alloc.native import ROOT

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="apt install gcc libc6-dev")

FOLDER = ROOT / "benchmarks" / "alloc_bench"
CATALOGUE: list[dict[str, Any]] = tomllib.loads((FOLDER / "catalogue.toml").read_text())["program"]
NAMES = [program["name"] for program in CATALOGUE]
FLAGS = ("-std=gnu17", "-O2", "-fno-builtin", "-pthread", "-Wall", "-Wextra", "-Werror")

COUNTER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
static atomic_ullong calls;
static char *text_begin, *text_end;
/* The first object is the program itself: what libc and the linker allocate for themselves is not counted. */
static int find_text(struct dl_phdr_info *info, size_t size, void *unused) {
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
            text_begin = (char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            text_end = text_begin + info->dlpi_phdr[i].p_memsz;
        }
    return size == 0 || unused ? 0 : 1;
}
__attribute__((constructor)) static void begin(void) { dl_iterate_phdr(find_text, NULL); }
#define COUNT() do { char *at = __builtin_return_address(0); calls += at >= text_begin && at < text_end; } while (0)
void *malloc(size_t n) { COUNT(); return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { COUNT(); return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { COUNT(); return __libc_realloc(p, n); }
void free(void *p) { COUNT(); __libc_free(p); }
__attribute__((destructor)) static void end(void) {
    char text[32];
    int file = open(getenv("CALLS"), O_WRONLY | O_CREAT, 0600), length = snprintf(text, sizeof text, "%llu", calls);
    if (write(file, text, length) != length) _exit(9);
}
"""

# Correct with no fault: blocks are cut from one mapping, never reused, and filled with rubbish.
WRONG = r"""
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
enum { NONE, OVERLAPPING, FORGETFUL, UNCLEARED, TWICE };
static _Atomic(char *) next;
static atomic_ullong calls;
static _Atomic(void *) earlier;
static void *take(size_t n) {
    if (!next) {
        char *none = NULL, *all = mmap(NULL, 1ul << 32, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        atomic_compare_exchange_strong(&next, &none, all);
    }
    size_t room = (n + 15) / 16 * 16 + 16, step = FAULT == OVERLAPPING && n >= 16 ? 16 + n / 32 * 16 : room;
    char *p = atomic_fetch_add(&next, step);
    *(size_t *)p = n;
    p += 16;
    if (FAULT == TWICE && n == 64 && ++calls % 100 == 0 && earlier) return earlier;
    if (n == 64) earlier = p;
    return p;
}
void *malloc(size_t n) { char *p = take(n); return memset(p, 0xa5, n < 8192 ? n : 0); }
void *calloc(size_t n, size_t size) {
    char *p = malloc(n * size);
    return FAULT == UNCLEARED ? p : memset(p, 0, n * size);
}
void *realloc(void *p, size_t n) {
    char *q = malloc(n);
    if (!p) return q;
    size_t old = ((size_t *)p)[-2], kept = old < n ? old : n;
    return memcpy(q, p, FAULT == FORGETFUL ? kept / 2 : kept);
}
void free(void *p) { (void)p; }
"""


def cc(*words: str | Path) -> None:
    done = subprocess.run(["cc", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


@dataclass(frozen=True)
class Built:
    folder: Path

    def run(self, name: str, *words: str, preload: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | ({"LD_PRELOAD": str(preload)} if preload else {}) | more
        command = [str(self.folder / name), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    def short(self, name: str, preload: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run(name, *words_of(name, "short"), preload=preload, **more)

    def wrong(self, fault: str) -> Path:
        """The allocator with one fault, compiled when it is first asked for."""
        library = self.folder / f"{fault}.so"
        if not library.exists():
            source = self.folder / "wrong.c"
            source.write_text(WRONG)
            cc("-O1", "-fno-builtin", "-shared", "-fPIC", f"-DFAULT={fault}", source, "-o", library)
        return library


def program_of(name: str) -> dict[str, Any]:
    return next(program for program in CATALOGUE if program["name"] == name)


def words_of(name: str, scale: str) -> list[str]:
    program = program_of(name)
    return [word.replace("{threads}", str(program["threads"])) for word in program[scale]]


def result_of(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr)
    *_, operations, checksum = done.stdout.splitlines()
    assert operations.startswith("operations ") and checksum.startswith("checksum ")
    return int(operations.split()[1]), checksum.split()[1]


def expected(name: str) -> tuple[int, str]:
    program = program_of(name)
    return program["short_operations"], program["short_checksum"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """All programs, compiled as the benchmark does, with warnings that are errors."""
    folder = tmp_path_factory.mktemp("alloc_bench")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda p: cc(*FLAGS, FOLDER / p["source"], "-lm", "-o", folder / p["name"]), CATALOGUE))
    return Built(folder)


def test_the_catalogue_lists_every_source_once() -> None:
    assert sorted(program["source"] for program in CATALOGUE) == sorted(path.name for path in FOLDER.glob("*.c"))
    assert len(set(NAMES)) == len(NAMES)
    for program in CATALOGUE:
        takes_threads = "{threads}" in program["arguments"]
        assert takes_threads <= (program["threads"] > 0), program["name"]
        assert len(program["arguments"]) == len(program["short"]) == len(program["trace"])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_glibc_and_m4alloc_give_the_result_of_the_catalogue(built: Built, name: str) -> None:
    assert result_of(built.short(name)) == expected(name)
    assert result_of(built.short(name, preload=lib())) == expected(name)


def test_the_calls_made_are_the_operations_printed(built: Built) -> None:
    source, library = built.folder / "counter.c", built.folder / "counter.so"
    source.write_text(COUNTER)
    cc("-O1", "-fno-builtin", "-shared", "-fPIC", source, "-o", library)
    counted = {}
    for name in NAMES:
        calls = built.folder / f"{name}.calls"
        built.short(name, preload=library, CALLS=str(calls))
        counted[name] = int(calls.read_text())
    assert counted == {name: expected(name)[0] for name in NAMES}


def test_threads_change_nothing_in_the_result(built: Built) -> None:
    for name in ("mstress", "rptest", "sh8", "larson", "xmalloc"):
        words = [word.replace("{threads}", "5") for word in program_of(name)["short"]]
        assert len({built.run(name, *words).stdout for _ in range(3)}) == 1, name


# random_mixed has one block at a time, which nothing can overlap; espresso on overlapping cubes may never end.
@pytest.mark.parametrize(
    ("fault", "notice"),
    [
        ("OVERLAPPING", set(NAMES) - {"random_mixed", "espresso"}),
        ("TWICE", {"glibc_simple", "xmalloc"}),
        ("FORGETFUL", {"espresso"}),
        ("UNCLEARED", {"rptest", "espresso", "cfrac"}),
    ],
)
def test_a_wrong_allocator_shows(built: Built, fault: str, notice: set[str]) -> None:
    library = built.wrong(fault)
    for name in sorted(notice):
        done = built.short(name, preload=library)
        assert done.returncode != 0 or result_of(done) != expected(name), name


def test_an_allocator_that_reuses_nothing_is_not_wrong(built: Built) -> None:
    for name in ("binary_tree", "espresso", "cfrac", "glibc_simple", "rptest"):
        assert result_of(built.short(name, preload=built.wrong("NONE"))) == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_bad_arguments_are_refused_by_name(built: Built, name: str) -> None:
    done = built.run(name)
    assert done.returncode == 2 and f"usage: {name} " in done.stderr and not done.stdout
    words = words_of(name, "short")
    done = built.run(name, *words[:-1], "many")
    assert done.returncode == 2 and ": many: want " in done.stderr and not done.stdout


def test_an_allocation_that_fails_ends_the_program_with_a_message(built: Built) -> None:
    command = f"ulimit -v 300000; exec {built.folder / 'malloc_large'} 0 100 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "no memory for a block of " in done.stderr


def test_the_limit_is_a_correct_malloc_that_refuses_what_is_no_live_slot(built: Built) -> None:
    """limit.c is measured beside allocators, so it must be one."""
    library = built.folder / "limit.so"
    cc(*FLAGS, "-fPIC", "-shared", "-DSLOT=64", FOLDER.parent / "limit.c", "-o", library)
    for name in ("binary_tree", "cfrac", "glibc_thread", "larson", "rptest"):
        assert result_of(built.short(name, preload=library)) == expected(name)
    source = built.folder / "twice.c"
    source.write_text(
        "#include <stdlib.h>\n"
        "int main(int n, char **v) {\n"
        "    char *p = malloc(64);\n"
        "    if (n == 2) free(p);\n"
        "    free(p + (n == 3));\n"
        "    return !v;\n"
        "}\n"
    )
    cc("-O1", "-fno-builtin", "-w", source, "-o", built.folder / "twice")
    assert built.run("twice", preload=library).returncode == 0
    assert built.run("twice", "again", preload=library).returncode == -6
    assert built.run("twice", "one", "beyond", preload=library).returncode == -6
