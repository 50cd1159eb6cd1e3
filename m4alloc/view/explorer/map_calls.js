"use strict";
// The calls, one by one where there is room: their names under the map, and accesses as outlines inside the blocks.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const { FAILED } = m4.codes;

  // An event in words: "malloc 48", "free", "load 8 at +16".
  const words = (life, event) => {
    const { events } = life;
    const name = m4.tell.called(life, event);
    const failed = events.flags[event] & FAILED ? " failed" : "";
    if (m4.tell.is_access(life, event)) {
      return `${name} ${events.size[event]} at +${events.offset[event]}${failed}`;
    }
    const sized = !m4.tell.is_free(life, event) && !["malloc_usable_size", "label"].includes(name);
    return `${name}${sized ? ` ${events.size[event]}` : ""}${failed}`;
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
      const owner = life.threads.length > 1 ? ` \u00b7 ${m4.tell.thread(life, events.thread[event])}` : "";
      const short = m4.tell.letter(life, event);
      const text = [long + owner, long, m4.tell.called(life, event), short].find(
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
      if (!m4.tell.is_access(life, event) || block < 0) continue;
      const address = life.blocks.base[block] + events.offset[event]; // perhaps far from the block
      const start = index.axis.place(address);
      const x0 = map.x(event, pane.index);
      const x1 = map.x(event + 1, pane.index);
      const bottom = map.y(start, pane.index);
      const top = Math.min(bottom - 3, map.y(index.axis.end(address, Math.max(1, events.size[event])), pane.index));
      if (top > pane.bottom || bottom < pane.top) continue;
      const live = event < life.blocks.died[block];
      context.lineWidth = 1.5;
      context.strokeStyle = m4.colours.css(m4.colours.role(live ? "ink" : "bad"));
      context.fillStyle = m4.colours.css(m4.colours.role("page"), 0.75);
      context.fillRect(x0 + 1, top, x1 - x0 - 2, bottom - top);
      context.strokeRect(x0 + 1, top, x1 - x0 - 2, bottom - top);
      if (bottom - top < 10 || x1 - x0 < 12) continue;
      context.fillStyle = context.strokeStyle;
      context.fillText(m4.tell.letter(life, event), x0 + 4, (top + bottom) / 2);
    }
  };

  map.calls = { draw, words };
})();
