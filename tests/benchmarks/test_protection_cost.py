"""The totals of protection_cost are the sums that anyone can form from the recorded events."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.protection_cost import CHERI, Cost, costs, main, quarter, recorded
from capability.adi.protection import Adi
from capability.cheri.protection import Cheri
from capability.sgx.protection import Sgx
from m4alloc import _backend
from m4alloc._build import run_compiler
from m4alloc.trace.index import open_index
from m4alloc.trace.operations import Operations
from spec.event import ALLOCATING, FREEING, RESIZING, Event

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="apt install gcc libc6-dev"),
    pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build"),
]

SOURCE = """
#include <stdlib.h>
int main(void) {
    static const size_t size[] = {1, 40, 64, 65, 300, 4096, 65537, 1000001};
    void *block[8];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++) block[i] = i == 4 ? calloc(3, size[i] / 3) : malloc(size[i]);
        block[1] = realloc(block[1], 5000);
        block[5] = realloc(block[5], 4095);
        for (int i = 0; i < 8; i++) free(block[i]);
    }
    free(NULL);
    block[0] = malloc(100);
    return block[0] == NULL;
}
"""
SWEEP_AT = 100_000
ADI, MORELLO, SGX = "ADI", "Morello", "SGX"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], list[Operations]]:
    folder = tmp_path_factory.mktemp("protection_cost")
    (folder / "tiny.c").write_text(SOURCE)
    run_compiler("-O1", "-fno-builtin", str(folder / "tiny.c"), "-o", str(folder / "tiny"))
    images = recorded([str(folder / "tiny")], folder / "tiny.m4t")
    tree = open_index(folder / "tiny.m4t")
    (trace,) = tree.traces
    return list(tree.history(trace)), images


@pytest.fixture(scope="module")
def found(recording: tuple[list[Event], list[Operations]]) -> dict[str, Cost]:
    return costs(recording[1], {MORELLO: Cheri(CHERI["128m"], sweep_at=SWEEP_AT), ADI: Adi(), SGX: Sgx()})


def rounded(size: int, unit: int) -> int:
    return -(-max(size, 1) // unit) * unit


def morello(size: int) -> int:
    """A mantissa of 16 bits, less three where there is an exponent: from 2**14 on, multiples of 8, 16 and so on."""
    return rounded(size, max(16, 1 << max(0, size.bit_length() - 12)))


def lives(events: list[Event], unit: int) -> Iterator[tuple[str, int]]:
    """What happens to blocks, one after another: `made` and `freed` with the bytes requested. A resize within the same
    number of units is neither."""
    live: dict[int, int] = {}
    for event in events:
        function, size = event.function, event.request_size
        if function in RESIZING and rounded(live[event.address], unit) == rounded(size, unit):
            live[event.result] = live.pop(event.address)
            continue
        if function in ALLOCATING or function in RESIZING:
            yield "made", size
        if event.address and (function in FREEING or function in RESIZING):
            yield "freed", live.pop(event.address)
        if function in ALLOCATING or function in RESIZING:
            live[event.result] = size


def test_requested_bytes_and_blocks_are_those_of_the_events(
    recording: tuple[list[Event], list[Operations]], found: dict[str, Cost]
) -> None:
    handed_out = [event for event in recording[0] if event.function in ALLOCATING | RESIZING]
    assert len(handed_out) == 3 * 10 + 1
    for cost in found.values():
        assert cost.requested == sum(event.request_size for event in handed_out)
        assert cost.blocks == len(handed_out)


def test_padding_is_what_rounding_up_adds(
    recording: tuple[list[Event], list[Operations]], found: dict[str, Cost]
) -> None:
    sizes = [event.request_size for event in recording[0] if event.function in ALLOCATING | RESIZING]
    flat = sum(rounded(size, 16) for size in sizes)
    assert found["flat"].usable == flat and found["flat"].padding == 0
    assert found[MORELLO].padding == sum(map(morello, sizes)) - flat > 0
    assert found[ADI].padding == sum(rounded(size, 64) for size in sizes) - flat > 0
    assert found[SGX].padding == 0


def test_lines_are_tagged_when_a_block_is_made_and_when_it_is_freed(
    recording: tuple[list[Event], list[Operations]], found: dict[str, Cost]
) -> None:
    lines = {"made": 0, "freed": 0}
    for what, size in lives(recording[0], 64):
        lines[what] += rounded(size, 64) // 64
    assert found[ADI].retagged == lines["freed"]
    assert found[ADI].granules == lines["made"] + lines["freed"]
    assert found["flat"].granules == found[MORELLO].granules == 0


def test_an_epoch_ends_when_enough_was_retired(
    recording: tuple[list[Event], list[Operations]], found: dict[str, Cost]
) -> None:
    epochs = waiting = live = held = 0
    for what, size in lives(recording[0], 16):
        live += morello(size) if what == "made" else -morello(size)
        waiting += morello(size) if what == "freed" else 0
        if waiting >= SWEEP_AT:
            epochs, waiting = epochs + 1, 0
        held = max(held, live + waiting)
    assert found[MORELLO].epochs == epochs == 3
    assert found[MORELLO].held == held
    assert found["flat"].epochs == found[ADI].epochs == found[SGX].epochs == 0
    # Each sweep reads whole pages, at least the one that the first block lies in; nothing is swept elsewhere.
    assert found[MORELLO].swept_bytes % 4096 == 0 and found[MORELLO].swept_bytes >= 3 * 4096
    assert found["flat"].swept_bytes == found[ADI].swept_bytes == 0


def test_every_page_of_the_largest_moment_was_accepted(
    recording: tuple[list[Event], list[Operations]], found: dict[str, Cost]
) -> None:
    largest = live = 0
    for what, size in lives(recording[0], 16):
        live += rounded(size, 16) if what == "made" else -rounded(size, 16)
        largest = max(largest, live)
    sgx = found[SGX]
    assert sgx.accepted >= largest // 4096 and sgx.returned <= sgx.accepted
    assert sgx.returned > 0, "a block of a million bytes was freed: its pages are more than the 16 that are kept"
    assert found["flat"].accepted == found[ADI].returned == 0


def test_the_threshold_is_a_quarter_of_the_peak(
    recording: tuple[list[Event], list[Operations]], found: dict[str, Cost]
) -> None:
    assert quarter(recording[1]) == found["flat"].held // 4


def test_the_command_prints_three_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--program", "barnes", "--json", str(tmp_path / "cost.json")]) == 0
    totals = json.loads((tmp_path / "cost.json").read_text())["totals"]["barnes"]
    assert set(totals) == {"flat", *(f"CHERI {name}" for name in CHERI), "MTE", "ADI", "SGX"}
    assert totals["flat"]["blocks"] == 2 and totals["CHERI 128m"]["epochs"] == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("padding,", "work ", "caught "))] == [
        "padding,",
        "work",
        "caught",
    ]


def test_a_negative_threshold_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--sweep-at", "-1"])
    assert ended.value.code == 2 and "--sweep-at -1: want 0" in capsys.readouterr().err
