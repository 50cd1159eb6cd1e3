"""Strategy: its checks, its text forms, and its agreement with the core's own reading (_core/knobs.pxd)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from m4alloc.strategy import CLASS_MAX, LIMITS, LISTS, NOT_THE_CORES, SMALL_MAX, UNIT, Strategy, StrategyError


class Raw:
    """A strategy as text, past the checks of Strategy."""

    def __init__(self, text: str) -> None:
        self.text = text

    def to_environment(self) -> str:
        return self.text


CORE = Path(__file__).parents[2] / "m4alloc" / "_core"
SWITCHES = [field.name for field in fields(Strategy) if field.type == "bool"]
"""The knobs that are on or off."""


@st.composite
def class_sizes(draw: st.DrawFn) -> tuple[int, ...]:
    """Any classes that the checks admit."""
    small = st.integers(1, SMALL_MAX // 16).map(lambda number: 16 * number)
    middle = st.integers(SMALL_MAX // 4096 + 1, CLASS_MAX // 4096).map(lambda number: 4096 * number)
    return tuple(sorted(draw(st.sets(st.one_of(small, small, middle), min_size=1, max_size=40))))


@st.composite
def strategies(draw: st.DrawFn) -> Strategy:
    """Any strategy that the checks admit."""
    numbers = {
        name: draw(st.integers(least, min(most, 2**40)))
        for name, (least, most) in LIMITS.items()
        if name not in SWITCHES
    }
    switches = {name: draw(st.booleans()) for name in SWITCHES}
    classes = draw(class_sizes())
    lists: dict[str, tuple[int, ...]] = {}
    if draw(st.booleans()):
        units = draw(st.lists(st.integers(1, 1024), min_size=len(classes), max_size=len(classes)))
        lists["slab_bytes"] = tuple(
            max(UNIT * n, -(-size // UNIT) * UNIT) for n, size in zip(units, classes, strict=True)
        )
    if draw(st.booleans()):
        depths = st.lists(st.integers(2, 65536), min_size=len(classes), max_size=len(classes))
        lists["stack_depths"] = tuple(draw(depths))
    ring = (1 << numbers["delay_line"].bit_length()) * classes[0]  # or twice as long
    if ring > LIMITS["delay_bytes"][1]:
        numbers["delay_line"], ring = 1, 0
    numbers["delay_bytes"] = max(numbers["delay_bytes"], ring)
    numbers["quarantine_bytes"] = max(numbers["quarantine_bytes"], classes[0])
    tags = draw(st.sampled_from(["", "scudo", "adi"]))
    return Strategy(classes=classes, tags=tags, **lists, **switches, **numbers)  # type: ignore[arg-type]


@given(strategies())
def test_toml_holds_every_knob(strategy: Strategy) -> None:
    assert Strategy.from_toml(strategy.to_toml()) == strategy


def test_toml_without_the_table_and_with_knobs_left_out_is_read() -> None:
    assert Strategy.from_toml("delay_line = 5\n") == Strategy(delay_line=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delay_line": -1}, "delay_line is -1; it must be from 0 to 4096"),
        ({"reserve": 1}, "reserve is 1; it must be from 4194304 to 17592186044416"),
        ({"stack_depth": 2.5}, "stack_depth is 2.5; it must be a whole number"),
        ({"classes": ()}, "there are 0 classes; there must be from 1 to 64"),
        ({"classes": (16, 24, 32768)}, "class 24 must be a positive multiple of 16"),
        ({"classes": (32, 16, 32768)}, "class 16 follows 32; classes must increase"),
        ({"classes": (16, 32784)}, "class 32784 must be a multiple of 4096, as it is larger than 32768"),
        ({"classes": (16, 2 << 20)}, "class 2097152 must be at most 1048576"),
        ({"slab_bytes": (65536,)}, "slab_bytes has 1 values for 40 classes; one a class, or none"),
        (
            {"classes": (16, 32), "slab_bytes": (65536, 65537)},
            "slab_bytes of class 32 is 65537; it must be a multiple of 65536 from 65536 to 67108864",
        ),
        (
            {"classes": (16,), "slab_bytes": (1 << 27,)},
            "slab_bytes of class 16 is 134217728; it must be a multiple of 65536 from 65536 to 67108864",
        ),
        (
            {"classes": (16, 131072), "slab_bytes": (65536, 65536)},
            "slab_bytes of class 131072 is 65536; a slab must hold a slot at least",
        ),
        ({"stack_depths": (2, 2)}, "stack_depths has 2 values for 40 classes; one a class, or none"),
        ({"classes": (16,), "stack_depths": (1,)}, "stack_depths of class 16 is 1; it must be from 2 to 65536"),
        (
            {"classes": (16,), "stack_depths": (2.5,)},
            "stack_depths of class 16 is 2.5; it must be from 2 to 65536",
        ),
        (
            {"delay_line": 2048},
            "delay_bytes is 16384; the ring of a delay line of 2048 takes 32768 bytes of the smallest class, 16, "
            "so no class would have it in full",
        ),
        (
            {"classes": (64, 128), "quarantine": 4, "quarantine_bytes": 63},
            "quarantine_bytes is 63; a quarantine must hold a slot of the smallest class, 64, at least",
        ),
        ({"slab_bytes": 65536}, "slab_bytes is 65536; it must be a list of numbers"),
        ({"classes": "16"}, "classes is '16'; it must be a list of numbers"),
        ({"placement": 3}, "placement is 3; it must be from 0 to 2"),
        ({"prefault": 2**30 + 1}, "prefault is 1073741825; it must be from 0 to 1073741824"),
        ({"huge_pages": -1}, "huge_pages is -1; it must be from 0 to 2"),
        ({"representable": 128}, "representable is 128; it must be a name, or empty"),
        (
            {"representable": "sparc"},
            "representable is 'sparc'; there are 128, 128m, 128r, 64, 64r, cheriot, isav9, morello, riscv",
        ),
        (
            {"classes": (16, 16400), "representable": "cheriot"},
            "class 16400 is not representable by cheriot; the next size that is: 16448",
        ),
        (
            {"classes": (16, 1 << 20), "representable": "64"},
            "class 1048576 is not representable by 64, nor is any larger size",
        ),
        (
            {"tags": "mine"},
            "tags is 'mine'; there are adi, glibc, hardened_malloc, partition_alloc, random, scudo, scudo-odd-even, "
            "xzone",
        ),
    ],
)
def test_a_strategy_that_cannot_run_says_what_would_be_right(change: dict[str, object], message: str) -> None:
    with pytest.raises(StrategyError) as caught:
        Strategy(**change)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_an_unknown_knob_in_a_file_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[strategy]\ndelay = 5\n")
    with pytest.raises(
        StrategyError,
        match=r"mine\.toml: unknown knob 'delay'; there are canaries, check_copies, check_on_reuse, classes",
    ):
        Strategy.load(path)


def test_malformed_toml_names_the_file_and_the_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("delay_line = = 5\n")
    with pytest.raises(StrategyError, match=r"mine\.toml: .*line 1"):
        Strategy.load(path)


def test_the_core_knows_exactly_these_knobs() -> None:
    text = (CORE / "knobs.pxd").read_text()
    known = set(re.findall(r'is_word\(key, key_length, "(\w+)"\)', text)) - {"misuse", "stats"}
    assert known == {field.name for field in fields(Strategy)} - set(NOT_THE_CORES)
    message = text[text.index("known_keys") : text.index('return "misuse stats"')]
    assert set(" ".join(re.findall(r'"([a-z_ ]+)"', message)).split()) == known


def test_the_core_has_the_same_defaults() -> None:
    text = (CORE / "knobs.pxd").read_text()
    body = text[text.index("cdef inline void default_knobs") : text.index("cdef inline bint is_word")]
    defaults = {name: eval(value.replace("<uint64_t>", "")) for name, value in re.findall(r"knobs\.(\w+) = (.+)", body)}
    assert defaults.pop("capacity") == defaults.pop("slabs_given") == defaults.pop("depths_given") == 0
    strategy = Strategy()
    assert SWITCHES and set(SWITCHES) <= set(LIMITS)
    assert defaults == {name: getattr(strategy, name) for name in defaults}
    assert set(defaults) == {field.name for field in fields(Strategy)} - {*LISTS, *NOT_THE_CORES}


def test_the_core_takes_every_extreme_that_the_checks_admit_and_refuses_what_they_refuse() -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")

    for name, (least, most) in LIMITS.items():
        for value in (least, most):
            # Metadata for the longest lines and stacks is reserved only when a class is used.
            fast.Arena(1 << 20, Raw(f"{name}={value}")).close()
        for value in ([least - 1] if least > 0 else []) + [most + 1]:
            with pytest.raises(ValueError, match=f'"{value}" is not a value of {name}'):
                fast.Arena(1 << 20, Raw(f"{name}={value}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes=", '"" is not a value of classes'),
        ("classes=16/24", '"16/24" is not a value of classes'),
        ("classes=32/16", '"32/16" is not a value of classes'),
        ("classes=16/32784", '"16/32784" is not a value of classes'),
        ("classes=16/1052672", '"16/1052672" is not a value of classes'),
        ("classes=16,slab_bytes=65537", '"65537" is not a value of slab_bytes'),
        ("classes=16,slab_bytes=67174400", '"67174400" is not a value of slab_bytes'),
        ("classes=16,stack_depths=1", '"1" is not a value of stack_depths'),
        ("classes=16,stack_depths=65537", '"65537" is not a value of stack_depths'),
        ("slab_bytes=65536/65536", "slab_bytes has 2 values for 40 classes"),
        ("stack_depths=2/2/2", "stack_depths has 3 values for 40 classes"),
        ("slab_bytes=65536,classes=131072", "a slab of 65536 bytes holds no slot of class 131072"),
        ("representable=morello", 'unknown option "representable"; known: '),
    ],
)
def test_the_core_refuses_lists_that_strategy_refuses(text: str, message: str) -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    with pytest.raises(ValueError, match=re.escape(message)):
        fast.Arena(1 << 20, Raw(text))


def test_a_list_without_values_is_no_list() -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    fast.Arena(
        1 << 20, Raw("classes=16,slab_bytes=65536,stack_depths=2,classes=16/32,slab_bytes=,stack_depths=")
    ).close()


@given(strategies())
def test_the_core_reads_what_to_environment_writes(strategy: Strategy) -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    fast.Arena(1 << 20, strategy).close()


def test_the_core_uses_the_classes_it_is_given() -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    strategy = Strategy(classes=(48, 1024, SMALL_MAX, 40960, CLASS_MAX))
    wanted = {1: 48, 48: 48, 49: 1024, 1024: 1024, 1025: SMALL_MAX, SMALL_MAX: SMALL_MAX, SMALL_MAX + 1: 40960}
    wanted |= {40960: 40960, 40961: CLASS_MAX, CLASS_MAX: CLASS_MAX, CLASS_MAX + 1: CLASS_MAX + 4096}
    with fast.Arena(1 << 25, strategy) as arena:
        usable = {size: arena.malloc(size).usable_size for size in wanted}
    assert usable == wanted


def test_what_is_larger_than_the_last_class_is_large_even_if_it_is_small() -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    with fast.Arena(1 << 22, Strategy(classes=(16, 48))) as arena:
        usable = [arena.malloc(size).usable_size for size in (0, 1, 48, 49, 4096, 4097, SMALL_MAX)]
        large = arena.totals()["large_blocks"]
    assert usable == [0, 16, 48, 4096, 4096, 8192, SMALL_MAX] and large == 4


def test_slabs_have_the_bytes_given() -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    given_bytes = {16: 64 << 20, 48: 5 * UNIT, 131072: 131072, CLASS_MAX: 3 << 20}
    strategy = Strategy(classes=tuple(given_bytes), slab_bytes=tuple(given_bytes.values()))
    with fast.Arena(1 << 28, strategy) as arena:
        blocks = [arena.malloc(size) for size in given_bytes]
        of_class = {counts["slot_size"]: counts for counts in arena.classes()}
        assert {size: counts["spans"] for size, counts in of_class.items()} == given_bytes
        assert {size: counts["slots"] for size, counts in of_class.items()} == {
            size: length // size for size, length in given_bytes.items()
        }
        for block in blocks:
            arena.free(block)
        arena.check()


@pytest.mark.parametrize("depth", [2, 3, 17, 4096])
def test_a_stack_gives_half_back_when_it_is_as_deep_as_given(depth: int) -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    strategy = Strategy(classes=(16,), stack_depths=(depth,), delay_line=0)
    with fast.Arena(1 << 22, strategy) as arena:
        blocks = [arena.malloc(16) for _ in range(2 * depth + 200)]
        (counts,) = arena.classes()
        at_hand = counts["cached_slots"]
        assert counts["refills"] == -(-len(blocks) // min(64, depth // 2))
        for block in blocks[: depth - at_hand]:
            arena.free(block)
        assert arena.classes()[0]["flushes"] == 0
        arena.free(blocks[depth - at_hand])
        assert arena.classes()[0]["flushes"] == 1


@pytest.mark.parametrize(("placement", "wanted"), [(0, 1), (1, 0), (2, 2)])
def test_placement_says_which_slab_fills_an_empty_stack(placement: int, wanted: int) -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    strategy = Strategy(classes=(8192,), delay_line=0, stack_depths=(2,), placement=placement)
    with fast.Arena(1 << 20, strategy) as arena:
        blocks = [arena.malloc(8192) for _ in range(24)]
        first = min(block.address for block in blocks)
        slabs = [[b for b in blocks if (b.address - first) // UNIT == n] for n in range(3)]
        for number, count in (
            (2, 2),
            (0, 3),
            (1, 6),
        ):  # slab 2 has the fewest free slots, 0 is lowest, 1 freed into last
            for block in slabs[number][:count]:
                arena.free(block)
        while arena.classes()[0]["cached_slots"]:
            arena.malloc(8192)
        assert (arena.malloc(8192).address - first) // UNIT == wanted


def test_a_clock_that_is_set_ages_free_pages() -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend waits for nothing")
    try:
        fast.Arena.set_clock(1000)
        with fast.Arena(1 << 24, Strategy(retain_ms=500, large_delay=0)) as arena:
            blocks = [arena.malloc(1 << 20) for _ in range(6)]
            purges = []
            for now, block in ((1000, blocks[0]), (1499, blocks[2]), (1500, blocks[4])):
                fast.Arena.set_clock(now)
                arena.free(block)
                purges.append(arena.totals()["purges"])
            assert purges == [0, 0, 1]
    finally:
        fast.Arena.set_clock(None)
    for wrong in (-1, 1 << 63):
        with pytest.raises(ValueError, match=f"the clock cannot stand at {wrong}; it must be from 0 to"):
            fast.Arena.set_clock(wrong)


def test_prefault_makes_new_memory_resident_once_and_leaves_it_zero() -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no pages")
    with fast.Arena(1 << 24, Strategy(prefault=1 << 20, large_delay=0)) as arena:
        block = arena.calloc(1, 1 << 20)
        arena.malloc(16)
        made = arena.totals()["prefaults"]
        assert made in (0, 2)  # 0: a system before Linux 5.14
        memoryview(block)[:] = b"x" * len(block)
        arena.free(block)
        arena.free(arena.malloc(1 << 20))  # its pages were kept
        assert arena.totals()["prefaults"] == made
        arena.trim()
        assert bytes(arena.calloc(1, 1 << 20)) == bytes(1 << 20)
        assert arena.totals()["prefaults"] == made + (1 if made else 0)


@pytest.mark.parametrize("huge_pages", [0, 1, 2])
def test_memory_is_committed_in_huge_pages_where_they_are_asked_for(huge_pages: int) -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no pages")
    with fast.Arena(1 << 26, Strategy(huge_pages=huge_pages)) as arena:
        block = arena.malloc(16)
        committed = arena.totals()["committed"]
        assert (committed % (2 << 20) == 0) == (huge_pages == 1)
        if huge_pages == 1:
            assert block.address % (2 << 20) < UNIT  # of the first slab of the region
        assert arena.totals()["commits"] == 1
        flags = next(
            (lines for lines in mapping_flags() if lines[0] <= block.address < lines[1]), (0, 0, frozenset[str]())
        )[2]
        if flags:  # a system without huge pages has no such flags
            assert ("hg" in flags, "nh" in flags) in {(huge_pages == 1, huge_pages == 2), (False, False)}


def mapping_flags() -> Iterator[tuple[int, int, frozenset[str]]]:
    """Start, end and flags of each of the process's mappings."""
    start = end = 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            start, end = int(found[1], 16), int(found[2], 16)
        elif line.startswith("VmFlags:"):
            yield start, end, frozenset(line.split()[1:])


