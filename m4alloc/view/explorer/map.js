"use strict";
// The map: what is drawn when, and moving about in it. Its parts are in map_*.js.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});

  // What lies under the pointer and what is being dragged: not part of the state, as no link should carry it.
  const hand = { pointer: null, band: null };
  let hits = []; // where the marks are
  let asked = { base: false, over: false };
  map.frames = { count: 0, total_ms: 0, worst_ms: 0, visited: 0, coarse: 0 }; // of the map, for those who measure

  // Pixels of the page, both ways, to one of the picture of small blocks. While the view moves, and a frame of full
  // detail would take too long, there are two; when it has come to rest the picture is drawn again in full.
  map.coarse = 1;
  map.budget = 14; // ms: a frame in sixty a second, less what else is to be done
  const REST = 180; // ms
  let full = 0; // ms that a frame of full detail takes, by the last one
  let ended = -REST;
  let resting = 0;
  let rested = false;

  // A canvas with as many pixels as the screen has, and a context in the page's pixels.
  map.prepare = (canvas) => {
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const ratio = window.devicePixelRatio || 1;
    const across = Math.max(1, Math.round(width * ratio));
    const down = Math.max(1, Math.round(height * ratio));
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { context, width, height };
  };

  const base = (state) => {
    const began = performance.now();
    clearTimeout(resting);
    map.coarse = full > map.budget && began - ended < REST ? 2 : 1;
    const { context, width, height } = map.prepare(document.getElementById("map-canvas"));
    context.clearRect(0, 0, width, height);
    hits = [];
    map.frames.visited = 0;
    for (const pane of map.panes) {
      if (pane.right - pane.left < 8 || pane.bottom - pane.top < 8) continue;
      const { shapes, labels, visited } = map.blocks.draw(context, pane, state);
      map.frames.visited += visited;
      map.protection.draw(context, pane, state, shapes);
      map.axes.draw(context, pane, state);
      map.calls.draw(context, pane, state);
      map.blocks.write(context, pane, state, labels);
      hits.push(...map.marks.draw(context, pane));
    }
    ended = performance.now();
    const took = ended - began;
    if (map.coarse === 1) full = took;
    else {
      full = Math.min(full, 4 * took);
      resting = setTimeout(() => {
        rested = true;
        map.redraw();
      }, REST);
    }
    map.frames.count += !rested; // the same view in more detail is no frame more
    rested = false;
    map.frames.coarse += map.coarse > 1;
    map.frames.total_ms += took;
    map.frames.worst_ms = Math.max(map.frames.worst_ms, took);
  };

  const over = (state) => {
    const { context, width, height } = map.prepare(document.getElementById("map-over"));
    context.clearRect(0, 0, width, height);
    map.overlay.draw(context, state, hand.pointer, hand.band);
    map.overview.draw(state);
  };

  // The parts of the picture that depend on each key of the state.
  const BASE = ["lives", "view", "rows", "colour", "clock", "panes", "patterns"];
  const OVER = [...BASE, "now", "selected", "finding", "finding_life"];

  const arrange = (state) => {
    const canvas = document.getElementById("map-canvas");
    map.layout(canvas.clientWidth, canvas.clientHeight, state);
  };

  const changed = (state, keys) => {
    if (!state.lives.length) return;
    const any = (names) => names.some((name) => keys.has(name));
    if (any(["lives", "panes"])) arrange(state);
    if (any(["lives", "colour", "patterns"])) map.legend.draw(state);
    if (any(BASE)) base(state);
    if (any(["lives", "view", "clock", "panes"])) map.tell_scale();
    if (any(OVER)) over(state);
  };

  // Draws again without a change of the state: after a change of window or theme, or of what the pointer is on.
  map.redraw = (all = true) => {
    if (!asked.base && !asked.over) {
      requestAnimationFrame(() => {
        const { base: whole } = asked;
        asked = { base: false, over: false };
        const { state } = m4.store;
        if (!state.lives.length) return;
        if (whole) {
          arrange(state);
          map.legend.draw(state);
          base(state);
          map.tell_scale();
        }
        over(state);
      });
    }
    asked[all ? "base" : "over"] = true;
  };

  // Shows the events [start, stop) of life 0, or as near to it as there is something to see.
  map.show = (start, stop) => m4.store.set({ view: map.clip_view(start, stop) });

  map.show_rows = (life, low, high) => {
    const { lives, rows } = m4.store.state;
    m4.store.set({ rows: rows.map((row, at) => (at === life ? map.clip_rows(lives[life], low, high) : row)) });
  };

  // Makes the view `factor` times as long; the event at x stays where it is.
  map.zoom = (factor, x = null, life = 0) => {
    const { lives, view } = m4.store.state;
    if (!lives.length) return;
    const pane = map.panes[life];
    const share = x === null ? middle(pane) : (x - pane.left) / (pane.right - pane.left);
    const start = map.tick(view.start, lives[0]);
    const stop = map.tick(view.stop, lives[0]);
    const fixed = start + (stop - start) * share;
    map.show(
      map.event_of(fixed - (fixed - start) * factor, lives[0]),
      map.event_of(fixed + (stop - fixed) * factor, lives[0]),
    );
  };

  // Zooming without a pointer keeps the moment in its place while it can be seen.
  const middle = (pane) => {
    const share = (map.x(m4.store.state.now, pane.index) - pane.left) / (pane.right - pane.left);
    return share > 0.02 && share < 0.98 ? share : 0.5;
  };

  // The same for the addresses of one life.
  map.zoom_rows = (factor, y = null, life = 0) => {
    const pane = map.panes[life];
    const { low, high } = m4.store.state.rows[life];
    const share = y === null ? 0.5 : (pane.bottom - y) / (pane.bottom - pane.top);
    const fixed = low + (high - low) * share;
    map.show_rows(life, fixed - (fixed - low) * factor, fixed + (high - fixed) * factor);
  };

  // Moves by parts of what is seen.
  map.pan = (part) => {
    const { lives, view } = m4.store.state;
    const start = map.tick(view.start, lives[0]);
    const length = map.tick(view.stop, lives[0]) - start;
    const whole = map.tick(map.whole().stop, lives[0]);
    const moved = Math.min(whole - length, Math.max(0, start + part * length));
    map.show(map.event_of(moved, lives[0]), map.event_of(moved + length, lives[0]));
  };
  map.pan_rows = (part, life = 0) => {
    const { low, high } = m4.store.state.rows[life];
    map.show_rows(life, low + part * (high - low), high + part * (high - low));
  };

  map.show_all = () => {
    const { lives } = m4.store.state;
    m4.store.set({ view: map.whole(), rows: lives.map(map.rows_of) });
  };

  // Zooms to a block and what is around it.
  map.show_block = (life, block) => {
    const { lives } = m4.store.state;
    const index = m4.heap.index(lives[life]);
    const start = Math.max(0, lives[life].blocks.born[block]);
    const stop = index.stop[block];
    const spare = Math.max(1, (stop - start) * 0.15);
    const convert = (event) => map.event_of(map.tick(event, lives[life]), lives[0]);
    map.show(convert(start - spare), convert(stop + spare));
    const tall = Math.max(32, (index.high[block] - index.low[block]) * 1.5);
    map.show_rows(life, index.low[block] - tall, index.high[block] + tall);
  };

  // Brings an event, and a block if there is one, into view without zooming.
  map.reveal = (life, event, block = -1) => {
    const { lives, view, rows } = m4.store.state;
    const here = map.event_of(map.tick(event, lives[life]), lives[0]);
    const length = view.stop - view.start;
    if (here < view.start || here > view.stop) map.show(here - length / 2, here + length / 2);
    if (block < 0) return;
    const index = m4.heap.index(lives[life]);
    const { low, high } = rows[life];
    if (index.high[block] > low && index.low[block] < high) return;
    const middle = (index.low[block] + index.high[block]) / 2;
    map.show_rows(life, middle - (high - low) / 2, middle + (high - low) / 2);
  };

  // What is at a point of the map: { pane, event, place, address, block, state, marks }, or null outside.
  map.under = (x, y) => {
    const pane = map.panes.find((one) => x >= one.left && x < one.right && y >= one.top && y < one.bottom);
    if (!pane) return null;
    const index = m4.heap.index(pane.life);
    const event = map.event(x, pane.index);
    const place = map.place(y, pane.index);
    const address = index.axis.address(place);
    const left_out = address === null ? index.axis.gap(place) : null;
    const near = hits.filter((hit) => hit.pane === pane && Math.hypot(hit.x - x, hit.y - y) <= map.marks.SIZE * 0.75);
    const inside = event >= 0 && event <= index.length;
    let block = -1;
    let held = false;
    if (inside && address !== null) {
      // A pixel may be many events and bytes: what is drawn there is looked for around the point as well.
      const wide = map.event(x + 0.5, pane.index) - event;
      const tall = 0.5 / map.down(pane).each;
      for (const [dx, dy] of [[0, 0], [wide, 0], [-wide, 0], [0, tall], [0, -tall]]) {
        const there = index.axis.address(place + dy);
        if (there === null) continue;
        block = index.at(Math.floor(event + dx), there);
        if (block < 0 && index.held) block = index.at(Math.floor(event + dx), there, true);
        if (block >= 0) break;
      }
      held = block >= 0 && event >= pane.life.blocks.died[block];
    } else if (inside && left_out) {
      // Where the middle of a block is left out, it is that block all the same.
      block = index.at(Math.floor(event), left_out.low);
      if (block >= 0 && block !== index.at(Math.floor(event), left_out.high)) block = -1;
    }
    return { pane, event, place, address, block, held, marks: near[0]?.marks ?? [] };
  };

  // Where a mark of a pane is drawn, { x, y }; undefined when it is not.
  map.shape_of = (pane, mark) => hits.find((hit) => hit.pane === pane && hit.marks.includes(mark));

  map.hand = hand;
  map.start = () => {
    m4.store.on(changed);
    new ResizeObserver(() => map.redraw()).observe(document.getElementById("map"));
    map.overview.listen();
  };
})();
