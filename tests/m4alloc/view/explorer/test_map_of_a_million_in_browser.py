"""The explorer's map with a million calls, made inside the page, and its answers against a plain search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as File

import pytest

from m4alloc.view.explorer.page import page
from tests.m4alloc.view.browser import Page, browser, needs_browser
from tests.m4alloc.view.explorer import panel_lives

pytestmark = needs_browser

DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"

# synthetic(calls): a life in which half of the calls allocate, most blocks die young, and addresses are used again.
SYNTHETIC = """
globalThis.synthetic = (calls) => {
  let seed = 12345;
  const random = (below) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % below;
  const half = calls / 2;
  const events = { function: new Uint8Array(calls), thread: new Uint16Array(calls), block: new Int32Array(calls),
    size: new Float64Array(calls), offset: new Float64Array(calls), time_ns: new Float64Array(calls),
    flags: new Uint16Array(calls) };
  const whole = () => new Float64Array(half);
  const small = (Kind, value = 0) => new Kind(half).fill(value);
  const blocks = { base: whole(), size: whole(), usable: whole(), low: whole(), high: whole(),
    born: small(Int32Array), died: small(Int32Array, calls), reusable: small(Int32Array, calls),
    origin: small(Int32Array, -1), thread: small(Int16Array), freer: small(Int16Array, -1), tag: small(Int8Array, -1) };
  const live = [], free = [];
  let next = 0, top = 0;
  for (let call = 0; call < calls; call++) {
    events.time_ns[call] = call * 100;
    events.thread[call] = random(12);
    if ((random(100) < 52 || !live.length) && next < half) {
      const block = next++;
      blocks.base[block] = free.length && random(10) ? free.splice(random(free.length), 1)[0] : (top += 512) - 512;
      blocks.size[block] = events.size[call] = 1 + random(500);
      blocks.usable[block] = (blocks.size[block] + 15) & ~15;
      blocks.born[block] = call;
      blocks.thread[block] = events.thread[call];
      events.function[call] = 1;
      events.block[call] = block;
      live.push(block);
    } else if (live.length) {
      const at = Math.max(0, live.length - 1 - random(random(10) ? 40 : live.length));
      const block = live[at];
      live[at] = live[live.length - 1];
      live.pop();
      blocks.died[block] = blocks.reusable[block] = call;
      blocks.freer[block] = events.thread[call];
      if (free.length < 500) free.push(blocks.base[block]);
      events.function[call] = 5;
      events.block[call] = block;
    } else {
      events.function[call] = 5;
      events.block[call] = -1;
    }
  }
  for (const name of Object.keys(blocks)) blocks[name] = blocks[name].subarray(0, next);
  return { title: "synthetic", allocator: "made up", address_base: 0x7f0000000000n, events, blocks, protection: "none",
    granule: 0, sentence: "", end: "", left_out: "", threads: [], size_classes: [], marks: [], retags: [],
    properties: [], curves: [], guards: [], script: [], script_lines: [] };
};
"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    file: File = tmp_path_factory.mktemp("map") / "page.html"
    file.write_text(page([panel_lives.resized()]), encoding="utf-8")
    with browser() as one:
        one.open(file)
        one.until("m4.map.frames.count > 0")
        one.run(SYNTHETIC)
        yield one
        assert one.problems == []


@pytest.mark.slow
def test_a_million_calls_are_moved_about_in_frame_by_frame(tab: Page) -> None:
    tab.run("m4.open([synthetic(1_000_000)], '')")
    tab.until("m4.store.state.view.stop === 1_000_000")
    tab.run(DRAWN)
    before = tab.run("m4.map.frames.count")
    tab.run(
        f"(async () => {{ for (let at = 0; at < 12; at++) {{ m4.map.zoom(0.35); await {DRAWN}; }}"
        f"for (let at = 0; at < 4; at++) {{ m4.map.pan(0.1); await {DRAWN}; }} }})()"
    )
    frames = tab.run("m4.map.frames")
    assert frames["count"] - before == 16, "each step is one frame"
    assert frames["visited"] < 60_000, "zoomed in, the blocks of elsewhere are not looked at"
    view = tab.run("m4.store.state.view")
    assert view["stop"] - view["start"] < 10
    seen = tab.run(
        "(() => { const one = document.getElementById('map-canvas');"
        "return new Set(new Uint32Array(one.getContext('2d').getImageData(120, 40, 700, 300).data.buffer)).size; })()"
    )
    assert seen > 10


def test_while_the_view_moves_the_picture_is_coarse_and_at_rest_it_is_whole_again(tab: Page) -> None:
    picture = "document.getElementById('map-canvas').toDataURL()"
    tab.run("m4.open([synthetic(1_000_000)], ''); m4.map.budget = 0")
    tab.until("m4.store.state.view.stop === 1_000_000")
    tab.run(f"new Promise(done => setTimeout(() => done(true), 400)).then(() => {DRAWN})")
    whole, before = tab.run(picture), tab.run("m4.map.frames.coarse")
    tab.run(f"(async () => {{ for (const factor of [0.5, 2, 0.5, 2]) {{ m4.map.zoom(factor); await {DRAWN}; }} }})()")
    assert tab.run("m4.map.frames.coarse") > before
    coarse = tab.run(picture)
    tab.run(f"new Promise(done => setTimeout(() => done(true), 600)).then(() => {DRAWN})")
    assert tab.run("[m4.map.coarse, m4.store.state.view.stop]") == [1, 1_000_000]
    assert tab.run(picture) == whole
    assert len(whole) > 1.1 * len(coarse)
    tab.run("m4.map.budget = 14")


