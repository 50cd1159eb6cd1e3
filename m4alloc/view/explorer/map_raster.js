"use strict";
// Blocks too small to draw one by one, added up pixel by pixel: which class holds most of a pixel, and how full it is.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const BIG = 3; // pixels, both ways, from which a block is a shape of its own, unless the caller says otherwise
  const MOST = 6000; // shapes, unless the caller wants fewer
  const STEPS = 64; // of fullness

  // For each column of pixels, from low addresses to high, and for each class: what is added to the column before.
  // Columns first, because blocks come in order of birth and those of one time then stay in the processor's cache.
  // Of double precision, because what was added must vanish when it is taken away again.
  let sums = new Float64Array(0);
  let used = new Uint8Array(0); // columns where something is added

  // Goes through the blocks of a view and divides them: those with room for a shape are returned; the others are added
  // to a picture of `width` by `height` pixels, which put() colours and which must be put before the next is gathered.
  //
  // view: { first, last, low, high, shift, scale, clock, most, big }: events, places on the address axis, how events
  // become x: (event - shift) * scale, or (clock[event] - shift) * scale where clock is not null.
  // A block adds where it begins what it takes away where it ends, in parts of pixels: its length costs nothing.
  const gather = (life, scheme, width, height, view) => {
    const { first, last, low, high, shift, scale, clock, most = MOST, big = BIG } = view;
    const index = m4.heap.index(life);
    const classes = scheme.classes.length;
    const stride = height * classes;
    if (sums.length < stride * (width + 3)) sums = new Float64Array(stride * (width + 3));
    if (used.length < width + 3) used = new Uint8Array(width + 3);
    const { low: lows, high: highs, stop: stops } = index;
    const { born, died, size } = life.blocks;
    const class_of = scheme.of(life);
    const { edges, held, slack } = scheme;
    const each = height / (high - low);
    const grid = sums;
    const seen = used;
    const shapes = [];
    const { early, from, to } = index.reach(first, last);
    const dust = map.dust.level(life, scheme, width / (last - first), each);
    const { flags, blocks: more } = dust ? map.dust.wide(dust, life, view) : { flags: null, blocks: [] };
    // How many blocks and cells went into the picture.
    let small = dust ? map.dust.add(dust, grid, seen, classes, width, height, { ...view, each, flags }) : 0;
    const rest = dust ? (clock === null ? dust.bulky : dust.rest) : null;
    const next = rest ? m4.heap.first_after(rest, from - 1) : from;
    const regular = early.length + (rest ? m4.heap.first_after(rest, to - 1) : to) - next;
    const visited = regular + more.length;
    // Ages that pass within a quarter of a pixel are not told apart.
    const passed = edges === null || clock !== null ? 0 : edges.filter((edge) => edge * scale < 0.25).length;
    const span = dust?.span ?? 0;
    const tall = dust?.tall ?? 0;

    // All in one loop: handing fractions to a function would allocate each of them, and take most of the time.
    for (let number = 0; number < visited; number++) {
      let block = number < early.length ? early[number] : next + number - early.length;
      if (number >= regular) block = more[number - regular];
      else if (rest !== null && number >= early.length) block = rest[block];
      const stop = stops[block];
      if (stop <= first) continue;
      const bottom = lows[block];
      const top = highs[block];
      if (top <= low || bottom >= high) continue;
      // Among the dust already?
      if (dust !== null && top - bottom <= tall && born[block] >= 0) {
        if (clock === null || (stop - born[block] < span && flags[(born[block] / span) | 0] === 0)) continue;
      }
      const begin = born[block] < 0 ? 0 : born[block];
      const left = ((clock === null ? begin : clock[begin]) - shift) * scale;
      const right = ((clock === null ? stop : clock[stop]) - shift) * scale;
      const y0 = bottom < low ? 0 : (bottom - low) * each;
      const y1 = top > high ? height : (top - low) * each;
      if (right - left >= big && (top - bottom) * each >= big && shapes.length < most) {
        shapes.push(block);
        continue;
      }
      small++;
      // The life in parts: of one class, or age by age; then held back.
      const end = died[block];
      const split = slack ? Math.min(y1, Math.max(y0, (bottom + size[block] - low) * each)) : y1;
      let first_age = passed;
      while (first_age > 0 && end - begin <= edges[first_age - 1]) first_age--;
      for (let from = begin, age = first_age; from < stop; ) {
        let until = stop;
        let kind = held;
        if (from < end) {
          until = edges !== null && age < edges.length ? Math.min(end, begin + edges[age]) : end;
          kind = edges !== null ? age++ : class_of[block];
        }
        let x0 = ((clock === null ? from : clock[from]) - shift) * scale;
        let x1 = ((clock === null ? until : clock[until]) - shift) * scale;
        from = until;
        if (x0 < 0) x0 = 0;
        if (x1 > width) x1 = width;
        if (x1 <= x0) continue;
        const i0 = x0 | 0;
        const i1 = x1 | 0;
        const cut0 = x0 - i0;
        const cut1 = x1 - i1;
        seen[i0] = seen[i0 + 1] = seen[i1] = seen[i1 + 1] = 1;
        const live = slack && kind === 0;
        for (let row = y0 | 0, top_row = live ? split : y1, start = y0; ; row = start | 0) {
          // The rectangle [x0, x1) by [start, top_row) is added to `kind`, row by row.
          const last_row = top_row | 0;
          let at = i0 * stride + row * classes + kind;
          let away = i1 * stride + row * classes + kind;
          for (; row <= last_row && row < height; row++, at += classes, away += classes) {
            const part = (row < last_row ? row + 1 : top_row) - (row < start ? start : row);
            if (i0 === i1) {
              grid[at] += part * (x1 - x0);
              grid[at + stride] -= part * (x1 - x0);
            } else {
              grid[at] += part * (1 - cut0);
              grid[at + stride] += part * cut0;
              grid[away] -= part * (1 - cut1);
              grid[away + stride] -= part * cut1;
            }
          }
          if (!live || kind === 1 || split >= y1) break;
          kind = 1; // the slack above
          start = split;
          top_row = y1;
        }
      }
    }
    return { shapes, small, visited };
  };

  // Colours for each class and fullness, plain and under a set pixel of the pattern.
  const table = (scheme, page) => {
    const colours = new Uint32Array(scheme.classes.length * STEPS * 2);
    scheme.classes.forEach(({ colour }, kind) => {
      for (let step = 0; step < STEPS; step++) {
        const share = 0.16 + (0.84 * step) / (STEPS - 1);
        const plain = m4.colours.mix(page, colour, share);
        const set = m4.colours.mix(page, m4.colours.mark(colour), share);
        for (const [at, one] of [plain, set].entries()) colours[(kind * STEPS + step) * 2 + at] = m4.colours.word(one);
      }
    });
    return colours;
  };

  // Writes what gather() added up into pixels (a Uint32Array, top row first); those that hold nothing stay as they are.
  // Sums run along the columns, pixels lie along the rows: so as many columns at a time as a cache line has pixels.
  const STRIP = 16;
  const put = (pixels, width, height, scheme, patterned) => {
    const classes = scheme.classes.length;
    const stride = height * classes;
    const colours = table(scheme, m4.colours.role("page"));
    const tiles = Uint8Array.from(scheme.classes.flatMap(({ tile }) => (patterned ? tile : new Array(8).fill(0))));
    const grid = sums;
    const added = used;
    const run = new Float64Array(stride);
    const look = new Int16Array(height).fill(-1); // class and fullness of each pixel of the column
    const strip = new Int16Array(height * STRIP);
    for (let left = 0; left < width; left += STRIP) {
      const wide = Math.min(STRIP, width - left);
      for (let across = 0; across < wide; across++) {
        const x = left + across;
        if (added[x]) {
          let at = x * stride;
          for (let row = 0, one = 0; row < height; row++) {
            let best = 2e-6;
            let kind = -1;
            let total = 0;
            for (let number = 0; number < classes; number++, one++, at++) {
              const sum = (run[one] += grid[at]);
              total += sum;
              if (sum > best) {
                best = sum;
                kind = number;
              }
            }
            look[row] = kind < 0 ? -1 : kind * STEPS + (total >= 1 ? STEPS - 1 : (Math.sqrt(total) * STEPS) | 0);
          }
          grid.fill(0, x * stride, (x + 1) * stride);
          added[x] = 0;
        }
        for (let row = 0, to = across; row < height; row++, to += STRIP) strip[to] = look[row];
      }
      for (let row = 0, line = height - 1; row < height; row++, line--) {
        const from = row * STRIP;
        const to = line * width + left;
        for (let across = 0; across < wide; across++) {
          const seen = strip[from + across];
          if (seen < 0) continue;
          const tile = tiles[((seen / STEPS) | 0) * 8 + (line & 7)];
          pixels[to + across] = colours[seen * 2 + ((tile >> ((left + across) & 7)) & 1)];
        }
      }
    }
    for (let x = width; x < width + 3; x++) {
      if (added[x]) grid.fill(0, x * stride, (x + 1) * stride);
      added[x] = 0;
    }
  };

  map.raster = { gather, put };
})();
