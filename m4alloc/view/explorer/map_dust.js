"use strict";
// Blocks far smaller than a pixel, added up beforehand: a picture of the whole run then looks at thousands of cells in
// place of a million blocks. A cell is `span` calls by `tall` bytes of the address axis, no wider than half a pixel.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const SPANS = [4096, 1024, 256];
  const ROWS = 1024; // on the whole axis, at least
  const FEWEST = 50000; // blocks; fewer are soon looked at one by one
  const STEP = 8192; // blocks that are added up at a time, while nothing else is to be done
  const levels = new WeakMap(); // a life -> a colouring and a span -> the cells, or the work on them

  // The cells for a scale (pixels a call on average, pixels a byte), or null where blocks are looked at one by one.
  const level = (life, scheme, scale, each) => {
    const { axis, low } = m4.heap.index(life);
    const tall = 2 ** Math.floor(Math.log2(Math.max(1, axis.length / ROWS)));
    const span = SPANS.find((one) => one * scale <= 0.5);
    if (low.length < FEWEST || !span || tall * each > 0.5) return null;
    const found = begun(life, scheme, span, tall);
    while (!found.cells) advance(found);
    // Whoever looks at this is likely to look closer.
    const next = SPANS[SPANS.indexOf(span) + 1];
    if (next && !levels.get(life).has(`${scheme.name} ${next}`)) idle(begun(life, scheme, next, tall));
    return found.cells;
  };

  // The work on the cells of a span: as far as it has come.
  const begun = (life, scheme, span, tall) => {
    if (!levels.has(life)) levels.set(life, new Map());
    const known = levels.get(life);
    const key = `${scheme.name} ${span}`;
    if (!known.has(key)) known.set(key, { steps: build(life, scheme, span, tall), cells: null });
    return known.get(key);
  };

  const advance = (work) => {
    const { done, value } = work.steps.next();
    if (done) work.cells = value;
  };

  const idle = (work) => {
    // Not every browser tells when it is idle.
    const later = globalThis.requestIdleCallback ?? ((act) => setTimeout(() => act({ timeRemaining: () => 0 }), 30));
    later((deadline) => {
      do if (!work.cells) advance(work);
      while (!work.cells && deadline.timeRemaining() > 4);
      if (!work.cells) idle(work);
    });
  };

  // A block no longer than a row goes into cells. One that lives shorter than a span goes, as the area that it covers,
  // into the cell where it is born; of another the edges go into the cells where they are, for edges are all that
  // raster.gather() keeps. On a clock a span may be many pixels wide, and the latter are then looked at one by one.
  // A generator, which stops after every STEP blocks.
  const build = function* (life, scheme, span, tall) {
    const { low, high, stop, axis } = m4.heap.index(life);
    const { born } = life.blocks;
    const classes = scheme.classes.length;
    const rows = Math.floor(axis.length / tall) + 1;
    const area = collected(rows * classes);
    let edges = room(4 * low.length);
    let count = 0;
    const rest = new Int32Array(low.length);
    let others = 0;
    const bulky = [];
    for (let block = 0; block < low.length; block++) {
      if (block % STEP === STEP - 1) yield;
      if (high[block] - low[block] > tall || born[block] < 0) {
        rest[others++] = block;
        bulky.push(block);
        continue;
      }
      const first = Math.floor((low[block] + high[block]) / 2 / tall) * classes;
      if (stop[block] - born[block] < span) {
        const at = Math.floor(born[block] / span);
        const whole = (kind, from, until, bytes) => area.add(at, first + kind, (until - from) * bytes, 0);
        pieces(life, scheme, block, whole);
        continue;
      }
      rest[others++] = block;
      pieces(life, scheme, block, (kind, from, until, bytes) => {
        if (count + 2 > edges.time.length) edges = room(2 * count, edges);
        edges.cell[count] = edges.cell[count + 1] = first + kind;
        edges.bytes[count] = bytes;
        edges.time[count++] = from;
        edges.bytes[count] = -bytes;
        edges.time[count++] = until;
      });
    }
    return {
      span,
      tall,
      ...area.cells(),
      edges: cut(edges, count, span, rows * classes, life.events.function.length),
      rest: rest.slice(0, others), // the blocks whose area is in no cell
      bulky: Int32Array.from(bulky), // those of which not even the edges are
    };
  };

  const room = (length, before = null) => {
    const columns = { time: new Int32Array(length), cell: new Int32Array(length), bytes: new Float64Array(length) };
    if (before) for (const name of Object.keys(columns)) columns[name].set(before[name]);
    return columns;
  };

  // The parts of a block's life of one class each, as gather() divides it: visit(class, from, until, bytes).
  const pieces = (life, scheme, block, visit) => {
    const { low, high, stop } = m4.heap.index(life);
    const { born, died, size } = life.blocks;
    const { edges, held, slack } = scheme;
    const length = high[block] - low[block];
    if (edges) {
      for (let age = 0, from = born[block]; from < died[block]; age++) {
        const until = age < edges.length ? Math.min(born[block] + edges[age], died[block]) : died[block];
        visit(age, from, until, length);
        from = until;
      }
    } else if (slack) {
      visit(0, born[block], died[block], Math.min(length, size[block]));
      if (length > size[block]) visit(1, born[block], died[block], length - size[block]);
    } else visit(scheme.of(life)[block], born[block], died[block], length);
    if (stop[block] > died[block]) visit(held, died[block], stop[block], length);
  };

  // Two sums for each cell of each span, the spans in rising order; cells are row * classes + class.
  const collected = (size) => {
    const sums = [new Float64Array(size), new Float64Array(size)];
    const seen = new Uint8Array(size);
    const touched = [];
    const found = { at: [], cell: [], area: [], moment: [] };
    let time = 0;
    const flush = () => {
      for (const cell of touched) {
        found.at.push(time);
        found.cell.push(cell);
        found.area.push(sums[0][cell]);
        found.moment.push(sums[1][cell]);
        sums[0][cell] = sums[1][cell] = seen[cell] = 0;
      }
      touched.length = 0;
    };
    const add = (at, cell, one, other) => {
      if (at !== time) flush();
      time = at;
      if (!seen[cell]) touched.push(cell);
      seen[cell] = 1;
      sums[0][cell] += one;
      sums[1][cell] += other;
    };
    const cells = () => {
      flush();
      const { at, cell, area, moment } = found;
      return {
        at: Int32Array.from(at),
        cell: Int32Array.from(cell),
        area: Float64Array.from(area), // calls times bytes; of edges, bytes that begin less those that end
        moment: Float64Array.from(moment), // of edges, the same times the part of the span that lies before each
      };
    };
    return { add, cells };
  };

  // The edges, span by span.
  const cut = ({ time, cell, bytes }, count, span, size, length) => {
    const starts = new Int32Array(Math.floor(length / span) + 2);
    for (let number = 0; number < count; number++) starts[((time[number] / span) | 0) + 1]++;
    for (let at = 1; at < starts.length; at++) starts[at] += starts[at - 1];
    const order = new Int32Array(count);
    for (let number = 0; number < count; number++) order[starts[(time[number] / span) | 0]++] = number;
    const sums = collected(size);
    for (const number of order) {
      const at = (time[number] / span) | 0;
      sums.add(at, cell[number], bytes[number], bytes[number] * (time[number] / span - at));
    }
    return sums.cells();
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
    const { first, last, shift, scale, clock, flags } = view;
    const { span, at, cell, area } = dust;
    const put = row_of(dust, grid, classes, height, view);
    const place_of = (event) => ((clock === null ? event : clock[Math.min(clock.length - 1, event)]) - shift) * scale;
    const start = m4.heap.first_after(at, Math.floor(first / span) - 1);
    const end = m4.heap.first_after(at, Math.floor(last / span));
    for (let number = start; number < end; number++) {
      if (flags[at[number]]) continue;
      const x = place_of(at[number] * span);
      const across = place_of((at[number] + 1) * span) - x;
      if (x < 0 || x >= width || across <= 0) continue;
      const column = x | 0;
      // A cell lies in one pixel, or in parts in two.
      const right = Math.max(0, x + across - column - 1) / across;
      const sum = (area[number] / span) * across;
      used[column] = used[column + 1] = used[column + 2] = 1;
      put(column, cell[number], sum * (1 - right), sum * (2 * right - 1), -sum * right);
    }
    return end - start + (clock === null ? add_edges(dust, put, used, width, view) : 0);
  };

  // The same for edges, where no clock makes the spans unlike. What begins and ends before the view is added up first.
  const add_edges = ({ span, edges }, put, used, width, { last, shift, scale }) => {
    const { at, cell, area, moment } = edges;
    const end = m4.heap.first_after(at, Math.floor(last / span));
    const before = new Map();
    for (let number = 0; number < end; number++) {
      const x = (at[number] * span - shift) * scale;
      if (x < 0) {
        before.set(cell[number], (before.get(cell[number]) ?? 0) + area[number]);
        continue;
      }
      if (x >= width) break;
      // The pixel that the middle of the span lies in; an edge a little beside it is taken for one in it.
      const column = (x + (span * scale) / 2) | 0;
      const beyond = area[number] * (x - column) + moment[number] * span * scale;
      used[column] = used[column + 1] = 1;
      put(column, cell[number], area[number] - beyond, beyond, 0);
    }
    if (before.size) used[0] = 1;
    for (const [one, bytes] of before) if (bytes) put(0, one, bytes, 0, 0);
    return end;
  };

  // Adds to three columns of a cell's class, in the two rows of pixels at most that the cell lies in.
  const row_of = ({ tall }, grid, classes, height, { low, each }) => {
    const stride = height * classes;
    const high = tall * each;
    return (column, cell, one, two, three) => {
      const kind = cell % classes;
      const y = (((cell - kind) / classes) * tall - low) * each;
      const row = Math.floor(y);
      const above = Math.max(0, y + high - row - 1) / high;
      for (let next = 0; next < 2; next++) {
        const part = (next ? above : 1 - above) * each;
        if (part === 0 || row + next < 0 || row + next >= height) continue;
        const place = column * stride + (row + next) * classes + kind;
        grid[place] += part * one;
        grid[place + stride] += part * two;
        if (three) grid[place + 2 * stride] += part * three;
      }
    };
  };

  map.dust = { level, wide, add };
})();