def test_cells_of_dust_look_as_the_blocks_in_them_do_on_either_clock(tab: Page) -> None:
    tab.run("m4.open([synthetic(1_000_000)], '')")
    tab.until("m4.store.state.view.stop === 1_000_000")
    pictures = tab.run(
        """(() => {
          const { lives } = m4.store.state, [life] = lives, { axis } = m4.heap.index(life);
          const scheme = m4.colours.scheme("size", lives);
          // A call takes 100 ns, but one in the middle, which lasts for a quarter of all.
          const clock = Float64Array.from({ length: 1e6 + 1 }, (_, call) => call * 100 + (call > 5e5 ? 4e7 : 0));
          const all = { first: 0, last: 1e6, low: 0, high: axis.length, shift: 0 };
          const picture = (view) => {
            const pixels = new Uint32Array(800 * 300);
            const { visited } = m4.map.raster.gather(life, scheme, 800, 300, view);
            m4.map.raster.put(pixels, 800, 300, scheme, false);
            return { visited, pixels: new Uint8Array(pixels.buffer) };
          };
          const { level } = m4.map.dust;
          const part = { ...all, first: 3e5, last: 9e5, shift: 3e5, clock: null, scale: 800 / 6e5 };
          const views = [{ ...all, clock: null, scale: 800 / 1e6 }, { ...all, clock, scale: 800 / clock[1e6] }, part];
          return views.map((view) => {
            const coarse = picture(view);
            m4.map.dust.level = () => null;
            const exact = picture(view);
            m4.map.dust.level = level;
            let off = 0;
            for (let at = 0; at < exact.pixels.length; at++) off += Math.abs(exact.pixels[at] - coarse.pixels[at]) > 40;
            return [coarse.visited / exact.visited, off / exact.pixels.length];
          });
        })()"""
    )
    assert [visited < most for (visited, _), most in zip(pictures, (0.1, 0.7, 0.4), strict=True)] == [True] * 3, (
        pictures
    )
    assert all(off < 0.03 for _, off in pictures), pictures


def test_more_than_eight_threads_share_the_last_colour(tab: Page) -> None:
    tab.run("m4.store.set({colour: 'thread'})")
    tab.run(DRAWN)
    assert "other threads" in tab.run("document.getElementById('legend').innerText")
    tab.run("m4.store.set({colour: 'size'})")


def test_what_lives_and_what_lies_where_agree_with_a_search_through_all_blocks(tab: Page) -> None:
    wrong = tab.run(
        """(() => {
          const life = synthetic(6000), index = m4.heap.index(life), { base, usable, born, died } = life.blocks;
          const wrong = [];
          for (let event = 0; event < 6000; event += 97) {
            const all = [...base.keys()].filter((block) => born[block] <= event && event < died[block]);
            if (String([...index.live_at(event)].sort((a, b) => a - b)) !== String(all)) wrong.push(["live", event]);
            for (let address = 100; address < 60000; address += 4999) {
              const there = all.filter((block) => base[block] <= address && address < base[block] + usable[block]);
              if (index.at(event, address) !== (there.at(-1) ?? -1)) wrong.push(["at", event, address]);
            }
          }
          for (const block of [0, 7, 900]) {
            const own = [...life.events.block.keys()].filter((event) => life.events.block[event] === block);
            if (String([...index.events_of(block)]) !== String(own)) wrong.push(["events", block]);
          }
          for (let block = 0; block < base.length; block += 13) {
            if (index.axis.address(index.axis.place(base[block])) !== base[block]) wrong.push(["axis", block]);
          }
          return wrong;
        })()"""
    )
    assert wrong == []


def test_before_the_first_event_there_is_what_the_record_begins_with(tab: Page) -> None:
    found = tab.run(
        """(() => {
          const life = synthetic(8), { born, died } = life.blocks;
          born[0] = born[1] = -1;
          died[0] = 0;
          died[1] = 8;
          const index = m4.heap.index(life);
          return [[...index.live_at(-1)], [...index.live_at(0)].includes(0), index.at(-1, life.blocks.base[0])];
        })()"""
    )
    assert found == [[0, 1], False, 0]


def test_a_pixel_is_as_full_as_the_blocks_in_it(tab: Page) -> None:
    """Two pixels by two: a block of a quarter of one, one of all of another, one that two share."""
    pixels = tab.run(
        """(() => {
          const life = synthetic(8), { blocks } = life;
          for (const name of Object.keys(blocks)) blocks[name] = blocks[name].slice(0, 3);
          const fill = (column, values) => values.forEach((value, at) => (blocks[column][at] = value));
          fill("base", [0, 32, 0]);
          fill("size", [16, 32, 32]);
          fill("usable", [16, 32, 32]);
          fill("born", [0, 4, 3]);
          fill("died", [2, 8, 5]);
          fill("reusable", [2, 8, 5]);
          const scheme = m4.colours.scheme("state", [life]);
          const axis = m4.heap.index(life).axis;
          const low = axis.place(0);
          const view = { first: 0, last: 8, low, high: low + 64, shift: 0, scale: 2 / 8, clock: null };
          const pixels = new Uint32Array(4);
          m4.map.raster.gather(life, scheme, 2, 2, view);
          m4.map.raster.put(pixels, 2, 2, scheme, false);
          const page = m4.colours.role("page"), colour = m4.colours.role("series-1");
          const full = (share) => {
            const step = share >= 1 ? 63 : Math.floor(Math.sqrt(share) * 64);
            return m4.colours.word(m4.colours.mix(page, colour, 0.16 + (0.84 * step) / 63));
          };
          // Top row first: nothing, full; below: a quarter and a quarter, a quarter.
          return [pixels[0] === 0, pixels[1] === full(1), pixels[2] === full(0.5), pixels[3] === full(0.25)];
        })()"""
    )
    assert pixels == [True, True, True, True]
