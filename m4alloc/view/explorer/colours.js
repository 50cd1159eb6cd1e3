"use strict";
// What each colour and pattern stands for. Every class has both, so that nothing is told by colour alone.
(() => {
  const m4 = (globalThis.m4 ??= {});

  // Eight by eight pixels, a row a byte: none, rising, falling, level, upright, dots, grid, checks.
  const TILES = [
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80],
    [0x11, 0x88, 0x44, 0x22, 0x11, 0x88, 0x44, 0x22],
    [0xff, 0, 0, 0, 0, 0, 0, 0],
    [0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08],
    [0x22, 0, 0, 0, 0x88, 0, 0, 0],
    [0xff, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01],
    [0x33, 0x33, 0xcc, 0xcc, 0x33, 0x33, 0xcc, 0xcc],
  ];
  // Ever denser, for what is ordered.
  const DENSER = [
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0x80, 0, 0, 0, 0, 0, 0, 0],
    [0x80, 0, 0, 0, 0x08, 0, 0, 0],
    [0x88, 0, 0, 0, 0x22, 0, 0, 0],
    [0x88, 0, 0x22, 0, 0x88, 0, 0x22, 0],
    [0xaa, 0, 0x55, 0, 0xaa, 0, 0x55, 0],
    [0xaa, 0x55, 0xaa, 0x55, 0xaa, 0x55, 0xaa, 0x55],
    [0xff, 0x55, 0xff, 0x55, 0xff, 0x55, 0xff, 0x55],
  ];
  const HELD_TILE = [0x81, 0x42, 0x24, 0x18, 0x18, 0x24, 0x42, 0x81];
  const SIZE_BOUNDS = [16, 64, 256, 1024, 4096, 32768, 262144];
  const GROUPS = ["group-0", "group-1", "group-2", "group-3", "group-4", "group-5", "group-6", "group-7"];
  const APART = ["group-1", "group-6", "group-3", "group-0", "group-5", "group-2", "group-7", "group-4"];
  const NAMES = {
    size: "size class",
    age: "age",
    thread: "owner thread",
    tag: "tag",
    state: "state",
  };

  const bytes = (size) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (size >= 1024 && unit < 4) {
      size /= 1024;
      unit++;
    }
    return `${unit === 0 || Number.isInteger(size) ? size : size.toFixed(size < 10 ? 1 : 0)} ${units[unit]}`;
  };

  let cache = new Map();
  const forget = () => (cache = new Map());

  // [red, green, blue] of a role of the palette, in the theme of the moment.
  const role = (name) => {
    if (!cache.has(name)) {
      const text = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
      cache.set(name, [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
    }
    return cache.get(name);
  };
  const mix = (one, other, share) => one.map((value, at) => Math.round(value + (other[at] - value) * share));
  const css = ([red, green, blue], alpha = 1) => `rgba(${red},${green},${blue},${alpha})`;
  // As a pixel of an ImageData is kept, opaque.
  const word = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  const dark = () => role("page").reduce((sum, value) => sum + value, 0) < 384;
  // Black or white, whichever differs more from the colour: one of them always does by 4.5 to 1, by WCAG 2's measure.
  const on = (colour) => {
    const linear = (value) => (value > 10 ? ((value / 255 + 0.055) / 1.055) ** 2.4 : value / 3294);
    const [red, green, blue] = colour.map(linear);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? [0, 0, 0] : [255, 255, 255];
  };

  // The ages, in calls, at which a block passes from one class of age to the next: eight classes at most.
  const age_edges = (length) => {
    const edges = [];
    for (let step = 1; step < 8; step++) {
      const exact = Math.max(2, length) ** (step / 8);
      const power = 10 ** Math.floor(Math.log10(exact));
      const edge = Math.max(1, Math.round(exact / power) * power);
      if (edge > (edges.at(-1) ?? 0)) edges.push(edge);
    }
    return edges;
  };

  const column = (length, of) => {
    const values = new Uint8Array(length);
    for (let at = 0; at < length; at++) values[at] = of(at);
    return values;
  };

  const size_class = (size) => {
    let at = 0;
    while (at < SIZE_BOUNDS.length && size > SIZE_BOUNDS[at]) at++;
    return at;
  };

  // The seven busiest threads of all lives, and whether there are more.
  const busiest = (lives) => {
    const blocks = new Map();
    for (const life of lives) {
      for (const thread of life.blocks.thread) blocks.set(thread, (blocks.get(thread) ?? 0) + 1);
    }
    const order = [...blocks].sort((one, other) => other[1] - one[1] || one[0] - other[0]).map(([thread]) => thread);
    const own = order.length > 8 ? order.slice(0, 7) : order;
    return { own, more: order.length > 8 };
  };

  const MODES = {
    size: () => ({
      labels: [...SIZE_BOUNDS.map((bound) => `≤ ${bytes(bound)}`), "larger"],
      roles: GROUPS,
      of: (life) => column(life.blocks.size.length, (block) => size_class(life.blocks.size[block])),
    }),
    age: (lives) => {
      const edges = age_edges(Math.max(...lives.map((life) => life.events.function.length)));
      return {
        unit: "events",
        labels: [...edges.map((edge) => `< ${m4.parts.count(edge)}`), `≥ ${m4.parts.count(edges.at(-1) ?? 1)}`],
        tiles: DENSER,
        edges,
        of: () => null, // it changes as the block lives
      };
    },
    thread: (lives) => {
      const { own, more } = busiest(lives);
      const named = lives.find((life) => life.threads.length) ?? lives[0];
      const name = (thread) => m4.tell.thread(named, thread);
      own.sort((one, other) => name(one).localeCompare(name(other), "en", { numeric: true }));
      return {
        labels: [...own.map(name), ...(more ? ["other threads"] : [])],
        roles: APART,
        of: (life) =>
          column(life.blocks.thread.length, (block) => {
            const at = own.indexOf(life.blocks.thread[block]);
            return at < 0 ? own.length : at;
          }),
      };
    },
    tag: () => ({
      labels: [...Array.from({ length: 16 }, (_, tag) => String(tag)), "no tag"],
      roles: [...APART, ...APART, "muted"],
      tiles: [...TILES, ...TILES.slice(4), ...TILES.slice(0, 4), TILES[0]],
      of: (life) =>
        column(life.blocks.tag.length, (block) => {
          const tag = life.blocks.tag[block];
          return tag < 0 ? 16 : tag & 15;
        }),
    }),
    state: () => ({
      labels: ["live", "slack"],
      roles: ["series-1", "series-3"],
      tiles: [TILES[0], TILES[5]],
      slack: true,
      of: (life) => new Uint8Array(life.blocks.base.length),
    }),
  };

  // How a colouring looks: classes with a label, a colour ([r, g, b]) and a tile, the last one "held back".
  // `of(life)` gives each block its class, or null where the class follows from the age and `edges`.
  let made = { key: null, scheme: null };
  const scheme = (name, lives) => {
    if (made.key === name && made.lives === lives) return made.scheme;
    const mode = MODES[name](lives);
    const columns = new Map();
    const count = mode.labels.length;
    const classes = mode.labels.map((label, at) => ({
      label,
      tile: (mode.tiles ?? TILES)[at % (mode.tiles ?? TILES).length],
      get colour() {
        if (name === "age") return ramp(count > 1 ? at / (count - 1) : 1);
        return role(mode.roles[at % mode.roles.length]);
      },
    }));
    classes.push({
      label: "held back",
      says: "freed, and not to be handed out again yet",
      tile: HELD_TILE,
      get colour() {
        return mix(role("muted"), role("page"), 0.45);
      },
    });
    const of = (life) => {
      if (!columns.has(life)) columns.set(life, mode.of(life));
      return columns.get(life);
    };
    const title = mode.unit ? `${NAMES[name]} in ${mode.unit}` : NAMES[name];
    const { edges = null, slack = false } = mode;
    made = { key: name, lives, scheme: { name, title, classes, held: count, edges, slack, of } };
    return made.scheme;
  };

  // Young is close to the page, old is far from it.
  const ramp = (share) => {
    const blue = role("series-1");
    if (share < 0.6) return mix(mix(blue, role("page"), 0.72), blue, share / 0.6);
    return mix(blue, role("ink"), (share - 0.6) / 0.5);
  };

  // The colour of a tile's set pixels.
  const mark = (colour) => mix(colour, on(colour), 0.3);
  // Bytes that a block has beyond those requested.
  const slack = (colour) => mix(colour, role("page"), 0.55);
  // Addresses that held a block before and hold none now; never used ones are plain page.
  const freed = () => mix(role("page"), role("muted"), dark() ? 0.2 : 0.13);

  // What fills a shape of a class on a canvas: a repeating tile, or the plain colour.
  const fill = (context, colour, tile, patterned) => {
    if (!patterned || tile.every((row) => row === 0)) return css(colour);
    const key = `fill ${colour} ${tile}`;
    if (!cache.has(key)) {
      const small = new OffscreenCanvas(8, 8);
      const brush = small.getContext("2d");
      brush.fillStyle = css(colour);
      brush.fillRect(0, 0, 8, 8);
      brush.fillStyle = css(mark(colour));
      tile.forEach((row, y) => {
        for (let x = 0; x < 8; x++) if ((row >> x) & 1) brush.fillRect(x, y, 1, 1);
      });
      cache.set(key, context.createPattern(small, "repeat"));
    }
    return cache.get(key);
  };

  m4.colours = {
    role, mix, css, word, dark, on, mark, slack, freed, fill, forget, scheme, bytes, TILES, NAMES,
  };
})();
