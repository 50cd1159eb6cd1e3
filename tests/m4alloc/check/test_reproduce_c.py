"""The C program of a finding returns 1 on the allocator that broke the rule, and 0 on one that keeps it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from m4alloc.check.reproduce_c import c_program, commands
from m4alloc.check.reproduce_rules import CHECKS, UNSEEN, table
from m4alloc.check.reproduce_text import PIECES, pieces
from m4alloc.check.showing import shown
from m4alloc.lib import lib
from spec.contract import EXPECTATIONS, RULES
from spec.script import parse

Bump = Callable[..., str]
Build = Callable[..., Path]
FLAGS = ["-std=gnu17", "-Wall", "-Wextra", "-Werror", "-O1", "-pthread"]

MANY = """
given standard c17 posix
given observes errno
calloc 4611686018427387905 4 -> NULL ENOMEM
posix_memalign 24 100 -> NULL EINVAL
z = malloc 0 -> 0x800 usable 0
z2 = malloc 0 -> 0x810 usable 0
a = malloc 100 -> 0x1000 usable 100
b = malloc 30 -> 0x1070 usable 30
c = calloc 8 8 -> 0x10a0 usable 64 intact 64
d = realloc a 200 -> 0x1100 usable 200 intact 100
malloc 4096 -> 0x2000 usable 4096
@1 e = malloc 64 -> 0x4000 usable 64
@2 free e
free NULL
f = malloc 16 -> 0x4050 usable 16
free b
"""
"""A bit of everything, on one heap; which rule breaks first depends on what is broken."""
BROKEN = {
    "OVERLAP": "result-disjoint",
    "TWICE": "zero-size-distinct",
    "MISALIGNED": "result-aligned-fundamental",
    "NOT_ZERO": "calloc-zeroes",
    "LOSE_TAIL": "realloc-keeps-contents",
    "SCRIBBLE": "block-keeps-contents",
    "FREE_SETS_ERRNO": "free-keeps-errno",
    "SILENT": "result-non-null-or-enomem",
    "WRAP": "calloc-overflow-refused",
    "LAX": "posix-memalign-arguments",
    "ONE_ZERO": "zero-size-distinct",
    "CRASH=4": "call-returns",
    "GENEROUS": "zero-size-distinct",
}
QUICK = ("OVERLAP", "NOT_ZERO", "LOSE_TAIL", "SCRIBBLE", "FREE_SETS_ERRNO", "CRASH=4")
campaign = pytest.mark.campaign
LIFO = """
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
static _Alignas(64) unsigned char room[1 << 24];
static size_t used;
static void *freed[64];
static int count, forked;
void *malloc(size_t size)
{
    if (forked && getpid() != forked)
        *(volatile int *)8 = 1;
    if (size > sizeof room - used)
        return NULL;
    if (count && size <= 64)
        return freed[--count];
    void *p = room + used;
    used += size <= 64 ? 64 : (size + 63) / 64 * 64;
    return p;
}
void free(void *p)
{
    if (p && count < 64)
        freed[count++] = p;
#ifdef BREAKS_AFTER_FORK
    forked = getpid();
#endif
}
"""
"""Freed slots come back at once, a double free hands one out twice, and a large slot is never reused."""


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles a program, once for each text, with every warning an error."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs GCC: apt-get install gcc")
    folder = tmp_path_factory.mktemp("programs")

    def compiled(text: str, *more: str) -> Path:
        output = folder / hashlib.sha256("\0".join([text, *more]).encode()).hexdigest()[:16]
        if not output.exists():
            words = [compiler, *FLAGS, "-x", "c", "-", "-x", "none", *more, "-o", str(output)]
            subprocess.run(words, input=text.encode(), check=True)
        return output

    return compiled


def run(program: Path, library: str = "", environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The exit status of a program on a library, and what it printed."""
    variables = {**os.environ, **(environment or {})}
    variables.pop("LD_PRELOAD", None)
    if library:
        variables["LD_PRELOAD"] = library
    done = subprocess.run([program], env=variables, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def test_every_rule_has_a_check_or_a_reason() -> None:
    assert set(CHECKS) | set(UNSEEN) == {*RULES, *EXPECTATIONS}
    assert not set(CHECKS) & set(UNSEEN)


@pytest.mark.parametrize("rule", CHECKS)
def test_the_check_of_a_rule_is_a_function_of_the_programs(rule: str) -> None:
    function, _ = CHECKS[rule]
    text = PIECES[function]
    named = f'"{rule}' in text or "WRONG(rule" in text or "_rule" in text or function.startswith("got")
    assert named, f"{function} does not speak of {rule}"


def test_a_program_holds_only_what_it_needs() -> None:
    text = c_program(parse("a = malloc 24\nb = malloc 24   ! violates result-disjoint"))
    program = text[text.index("#define _GNU_SOURCE") :]
    assert "call_realloc" not in program and "pthread" not in program and "static void keep" not in program
    assert "static void fill(" in pieces("fill(a);", frozenset())


def test_the_comment_says_what_broke_and_how_to_see_it() -> None:
    script = parse("a = malloc 24 -> 0x1000\nb = malloc 24 -> 0x1010   ! violates result-disjoint")
    top = c_program(script, library="/opt/libmine.so", environment={"SEED": "1 2"}).partition("*/")[0]
    assert "libmine.so breaks result-disjoint." in top and "(glibc malloc(3))" in top
    assert "16 bytes into block #1" in top.replace("\n * ", " ")
    assert " *     b = malloc 24 -> 0x1010    ! violates result-disjoint\n" in top
    assert "SEED='1 2' LD_PRELOAD=/opt/libmine.so ./reproduce" in top


def test_the_comment_names_the_file_that_it_stands_in() -> None:
    top = c_program(parse("a = malloc 24"), library="./libmine.so", file="findings/calloc-zeroes.c").partition("*/")[0]
    assert " -pthread findings/calloc-zeroes.c -o calloc-zeroes\n" in top
    assert "LD_PRELOAD=./libmine.so ./calloc-zeroes\n" in top and "reproduce" not in top.replace("not reproduced", "")


def test_a_program_for_a_library_does_not_judge_the_c_librarys_malloc(build: Build, bump: Bump) -> None:
    program = build(c_program(parse("a = malloc 100\nb = malloc 100"), library=bump("OVERLAP")))
    assert run(program, bump("OVERLAP"))[0] == 1
    status, said = run(program)
    assert status == 2 and said.startswith("malloc is the C library's own: run it with LD_PRELOAD")


def test_a_text_cannot_end_the_comment() -> None:
    text = c_program(parse('label "*/ int x; /*"\na = malloc 8'), library="x*/.so")
    assert text.count("*/", 0, text.index("#define _GNU_SOURCE")) == 1


@pytest.mark.parametrize(
    "broken", [broken if broken in QUICK else pytest.param(broken, marks=campaign) for broken in BROKEN]
)
def test_each_broken_allocator_is_reproduced(build: Build, bump: Bump, broken: str) -> None:
    status, said = run(build(c_program(parse(MANY))), bump(broken))
    assert (status, said.partition(":")[0]) == (1, BROKEN[broken]), said


def test_the_same_program_reproduces_nothing_on_the_c_library(build: Build) -> None:
    assert run(build(c_program(parse(MANY)))) == (0, "not reproduced\n")


def test_the_same_program_reproduces_nothing_on_the_right_allocator(build: Build, bump: Bump) -> None:
    assert run(build(c_program(parse(MANY))), bump()) == (0, "not reproduced\n")


ON_THREADS = """
given standard c17 posix
a = malloc 24
label fork-parent
label repeat size 10
label parallel
@1 b = malloc 100
@2 c = realloc b 200
@1 free c
d = calloc 3 9
@3 e = malloc 48
free e
@2 free d
label join
@1 label thread-end
label end-repeat
label fork-child
f = malloc 5000
label parallel
@1 g = malloc 10
@2 h = malloc 10
@2 label fork-child
@2 free h
@1 free g
label join
label limit-memory size 1000000
i = malloc 40000000
store a 0 8
usable_size f
expect disjoint a f
"""


def test_threads_forks_loops_and_limits_run_on_the_c_library(build: Build) -> None:
    assert run(build(c_program(parse(ON_THREADS)))) == (0, "not reproduced\n")


FORKS_AMONG_THREADS = """
given standard c17 posix
a = malloc 24
label parallel
@1 b = malloc 100
b2 = malloc 16
label fork-child
c = malloc 16
free a
label fork-child
free a
free b2
@2 d = malloc 16
@1 free b
label fork-parent
e = malloc 64
@2 free d
@2 label fork-child
@2 f = malloc 100
@2 free f
@3 g = malloc 8
@3 free g
label fork-child
free e
@3 free e
label join
@1 label thread-leaves
@1 h = malloc 77
@1 label thread-end
label fork-child
malloc 8
"""
"""Two children free the same block, as the driver has them do; another thread waits for what a child was to do."""


def test_each_fork_in_a_section_has_a_child_of_its_own_which_does_no_more_than_its_part(build: Build) -> None:
    text = c_program(parse(FORKS_AMONG_THREADS))
    assert text.count("child = fork_here();") == text.count("    wait_for_child(child);") == 6  # two are of the pieces
    assert run(build(text)) == (0, "not reproduced\n")


def test_no_mark_is_ever_left_in_a_program() -> None:
    for script in (MANY, ON_THREADS, FORKS_AMONG_THREADS, DOUBLE_FREE, f"given observes misuse\n{DOUBLE_FREE}"):
        for prefix in ("", "je_"):
            for measures in (True, False):
                text = c_program(parse(script), symbol_prefix=prefix, measures=measures)
                assert not re.findall(r"@[A-Za-z_]+@", text)
    assert not [name for name, text in PIECES.items() if re.search(r"@[A-Za-z_]+@", text)]


@campaign
def test_a_child_that_hangs_among_threads_is_reproduced(build: Build, library: Callable[..., str]) -> None:
    hangs = """
        #include <stddef.h>
        #include <unistd.h>
        static _Alignas(16) char room[1 << 20];
        static size_t used;
        static pid_t first;
        __attribute__((constructor)) static void starts(void) { first = getpid(); }
        void *malloc(size_t size)
        {
            while (size == 77 && getpid() != first)
                ;
            return room + __atomic_fetch_add(&used, (size + 63) / 16 * 16, __ATOMIC_RELAXED);
        }
        void free(void *p) { (void)p; }
        void *calloc(size_t count, size_t size) { return malloc(count * size); }"""
    script = "label parallel\n@1 a = malloc 8\nlabel fork-child\nb = malloc 77\n@1 free a"
    program = build(c_program(parse(script), measures=False), "-DSECONDS=1")
    status, said = run(program, library(hangs))
    assert status == 1 and said.startswith("call-returns: no answer within 1 s") and "b = malloc 77" in said


def test_a_crash_in_the_forked_child_is_reproduced(build: Build, library: Bump) -> None:
    text = "a = malloc 24\nfree a\nlabel fork-child\nb = malloc 24\nc = malloc 24"
    program = build(c_program(parse(text), measures=False))
    status, said = run(program, library(LIFO, "BREAKS_AFTER_FORK"))
    assert (status, said) == (1, 'call-returns: at "b = malloc 24": signal 11\n')
    assert run(program, library(LIFO)) == (0, "not reproduced\n")


@campaign
def test_a_hang_ends_with_status_1(build: Build, bump: Bump) -> None:
    program = build(c_program(parse("a = malloc 1\n@1 b = malloc 2")), "-DSECONDS=1")
    status, said = run(program, bump("HANG=2"))
    assert status == 1 and said.startswith("call-returns: no answer within 1 s") and "@1 b = malloc 2" in said


DOUBLE_FREE = "a = malloc 64\nfree a\nfree a ! misuse double-free a\nb = malloc 64\nc = malloc 64"


def test_a_double_free_that_leads_to_overlap_is_reproduced(build: Build, library: Bump) -> None:
    program = build(c_program(parse(DOUBLE_FREE), measures=False))
    status, said = run(program, library(LIFO))
    assert status == 1 and said.startswith("reuse-only-after-free")


def test_an_allocator_that_stops_at_misuse_breaks_nothing(build: Build) -> None:
    status, said = run(build(c_program(parse(DOUBLE_FREE), measures=False)))
    assert status == 0 and said.startswith("not reproduced: ended by signal 6")


def test_reuse_before_the_quarantine_is_over_is_reproduced(build: Build, library: Bump) -> None:
    program = build(c_program(parse("given quarantine 4\na = malloc 64\nfree a\nb = malloc 64"), measures=False))
    status, said = run(program, library(LIFO))
    assert status == 1 and said.startswith("quarantine-respected") and "after 0 other frees" in said
    assert run(program, str(lib())) == (0, "not reproduced\n")


def test_misuse_that_is_counted_is_seen(build: Build, library: Bump) -> None:
    text = "given observes misuse\na = malloc 64\nfree NULL\nfree a\nfree a ! misuse double-free a"
    program = build(c_program(parse(text), measures=False))
    counting = {"M4ALLOC_OPTIONS": "misuse=count"}
    assert run(program, str(lib()), counting) == (0, "not reproduced\n")
    status, said = run(program, library(LIFO))
    assert status == 1 and said.startswith("misuse-caught")


@campaign
def test_memory_that_is_never_reused_is_reproduced(build: Build, library: Bump) -> None:
    text = c_program(parse("a = malloc 4096\nfree a"), rule=EXPECTATIONS["freed-is-reused"], measures=False)
    status, said = run(build(text), library(LIFO.replace("1 << 24", "1 << 26")))
    assert status == 1 and said.startswith("freed-is-reused")
    assert run(build(text)) == (0, "not reproduced\n")


@campaign
def test_a_small_request_that_is_refused_is_reproduced(build: Build, bump: Bump) -> None:
    script = parse("given standard c17\nmalloc 2000 -> NULL")
    text = c_program(script, rule=EXPECTATIONS["request-served"], measures=True)
    status, said = run(build(text), bump("SILENT"))
    assert status == 1 and said.startswith("request-served")


LATE = """
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
static _Alignas(64) char room[1 << 24];
static size_t used;
static pthread_key_t key;
static __thread int here __attribute__((tls_model("initial-exec"))), gone __attribute__((tls_model("initial-exec")));
static void ends(void *unused) { (void)unused; gone = 1; }
__attribute__((constructor)) static void prepare(void) { pthread_key_create(&key, ends); }
void *malloc(size_t size)
{
    if (!here++)
        pthread_setspecific(key, room);
    if (gone && size == 77)
        abort();
    return room + (used += (size + 63) / 64 * 64);
}
void free(void *p) { (void)p; }
void *calloc(size_t count, size_t size) { return malloc(count * size); }
"""


def test_what_a_thread_does_when_it_leaves_is_done_in_a_destructor(build: Build, library: Callable[..., str]) -> None:
    text = c_program(
        parse("@1 a = malloc 8\n@1 label thread-leaves\n@1 b = malloc 77\n@1 label thread-end"), measures=False
    )
    status, said = run(build(text), library(LATE))
    assert status == 1 and said.startswith('call-returns: at "@1 b = malloc 77"')
    before = c_program(
        parse("@1 a = malloc 8\n@1 b = malloc 77\n@1 label thread-leaves\n@1 label thread-end"), measures=False
    )
    assert run(build(before), library(LATE))[0] == 0


def test_a_pause_is_made(build: Build, bump: Bump) -> None:
    text = c_program(parse("a = malloc 8\nlabel pause size 5\nb = malloc 8"))
    assert "    usleep(5 * 1000);\n" in text and run(build(text), bump())[0] == 0


@campaign
def test_the_end_of_a_large_block_is_compared_too(build: Build, library: Callable[..., str]) -> None:
    shares = """
        #include <stddef.h>
        #include <sys/mman.h>
        void *malloc(size_t size)
        {
            static char *last;
            if (size < 1 << 20)
                return last + (128 << 20) - 6144;
            int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
            return last = mmap(NULL, size + 8192, PROT_READ | PROT_WRITE, how, -1, 0);
        }
        void free(void *p) { (void)p; }"""
    text = c_program(parse("a = malloc 134217728\nb = malloc 4096\nload a 0 134217728"), measures=False)
    text = text.replace("other->live", "0")  # the addresses say it, too
    status, said = run(build(text, "-Wno-error"), library(shares))
    assert status == 1 and said.startswith("block-keeps-contents: ")


def test_prefixed_symbols_are_linked(build: Build, bump: Bump) -> None:
    prefixed = bump("OVERLAP", "malloc=je_malloc", "free=je_free", "malloc_usable_size=je_malloc_usable_size")
    text = c_program(parse("a = malloc 100\nb = malloc 100"), library=prefixed, symbol_prefix="je_")
    words = commands(prefixed, "je_")[0]
    assert f"reproduce.c {prefixed} -Wl,-rpath," in words
    status, said = run(build(text, prefixed))
    assert status == 1 and said.startswith("result-disjoint")


@campaign
def test_a_function_that_the_library_lacks_ends_with_status_2(build: Build) -> None:
    if hasattr(ctypes.CDLL(None), "free_sized"):
        pytest.skip("needs a C library without free_sized")
    status, said = run(build(c_program(parse("a = malloc 8\nfree_sized a 8"))))
    assert (status, said) == (2, "this allocator exports no free_sized\n")


def test_the_last_claim_is_what_is_shown() -> None:
    script = parse("a = malloc 8 -> 0x1008\nb = malloc 8 -> 0x1008 ! violates reuse-only-after-free")
    seen = shown(script)
    assert seen is not None and (seen.rule.name, seen.step) == ("reuse-only-after-free", 1)
    first = shown(parse("a = malloc 8 -> 0x1008\nb = malloc 8 -> 0x1008"))
    assert first is not None and (first.rule.name, first.step) == ("result-aligned-fundamental", 0)
    assert shown(parse("a = malloc 8")) is None


def test_names_of_scripts_are_no_words_of_c() -> None:
    text = c_program(parse("int = malloc 8\nblock = malloc 8\nfree int\nint = malloc 9\nfree int\nint = malloc 7"))
    names = re.search(r"enum \{ (.*) \};", text)
    assert names is not None
    assert names[1] == "block_int, block_block, block_int_2, block_int_3, BLOCKS"


def test_the_page_has_the_table_of_checks() -> None:
    page = (Path(__file__).parents[3] / "docs" / "findings.md").read_text(encoding="utf-8")
    held = page.partition("<!-- checks -->\n")[2].partition("<!-- end of checks -->")[0]
    assert held == table(), "docs/findings.md: put m4alloc.check.reproduce_rules.table() between its marks"
