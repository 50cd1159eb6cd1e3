"""A life into a page and out of it, by the readable decoder and by the page's own script."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import fields, replace
from errno import ENOMEM
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.view.explorer.build import life_of
from m4alloc.view.explorer.build_bounds import address_base, bounded
from m4alloc.view.explorer.build_columns import columns_of_events
from m4alloc.view.explorer.decode import decode
from m4alloc.view.explorer.encode import encode, streams
from m4alloc.view.explorer.life import Guard, Life, Mark
from m4alloc.view.explorer.page import page
from m4alloc.view.explorer.sources_attack import life_of_attack
from m4alloc.view.explorer.sources_script import life_of_script
from spec.event import Event, Function
from spec.script import parse
from tests.m4alloc.view.explorer.lives_for_tests import EXCERPTS, SCRIPTS, differences, life_in, script_lives

NODE = shutil.which("node")
READ = """
const fs = require("fs");
(0, eval)(fs.readFileSync(process.argv[1], "utf8"));
const html = fs.readFileSync(process.argv[2], "utf8");
const element = (id) => html.match(new RegExp(`id="${id}">([^<]*)<`));
const document = {getElementById: (id) => element(id) && {textContent: element(id)[1]}};
const arrays = (columns) => Object.entries(columns).filter(([, column]) => typeof column === "object");
const plain = (columns) => Object.fromEntries(arrays(columns).map(([name, column]) => [name, [...column]]));
const told = (life) => ({
  base: String(life.address_base),
  events: plain(life.events),
  blocks: plain(life.blocks),
  lengths: [life.events.length, life.blocks.length],
  marks: life.marks,
  first: m4.address(life, life.blocks.base[0]),
  curves: life.curves.map((curve) => [...curve.at]),
});
m4.decode(document).then((lives) => console.log(JSON.stringify(lives.map(told))));
"""


def far() -> Life:
    """What an allocator does that hands out -4096 for NULL, and one block that is larger than any memory."""
    text = "a = malloc 16 -> 0xfffffffffffff000\nb = malloc 16 -> 0x2000\nc = malloc 16 -> 0xffffffffffffe000\n"
    text += "d = malloc 0x7fffffffffffffff -> 0x9000\ne = malloc 24 -> 0x4000\nf = malloc 0x7ffffffffffffff0 -> 0x5000"
    return life_of_script(parse(text), text=text, title="far")


@st.composite
def overlapping(draw: st.DrawFn) -> list[Event]:
    """Calls of several threads at once, on a few addresses, by an allocator and a program that keep no rule."""
    count = draw(st.integers(0, 14))
    numbers = draw(st.permutations(range(1, 2 * count + 1)))
    spans = sorted(sorted(numbers[2 * call : 2 * call + 2]) for call in range(count))
    addresses = st.sampled_from([0, 0x1000, 0x1010, 0x2000, 0x7F00_0000_0000, (1 << 64) - 4096])
    sizes = st.sampled_from([0, 8, 24, 1 << 40, (1 << 64) - 1])
    events = []
    for begin, end in spans:
        function = draw(st.sampled_from([Function.MALLOC, Function.REALLOC, Function.FREE, Function.LOAD]))
        replies = function in (Function.MALLOC, Function.REALLOC)
        result = draw(addresses) if replies else 0
        events.append(
            Event(
                function,
                thread=draw(st.integers(1, 3)),
                address=0 if function is Function.MALLOC else draw(addresses),
                size=0 if function is Function.FREE else draw(sizes),
                result=result,
                errno=ENOMEM if replies and not result else 0,
                begin=begin,
                end=end,
            )
        )
    return events


@given(overlapping())
def test_calls_that_overlap_are_decoded_to_the_same_and_no_block_ends_before_it_begins(events: list[Event]) -> None:
    life = bounded(life_of(columns_of_events(events), title="", allocator="", quarantine=(2, 1 << 20)))
    assert (life.blocks.died >= life.blocks.born).all()
    assert differences(life, decode(encode(life))) == []


@given(script_lives())
def test_what_is_encoded_is_decoded_to_the_same(life: Life) -> None:
    assert differences(life, decode(encode(life))) == []


@pytest.mark.parametrize("name", ["python", "containers"])
def test_a_recorded_heap_comes_back_the_same(name: str) -> None:
    life = life_in(EXCERPTS / f"{name}.m4t.xz")
    assert len(life.events) > 30_000
    assert differences(life, decode(encode(life))) == []


def test_a_million_events_of_which_half_are_random_accesses_would_fit_three_megabytes() -> None:
    """A tenth of them, so a tenth of the room; nothing of what is drawn at random can be packed away."""
    draw = np.random.default_rng(1)
    blocks, count = 500, 50_000
    sizes = draw.choice([16, 24, 48, 100, 200, 500, 1000], blocks)
    bases = 0x7F00_0000_0000 + np.concatenate(([0], np.cumsum((sizes + 15) // 16 * 16)[:-1]))
    events = [
        Event(Function.MALLOC, size=size, result=base, usable=(size + 15) // 16 * 16, time_ns=1 + at)
        for at, (size, base) in enumerate(zip(sizes.tolist(), bases.tolist(), strict=True))
    ]
    for at, block in enumerate(draw.integers(0, blocks, count).tolist()):
        size, base = events[block].size, events[block].result
        width = int(draw.choice([1, 2, 4, 8]))
        where = base + int(draw.integers(0, size - width + 1))
        events.append(Event(Function.LOAD, address=where, size=width, time_ns=1000 + 100 * at))
    for at in range(count):
        moment = 10_000_000 + 100 * at
        block = at // 2 % blocks
        if at % 2 == 0:
            events.append(Event(Function.FREE, address=events[block].result, time_ns=moment))
        else:
            events.append(events[block]._replace(time_ns=moment))
    life = life_of(columns_of_events(events), title="", allocator="")
    assert len(life.events) > 90_000 and (life.events.block >= 0).all()
    text = encode(life)
    assert len(text) < 290_000
    assert differences(life, decode(text)) == []


def test_what_nobody_could_derive_comes_back_too() -> None:
    life = life_of_attack("use-after-reuse-write", "morello")
    odd = life.blocks.reusable.copy()
    odd[0] = 4
    strange = replace(
        life,
        blocks=replace(life.blocks, reusable=odd, freer=life.blocks.freer + 1, size=life.blocks.size + 3),
        guards=(Guard(0x8000, 4096, 0, 3),),
        marks=(*life.marks, Mark(4, -1, "violation", "far away", "r", "c", 0x7FFF_0000_0000, 8)),
        quarantine=3,
        quarantine_limit=1 << 40,
    )
    assert address_base(strange) == 0x8000
    assert differences(strange, decode(encode(strange))) == []


def test_columns_that_contradict_each_other_are_refused() -> None:
    life = life_in(SCRIPTS / "rules" / "realloc-zero.heap")
    wrong = replace(life, events=replace(life.events, block=life.events.block + 1))
    with pytest.raises(ValueError, match="in the order of the events that handed them out"):
        encode(wrong)


def test_a_page_of_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.view.explorer.encode.VERSION", 99)
    text = encode(life_of_attack("double-free", "none"))
    with pytest.raises(ValueError, match="the page has format 99"):
        decode(text)


@pytest.mark.skipif(NODE is None, reason="no node")
def test_the_pages_script_decodes_the_same(tmp_path: Path) -> None:
    lives = [
        life_of_attack("tag-wrap-around", "mte"),
        life_of_attack("use-after-realloc", "morello"),
        life_in(SCRIPTS / "rules" / "quarantine-respected.heap"),
        life_in(EXCERPTS / "containers.m4t.xz"),
        far(),
    ]
    html = tmp_path / "page.html"
    html.write_text(page(lives), encoding="utf-8")
    script = Path(__file__).resolve().parents[4] / "m4alloc" / "view" / "explorer" / "decode.js"
    assert NODE is not None
    done = subprocess.run(
        [NODE, "-e", READ, str(script), str(html)], capture_output=True, text=True, timeout=60, check=True
    )
    for life, read in zip(lives, json.loads(done.stdout), strict=True):
        start = int(read["base"])
        assert read["lengths"] == [len(life.events), len(life.blocks)]
        assert read["first"] == hex(int(life.blocks.base[0]))
        assert [mark["name"] for mark in read["marks"]] == [mark.name for mark in life.marks]
        assert read["curves"] == [curve.at.tolist() for curve in life.curves]
        for part in ("events", "blocks"):
            for column in fields(getattr(life, part)):
                values = getattr(getattr(life, part), column.name)
                if part == "blocks" and column.name in ("base", "low", "high"):
                    values = np.where(values > 0, values - start, 0)
                assert read[part][column.name] == values.tolist(), column.name


def test_bytes_that_are_no_text_are_drawn_as_what_stands_for_them() -> None:
    """As of a program whose arguments are not UTF-8."""
    life = replace(life_of_attack("double-free", "none"), title="prog caf\udce9")
    assert decode(encode(life)).title == "prog caf\ufffd"
    assert "<title>prog caf\ufffd</title>" in page([life])


def test_an_address_of_long_ago_is_told_by_its_place_among_those_of_its_class() -> None:
    """100 blocks of one class are given up and handed out again, the longest dead first."""
    places = [0x7F00_0000_0000 + 64 * 1009 * (37 * n % 100) for n in range(100)]
    events = [Event(Function.MALLOC, size=64, result=at, usable=64) for at in places]
    events += [Event(Function.FREE, address=at) for at in places] + events
    life = life_of(columns_of_events(events), title="again", allocator="")
    told = dict(streams(life, address_base(life)))
    assert len(told["fresh"]) == 100
    assert list(told["again"]) == list(range(len(told["again"]))) and len(told["again"]) > 40
    assert differences(decode(encode(life)), life) == []
