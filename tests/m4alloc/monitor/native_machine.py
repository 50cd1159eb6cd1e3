"""The runtime's machines and those in Python, on the same letters: run in a process of its own, which they may crash.

`python -m tests.m4alloc.monitor.native_machine FOLDER CHECK SEED`, with the extension of native_machine.pyx in FOLDER.
"""

from __future__ import annotations

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from m4alloc.monitor.machine import Run
from m4alloc.monitor.table import BUILT_IN, MonitorTableError, Table, compile_table
from m4alloc.monitor.table_format import HEADER
from spec.ltl.error import TooLargeError
from spec.properties import find
from spec.property import About, Index
from spec.propositions import Delivery, Sort
from tests.m4alloc.monitor.deliveries import LIBRARY, deliveries
from tests.m4alloc.monitor.test_table import with_sum


def build(folder: Path) -> None:
    """Compile the extension into the folder."""
    import subprocess
    import sysconfig

    root = Path(__file__).resolve().parents[3]
    source = folder / "native_machine.pyx"
    source.write_text(Path(__file__).with_suffix(".pyx").read_text(encoding="utf-8"), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "cython", "-3", "-I", root, source], check=True, capture_output=True, text=True
    )
    subprocess.run(
        [
            *("cc", "-O1", "-fPIC", "-shared", "-pthread", "-DCYTHON_INLINE=", "-Wall", "-Wno-unused-function"),
            *(f"-I{root / 'm4alloc'}", f"-I{sysconfig.get_path('include')}"),
            *(str(source.with_suffix(".c")), "-o", str(folder / "native_machine.so")),
        ],
        check=True,
        capture_output=True,
        text=True,
    )


def feed(native: Any, table: Table, delivery: Delivery) -> int:
    """One letter for the runtime's machines."""
    code, violated = table.code(delivery), 0
    if code is None:
        return 0
    if delivery.base is not None:
        violated = native.event(delivery.base, delivery.thread, code)
    elif delivery.sort is Sort.LABEL:
        violated = native.label(delivery.thread, code)
    found: int = violated | native.elsewhere(delivery.thread, code)
    return found


def alike(native_class: Any, seed: int) -> None:
    """Letter by letter they say the same, and have needed as many cohorts."""
    judged = 0
    for one in range(seed, seed + 300):
        rng = random.Random(one)
        chosen = rng.sample(LIBRARY, rng.randint(1, 5))
        try:
            table = Table.of(chosen)
        except TooLargeError:
            continue  # five sets of labels
        native, run = native_class(table.to_bytes()), Run(table)
        for place, letter in enumerate(deliveries(one, rng.randint(0, 300), rng.randint(1, 4))):
            said, wanted = feed(native, table, letter), run.read(letter)
            assert said == wanted, (one, place, letter, said, wanted)
            judged += bool(said)
        assert native.violated[: len(chosen)] == run.violated, one
        assert native.unfulfilled() == run.unfulfilled(), one
        assert native.cohorts_made() == run.cohorts_made(), one
        assert native.where() == run.where(), one
    assert judged > 1000, judged


def told(native_class: Any, seed: int) -> None:
    """It reads texts, codes and flags as they were written."""
    table = Table.of([find("free-ends"), find("quarantine"), find("thread: [](a -> <>b)")], built_in=BUILT_IN)
    native = native_class(table.to_bytes())
    assert native.told() == [
        (
            *(one.name, one.text, one.sentence, list(Index).index(one.index), list(About).index(one.about)),
            *(int(one.report_class), int(one.built_in), int(one.judged)),
        )
        for one in table.properties
    ]
    assert [native.code(label) for label in table.labels] == list(range(9, 9 + len(table.labels)))
    assert [native.code(name) for name in ("", "malloc", "mem_free_en", "mem_free_endx", "z")] == [0] * 5


def damaged(native_class: Any, seed: int) -> None:
    """Whatever was changed, it refuses the table or has one that Python can read too; and it reads nothing else."""
    rng = random.Random(seed)
    taken = 0
    tables = [compile_table(), *(Table.of([one]).to_bytes() for one in LIBRARY)]
    for _ in range(3000):
        data = bytearray(rng.choice(tables))
        for _ in range(rng.choice((0, 1, 1, 2, 5))):
            place = rng.choice((rng.randrange(len(data)), rng.randrange(HEADER.size + 400) % len(data)))
            data[place] = rng.choice((rng.randrange(256), 0, 255, data[place] ^ 1))
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) & ~7 :]
        if rng.random() < 0.3 and len(data) >= HEADER.size:
            data[12:16] = len(data).to_bytes(4, "little")
        changed = with_sum(bytes(data)) if len(data) % 8 == 0 and len(data) >= HEADER.size else bytes(data)
        try:
            native = native_class(changed)
        except ValueError:
            continue
        taken += 1
        for code in range(9):
            for thread in (1, 2):
                native.event(0x1000, thread, code)
        native.unfulfilled()
        native.told()
        try:
            Table.from_bytes(changed)
        except MonitorTableError as error:
            assert "codec" in str(error) or "labels out of order" in str(error), error
    assert 100 < taken < 2500, taken


def shared(native_class: Any, seed: int) -> None:
    """Threads that step one state at once: each violation is one thread's."""
    from native_machine import Shared  # type: ignore[import-not-found]

    native = native_class(Table.of([find("no-double-free")]).to_bytes())
    with ThreadPoolExecutor(4) as pool:
        for _ in range(200):
            state = Shared()
            counts = list(pool.map(lambda _, state=state: state.step(native, 1, 50), range(4)))
            assert sum(count[0] for count in counts) == 1


def recycled(native_class: Any, seed: int) -> None:
    """However many labels there are, cohorts are no more than blocks and states ask for."""
    rng = random.Random(seed)
    table = Table.of([find("block: [](free -> (!start U end))"), find("block: [](start -> X(!start W end)) && <>free")])
    native = native_class(table.to_bytes())
    for _ in range(60_000):
        thread, base = rng.randint(1, 2), 0x1000 * (1 + int(rng.expovariate(0.1)) % 40)
        if rng.random() < 0.4:
            native.label(thread, rng.choice((9, 10)))
        else:
            native.event(base, thread, rng.choice((0, 1, 2)))
    (made,) = native.cohorts_made()
    assert made < 2 * 40, made


def crowded(native_class: Any, seed: int) -> None:
    """Threads with the same blocks: each block is in one place afterwards."""
    from native_machine import Shared

    for first in range(1, 30):
        native, blocks = native_class(Table.of([find("address: [](parsed -> (!done W free))")]).to_bytes()), Shared()
        with ThreadPoolExecutor(4) as pool:
            threads = range(first, first + 4)
            list(pool.map(lambda thread, native=native, blocks=blocks: blocks.crowd(native, thread, 5000), threads))
        seen = blocks.crowd(native, 1, 0)
        assert 0 < seen == native.members()


def interrupted(native_class: Any, seed: int) -> None:
    """A signal handler's letter in the middle of another one is missed, and counted; nothing is damaged."""
    native = native_class(Table.of([find("address: []!done")]).to_bytes())
    native.event(0x1000, 1, 0)
    assert native.interrupted(1, 9) == (0, 0, 2)
    assert native.interrupted(1, 0) == (0, 0, 3)  # which is no label
    assert native.label(1, 9) == 1


CHECKS = {check.__name__: check for check in (alike, told, damaged, shared, recycled, crowded, interrupted)}

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from native_machine import Native

    CHECKS[sys.argv[2]](Native, int(sys.argv[3]))
    print("as wanted")
