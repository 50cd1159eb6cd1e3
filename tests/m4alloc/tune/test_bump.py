"""The allocator that never frees: it is one all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc.bench.compiled import compiled
from m4alloc.tune.native import library

CHECKS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define MUST(x) do { if (!(x)) { printf("line %d: %s\n", __LINE__, #x); exit(1); } } while (0)
static int is(const unsigned char *block, int value, size_t size) {
    for (size_t i = 0; i < size; i++) if (block[i] != value) return 0;
    return 1;
}
static void *work(void *number) {
    int value = (int)(intptr_t)number;
    unsigned char *block[2000];
    for (int i = 0; i < 2000; i++) {
        size_t size = (size_t)(i * 37 % 3000);
        block[i] = malloc(size);
        MUST((uintptr_t)block[i] % 16 == 0 && malloc_usable_size(block[i]) >= size);
        memset(block[i], value, size);
    }
    for (int i = 0; i < 2000; i++) {
        size_t size = (size_t)(i * 37 % 3000);
        MUST(is(block[i], value, size));
        block[i] = realloc(block[i], 2 * size + 1);
        MUST(is(block[i], value, size));
        free(block[i]);
    }
    return NULL;
}
int main(void) {
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, work, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
    for (size_t size = 1; size < 2u << 20; size = 4 * size + 1) {
        unsigned char *grown = malloc(size);
        memset(grown, 7, size);
        grown = realloc(grown, size / 2 + 1);
        free(grown);
        unsigned char *zero = calloc(size, 1);
        MUST(is(zero, 0, size));
        for (size_t alignment = 8; alignment <= 1 << 21; alignment *= 4) {
            void *aligned = NULL;
            MUST(posix_memalign(&aligned, alignment, size) == 0 && (uintptr_t)aligned % alignment == 0);
            MUST(malloc_usable_size(aligned) >= size);
            memset(aligned, 3, size);
        }
    }
    MUST((uintptr_t)aligned_alloc(64, 128) % 64 == 0 && (uintptr_t)memalign(256, 1) % 256 == 0);
    MUST((uintptr_t)valloc(1) % 4096 == 0 && (uintptr_t)pvalloc(1) % 4096 == 0);
    MUST(malloc(0) != malloc(0) && realloc(NULL, 10) && malloc_usable_size(NULL) == 0);
    volatile size_t huge = SIZE_MAX / 2 + 1;
    errno = 0;
    MUST(calloc(huge, 2) == NULL && errno == ENOMEM);
    errno = 0;
    MUST(reallocarray(NULL, huge, 2) == NULL && errno == ENOMEM);
    errno = 0;
    MUST(malloc(huge) == NULL && errno == ENOMEM);
    void *unchanged = NULL;
    MUST(posix_memalign(&unchanged, 3, 1) == EINVAL && posix_memalign(&unchanged, 4, 1) == EINVAL);
    MUST(posix_memalign(&unchanged, 16, huge) == ENOMEM && unchanged == NULL);
    errno = 0;
    MUST(memalign(24, 1) == NULL && errno == EINVAL);
    puts("right");
    return 0;
}
"""


def on_bump(argv: list[str], limit: int = 1 << 30) -> subprocess.CompletedProcess[bytes]:
    """The program on the allocator that never frees."""
    environment = {**os.environ, "LD_PRELOAD": str(library("bump")), "M4ALLOC_BUMP_LIMIT": str(limit)}
    return subprocess.run(argv, env=environment, capture_output=True, timeout=60)


def test_every_function_keeps_its_contract(tmp_path: Path) -> None:
    source = tmp_path / "checks.c"
    source.write_text(CHECKS)
    run = on_bump([str(compiled(source))], 2 << 30)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"right\n", b"")


def test_a_program_that_needs_more_ends_with_a_status_that_says_so() -> None:
    argv = [sys.executable, "-ISc", "x = [bytes(1000) for _ in range(100_000)]"]
    fits, short = on_bump(argv), on_bump(argv, 20 << 20)
    assert fits.returncode == 0
    assert (short.returncode, short.stderr) == (97, b"m4alloc bump: does not fit\n")


@pytest.mark.parametrize(
    "argv",
    [
        [sys.executable, "-ISc", "import json, threading; t = threading.Thread(target=print); t.start(); t.join()"],
        ["perl", "-e", "my %h; $h{$_} = $_ x 3 for 1 .. 20000; print scalar(keys %h)"],
        ["git", "--version"],
        ["g++", "-x", "c++", "-fsyntax-only", "/dev/null"],
    ],
    ids=lambda argv: Path(argv[0]).name,
)
def test_programs_print_the_same_as_on_glibc(argv: list[str]) -> None:
    if shutil.which(argv[0]) is None:
        pytest.skip(f"needs {argv[0]}")
    run, usual = on_bump(argv), subprocess.run(argv, capture_output=True)
    assert (run.returncode, run.stdout, run.stderr) == (usual.returncode, usual.stdout, usual.stderr)
