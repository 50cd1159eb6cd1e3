"use strict";
// Blocks far smaller than a pixel, added up beforehand: a picture of the whole run then looks at thousands of cells in
// place of a million blocks. A cell is `span` calls by `tall` bytes of the address axis, and no wider than half a pixel.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const SPANS = [4096, 1024, 256];
  const ROWS = 1024; // on the whole axis, at least
  const FEWEST = 50000; // blocks; fewer are soon looked at one by one
  const levels = new WeakMap(); // a life -> a colouring -> a span -> the cells

  // The cells for a scale (pixels a call on average, pixels a byte), or null where blocks are to be looked at one by one.
  const level = (life, scheme, scale, each) => {
    const { axis, low } = m4.heap.index(life);
    const tall = 2 ** Math.floor(Math.log2(Math.max(1, axis.length / ROWS)));
    const span = SPANS.find((one) => one * scale <= 0.5);
    if (low.length < FEWEST || !span || tall * each > 0.5) return null;
    if (!levels.has(life)) levels.set(life, new Map());
    const known = levels.get(life);
    const key = `${scheme.name} ${span}`;
    if (!known.has(key)) known.set(key, build(life, scheme, span, tall));
    return known.get(key);
  };

  // A block goes into the cells when it lives shorter than a span and is no longer than a row; it counts where it is born.
  const build = (life, scheme, span, tall) => {
    const { low, high, stop, axis } = m4.heap.index(life);
    const { born, died, size } = life.blocks;
    const classes = scheme.classes.length;
    const class_of = scheme.of(life);
    const { edges, held, slack } = scheme;
    const area = new Float32Array((Math.floor(axis.length / tall) + 1) * classes);
    const touched = [];
    const cells = { at: [], cell: [], area: [] };
    const rest = [];
    let time = 0;
    const flush = () => {
      for (const cell of touched) {
        cells.at.push(time);
        cells.cell.push(cell);
        cells.area.push(area[cell]);
        area[cell] = 0;
      }
      touched.length = 0;
    };
    for (let block = 0; block < low.length; block++) {
      if (stop[block] - born[block] >= span || high[block] - low[block] > tall || born[block] < 0) {
        rest.push(block);
        continue;
      }
      const now = Math.floor(born[block] / span);
      if (now !== time) flush();
      time = now;
      const first = Math.floor((low[block] + high[block]) / 2 / tall) * classes;
      const add = (kind, calls, bytes) => {
        if (area[first + kind] === 0) touched.push(first + kind);
        area[first + kind] += calls * bytes;
      };
      const length = high[block] - low[block];
      const life_time = died[block] - born[block];
      if (edges) {
        for (let age = 0, from = 0; from < life_time; age++) {
          const until = age < edges.length ? Math.min(edges[age], life_time) : life_time;
          add(age, until - from, length);
          from = until;
        }
      } else if (slack) {
        add(0, life_time, Math.min(length, size[block]));
        add(1, life_time, Math.max(0, length - size[block]));
      } else add(class_of[block], life_time, length);
      if (stop[block] > died[block]) add(held, stop[block] - died[block], length);
    }
    flush();
    return {
      span,
      tall,
      at: Int32Array.from(cells.at), // which span, rising
      cell: Int32Array.from(cells.cell), // row * classes + class
      area: Float32Array.from(cells.area), // calls times bytes
      rest: Int32Array.from(rest), // the blocks that are in no cell
    };
  };

  // On a clock a span may last for many pixels, and its blocks must then be looked at one by one all the same: which
  // spans do (a byte a span), and the blocks of theirs that are born in the view.
  const wide = (dust, life, { first, last, scale, clock }) => {
    const { span, tall } = dust;
    const { low, high, stop } = m4.heap.index(life);
    const { born } = life.blocks;
    const flags = new Uint8Array(Math.floor(life.events.function.length / span) + 1);
    const blocks = [];
    if (clock === null) return { flags, blocks };
    for (let at = 0; at < flags.length; at++) {
      if ((clock[Math.min(clock.length - 1, (at + 1) * span)] - clock[at * span]) * scale <= 1) continue;
      flags[at] = 1;
      const start = Math.max(first, at * span);
      const end = Math.min(last, (at + 1) * span - 1);
      if (start > end) continue;
      const to = m4.heap.first_after(born, end);
      for (let block = m4.heap.first_after(born, Math.ceil(start) - 1); block < to; block++) {
        if (stop[block] - born[block] < span && high[block] - low[block] <= tall) blocks.push(block);
      }
    }
    return { flags, blocks };
  };

  // Adds the cells to the differences that raster.gather() keeps, and returns how many; `view` is its view.
  const add = (dust, grid, used, classes, width, height, view) => {
    const { first, last, low, shift, scale, each, clock, flags } = view;
    const { span, tall, at, cell, area } = dust;
    const stride = height * classes;
    const place_of = (event) => ((clock === null ? event : clock[Math.min(clock.length - 1, event)]) - shift) * scale;
    const high = tall * each;
    const start = m4.heap.first_after(at, Math.floor(first / span) - 1);
    const end = m4.heap.first_after(at, Math.floor(last / span));
    for (let number = start; number < end; number++) {
      if (flags[at[number]]) continue;
      const x = place_of(at[number] * span);
      const across = place_of((at[number] + 1) * span) - x;
      const kind = cell[number] % classes;
      const y = (((cell[number] - kind) / classes) * tall - low) * each;
      if (x < 0 || x >= width || across <= 0) continue;
      const column = x | 0;
      const row = Math.floor(y);
      // A cell lies in one pixel, or in parts in two, both ways.
      const right = Math.max(0, x + across - column - 1) / across;
      const above = Math.max(0, y + high - row - 1) / high;
      used[column] = used[column + 1] = used[column + 2] = 1;
      const sum = (area[number] / span) * across * each;
      for (let one = 0; one < 2; one++) {
        const part = sum * (one ? above : 1 - above);
        if (part === 0 || row + one < 0 || row + one >= height) continue;
        const place = column * stride + (row + one) * classes + kind;
        grid[place] += part * (1 - right);
        grid[place + stride] += part * (2 * right - 1);
        grid[place + 2 * stride] -= part * right;
      }
    }
    return end - start;
  };

  map.dust = { level, wide, add };
})();