@given(strategies())
@example(Strategy(delay_line=1, delay_bytes=0))
@example(Strategy(quarantine=1, quarantine_bytes=16))
@example(Strategy(classes=(16, 131072), delay_bytes=4 << 20))
def test_quarantine_limit_is_the_cores(strategy: Strategy) -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the pure backend has no knobs")
    with fast.Arena(1 << 20, strategy) as arena:
        assert (arena.quarantine, arena.quarantine_limit) == (strategy.quarantine_length, strategy.quarantine_limit)


@pytest.mark.parametrize(
    ("strategy", "slot_size", "delay_line", "quarantine"),
    [
        (Strategy(), 1024, 16, 0),
        (Strategy(), 2048, 8, 0),  # 16 KiB of delay line
        (Strategy(), 32768, 1, 0),
        (Strategy(delay_line=0), 16, 0, 0),
        (Strategy(delay_line=3), 16, 3, 0),  # a ring of 4, of which 3 are promised
        (Strategy(delay_line=3, delay_bytes=100), 48, 2, 0),
        (Strategy(classes=(16, 131072)), 131072, 1, 0),
        (Strategy(quarantine=100, quarantine_bytes=640), 64, 16, 10),
        (Strategy(quarantine=100, quarantine_bytes=16), 64, 16, 1),
    ],
)
def test_a_shape_has_the_lengths_that_the_core_gives_a_class(
    strategy: Strategy, slot_size: int, delay_line: int, quarantine: int
) -> None:
    shape = strategy.shape(slot_size=slot_size)
    assert (shape.delay_line, shape.quarantine) == (delay_line, quarantine)


def test_the_fallback_takes_the_same_clocks() -> None:
    from m4alloc import _pure

    _pure.Arena.set_clock(0)
    _pure.Arena.set_clock(None)
    for wrong in (-1, 1 << 63):
        with pytest.raises(ValueError, match=f"the clock cannot stand at {wrong}; it must be from 0 to"):
            _pure.Arena.set_clock(wrong)
