"""Four free lists for two threads: bare, lock-free, lock-free with a counter, locked. A model checker tells them apart.

You learn what a model is, how a property is checked on all of its runs, and the ABA problem: compare-and-swap sees that
the head is what it was, and not that it has been away in between. A counter makes that rarer: it has to come round.
Run it: python examples/lock_free_list.py
"""

from __future__ import annotations

from typing import cast

from spec.ltl.parser import parse
from spec.model.execution import Execution
from spec.model.reader import read
from spec.model.search import check

MODEL = """
model lock_free_list
const BLOCKS = 3
const TIMES = 3             # after so many pops the counter is where it was
const SWAPS = false         # head is changed by compare-and-swap
const COUNTS = false        # which compares a counter of pops, too
const LOCKED = false        # or one thread at a time
var lock: bool = false
var head: -1..BLOCKS-1 = 0
var count: 0..TIMES-1 = 0
var next: array[BLOCKS] of -1..BLOCKS-1 = [1, 2, -1]
track block: 0..BLOCKS-1

process thread[i: 0..1] {
    var mine: array[2] of -1..BLOCKS-1 = -1    # a thread may hold two blocks
    var old: -1..BLOCKS-1 = -1  var after: -1..BLOCKS-1 = -1
    var seen: 0..TIMES-1 = 0
    loop {
        choose {
            choose k in 0..1 {
                atomic { await mine[k] == -1 && head != -1 && !lock  lock = LOCKED  old = head  seen = count }
                after = next[old]
                choose {
                    atomic {
                        await !SWAPS || (head == old && (!COUNTS || count == seen))
                        head = after  mine[k] = old  count = (count + 1) % TIMES
                        label mem_allocate_end(old)
                        lock = false  old = -1  after = -1  seen = 0
                    }
                } or {
                    atomic {
                        await SWAPS && !(head == old && (!COUNTS || count == seen))
                        lock = false  old = -1  after = -1  seen = 0
                    }
                }
            }
        } or {
            choose k in 0..1 {
                atomic {
                    await mine[k] != -1 && !lock
                    label mem_free_start(mine[k])
                    next[mine[k]] = head  head = mine[k]  mine[k] = -1
                }
            }
        }
    }
}
"""
ONCE = "[](malloc -> (malloc W (!malloc && (!malloc W free))))"
LISTS = {"bare": (), "compare-and-swap": ("SWAPS",), "and a counter": ("SWAPS", "COUNTS"), "locked": ("LOCKED",)}
WORDS = {
    "old = head": "reads the head",
    "after = next[old]": "reads what follows it",
    "head = after": "makes that the head, and has the block",
    "mem_free_start": "gives a block back",
    "await SWAPS": "finds that the head has changed",
}


def main() -> None:
    """The verdict on each list, and the run that shows what is wrong with it."""
    print(f"handed out once: {ONCE}")
    for name, constants in LISTS.items():
        text = MODEL
        for constant in constants:
            text = text.replace(f"const {constant} = false", f"const {constant} = true")
        system = Execution(read(text))
        result = check(system, parse(ONCE), engine="breadth", states=400_000)
        print(f"\n{name}: {result.verdict.value}, {result.states:,} states")
        path = result.counterexample
        for step, state in zip(path.steps, path.states[1:], strict=False) if path else ():
            said = next((words for code, words in WORDS.items() if code in step.text), "")
            if said:
                head = system.show(cast(tuple[int, ...], state)).partition("head=")[2].partition(" ")[0]
                print(f"  {system.processes[step.process]} {said:40} head {head}")


if __name__ == "__main__":
    main()
