"""Arenas and threads that have been joined: Thread.join returns before the thread's heap has been given back.

The threads here have so much memory at hand that giving it back to the system takes milliseconds.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from m4alloc import _backend

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")

PROGRAM = """
import os, sys, threading, time
import m4alloc

SIZE = 32768
COUNT = 1500
strategy = m4alloc.Strategy(stack_depths=(COUNT,) * 40, retain_bytes=0, retain_share=0)

def work(arena):
    blocks = [arena.calloc(1, SIZE) for _ in range(COUNT)]
    for block in blocks:
        arena.free(block)

def joined(wait):
    arena = m4alloc.Arena(1 << 28, strategy)
    thread = threading.Thread(target=work, args=(arena,))
    thread.start()
    thread.join()
    time.sleep(wait)
    return arena

def close(wait):
    joined(wait).close()

def use(wait):
    arena = joined(wait)
    arena.check()
    arena.free(arena.malloc(SIZE))
    arena.check()
    assert arena.totals()["live_blocks"] == 0

def fork(wait):
    arena = joined(wait)
    child = os.fork()
    if child == 0:
        arena.check()
        arena.free(arena.malloc(SIZE))
        arena.check()
        arena.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    arena.check()

for number in range(15):
    {"close": close, "use": use, "fork": fork}[sys.argv[1]](number * 2e-4)
"""


@pytest.mark.parametrize("what", ["close", "use", "fork"])
def test_after_join_an_arena_is_whole(what: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
