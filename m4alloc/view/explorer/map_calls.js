"use strict";
// The calls, one by one where there is room: their names under the map, and accesses as outlines inside the blocks.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const NAMES = {
    1: ["m", "malloc"], 2: ["c", "calloc"], 3: ["r", "realloc"], 4: ["r", "reallocarray"], 5: ["f", "free"],
    6: ["a", "aligned_alloc"], 7: ["a", "memalign"], 8: ["a", "posix_memalign"], 9: ["a", "valloc"],
    10: ["a", "pvalloc"], 11: ["u", "usable_size"], 12: ["f", "free_sized"], 13: ["f", "free_aligned_sized"],
    14: ["n", "new"], 15: ["d", "delete"], 32: ["L", "load"], 33: ["S", "store"], 34: ["F", "fill"], 40: ["#", "label"],
  };
  const GIVING_UP = new Set([5, 12, 13, 15]);
  const FAILED = 256;

  const name = (number) => NAMES[number]?.[1] ?? `function ${number}`;

  // An event in words: "malloc 48", "free", "load 8 at +16".
  const words = (life, event) => {
    const { events } = life;
    const number = events.function[event];
    const failed = events.flags[event] & FAILED ? " failed" : "";
    if (number >= 32 && number <= 34) {
      return `${name(number)} ${events.size[event]} at +${events.offset[event]}${failed}`;
    }
    const size = GIVING_UP.has(number) || number === 11 || number === 40 ? "" : ` ${events.size[event]}`;
    return `${name(number)}${size}${failed}`;
  };

  const draw = (context, pane, state) => {
    const { life } = pane;
    const length = life.events.function.length;
    const first = Math.max(0, Math.floor(map.event(pane.left, pane.index)));
    const last = Math.min(length, Math.ceil(map.event(pane.right, pane.index)));
    context.save();
    context.beginPath();
    context.rect(pane.left, pane.top, pane.right - pane.left, pane.bottom - pane.top + pane.lane);
    context.clip();
    const room = (pane.right - pane.left) / Math.max(1, last - first);
    if (room < 9) bars(context, pane);
    else {
      accesses(context, pane, first, last);
      lane(context, pane, state, first, last);
    }
    context.restore();
  };

  // Too many to name: what part of the calls allocate, column by column.
  const bars = (context, pane) => {
    const { born } = pane.life.blocks;
    const length = pane.life.events.function.length;
    const bottom = pane.bottom + pane.lane - 2;
    context.fillStyle = m4.colours.css(m4.colours.role("muted"), 0.55);
    for (let x = pane.left; x < pane.right; x += 2) {
      const from = Math.max(0, map.event(x, pane.index));
      const to = Math.min(length, map.event(x + 2, pane.index));
      if (to <= from) continue;
      const births = m4.heap.first_after(born, to - 1e-9) - m4.heap.first_after(born, from - 1e-9);
      const tall = Math.min(1, births / Math.max(1, to - from)) * (pane.lane - 5);
      context.fillRect(x, bottom - tall, 1.5, tall);
    }
  };

  const lane = (context, pane, state, first, last) => {
    const { life } = pane;
    const { events } = life;
    const middle = pane.bottom + pane.lane / 2 + 0.5;
    context.textBaseline = "middle";
    context.font = map.blocks.FONT;
    for (let event = first; event < last; event++) {
      const x0 = map.x(event, pane.index);
      const x1 = map.x(event + 1, pane.index);
      const failed = events.flags[event] & FAILED;
      context.fillStyle = m4.colours.css(m4.colours.role("line"));
      context.fillRect(x0, pane.bottom, 1, pane.lane);
      context.fillStyle = m4.colours.css(m4.colours.role(failed ? "bad" : "ink"));
      const long = words(life, event);
      const owner = life.threads.length > 1 ? ` \u00b7 ${m4.colours.thread_name(life, events.thread[event])}` : "";
      const short = NAMES[events.function[event]]?.[0] ?? "?";
      const text = [long + owner, long, name(events.function[event]), short].find(
        (one) => context.measureText(one).width <= x1 - x0 - 5,
      );
      if (text) context.fillText(text, x0 + 4, middle);
      else if (x1 - x0 >= 8) context.fillText(short, x0 + (x1 - x0 - context.measureText(short).width) / 2, middle);
    }
  };

  const accesses = (context, pane, first, last) => {
    const { life } = pane;
    const { events } = life;
    const index = m4.heap.index(life);
    context.font = map.blocks.FONT;
    context.textBaseline = "middle";
    for (let event = first; event < last; event++) {
      const block = events.block[event];
      if (events.function[event] < 32 || events.function[event] > 34 || block < 0) continue;
      const start = index.axis.place(life.blocks.base[block] + events.offset[event]); // perhaps far from the block
      const x0 = map.x(event, pane.index);
      const x1 = map.x(event + 1, pane.index);
      const bottom = map.y(start, pane.index);
      const top = Math.min(bottom - 3, map.y(start + Math.max(1, events.size[event]), pane.index));
      if (top > pane.bottom || bottom < pane.top) continue;
      const live = event < life.blocks.died[block];
      context.lineWidth = 1.5;
      context.strokeStyle = m4.colours.css(m4.colours.role(live ? "ink" : "bad"));
      context.fillStyle = m4.colours.css(m4.colours.role("page"), 0.75);
      context.fillRect(x0 + 1, top, x1 - x0 - 2, bottom - top);
      context.strokeRect(x0 + 1, top, x1 - x0 - 2, bottom - top);
      if (bottom - top < 10 || x1 - x0 < 12) continue;
      context.fillStyle = context.strokeStyle;
      context.fillText(NAMES[events.function[event]][0], x0 + 4, (top + bottom) / 2);
    }
  };

  map.calls = { draw, words, name };
})();
