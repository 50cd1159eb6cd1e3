"use strict";
// What changes without the blocks: the moment, the selection, what the pointer is on, the box being dragged.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});

  const FLAG = '600 11px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

  // `pointer` is { block, pane } | null, `band` is { pane, x0, y0, x1, y1 } | null.
  const draw = (context, state, pointer, band) => {
    for (const pane of map.panes) {
      context.save();
      context.beginPath();
      context.rect(pane.left, pane.top, pane.right - pane.left, pane.bottom - pane.top);
      context.clip();
      veil(context, pane, state);
      if (state.selected?.life === pane.index) selection(context, pane, state.selected.block);
      if (pointer?.pane === pane && pointer.block >= 0) outline(context, pane, pointer.block, "ink", 1, []);
      found(context, pane, state);
      context.restore();
      const flag = flag_of(context, pane, state);
      map.axes.numbers(context, pane, flag);
      moment(context, pane, state, flag);
    }
    if (band) box(context, band);
  };

  const bounds = (pane, block) => {
    const { born } = pane.life.blocks;
    return map.blocks.box(pane, block, born[block], m4.heap.index(pane.life).stop[block]);
  };

  const outline = (context, pane, block, role, width, dash) => {
    const { x0, x1, y0, y1 } = bounds(pane, block);
    context.lineWidth = width;
    context.setLineDash(dash);
    context.strokeStyle = m4.colours.css(m4.colours.role(role));
    const wide = Math.max(3, x1 - x0);
    const tall = Math.max(3, y1 - y0);
    context.strokeRect(x0 - 0.5, y1 - tall - 0.5, wide + 1, tall + 1);
    context.setLineDash([]);
  };

  // The block in a double frame, and a thread through the blocks that it was resized from.
  const selection = (context, pane, block) => {
    const { origin, born } = pane.life.blocks;
    const index = m4.heap.index(pane.life);
    const middle = (one) => map.y((index.low[one] + index.high[one]) / 2, pane.index);
    for (let one = block, links = 0; origin[one] >= 0 && links < 1000; one = origin[one], links++) {
      outline(context, pane, origin[one], "ink", 1, [3, 2]);
      const x = map.x(born[one], pane.index);
      context.lineWidth = 2;
      context.strokeStyle = m4.colours.css(m4.colours.role("ink"));
      context.beginPath();
      context.moveTo(x - 1, middle(origin[one]));
      context.lineTo(x + 1, middle(one));
      context.stroke();
    }
    outline(context, pane, block, "page", 5, []);
    outline(context, pane, block, "ink", 2, []);
    // Too small to be found by its frame alone: a pair of arrows points at it.
    const { x0, x1, y0, y1 } = bounds(pane, block);
    if (x1 - x0 >= 14 && y1 - y0 >= 10) return;
    context.fillStyle = m4.colours.css(m4.colours.role("ink"));
    const y = (y0 + y1) / 2;
    for (const [x, way] of [[x0 - 4, -1], [x1 + 4, 1]]) {
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + way * 9, y - 5);
      context.lineTo(x + way * 9, y + 5);
      context.fill();
    }
  };

  const found = (context, pane, state) => {
    if (state.finding === null || state.finding_life !== pane.index) return;
    const shape = map.shape_of(pane, state.finding); // beside others of its call, or one that stands for several
    if (!shape) return;
    context.beginPath();
    context.arc(shape.x, shape.y, map.marks.SIZE * 0.9, 0, 2 * Math.PI);
    for (const [role, width] of [["page", 5], ["accent", 2.5]]) {
      context.strokeStyle = m4.colours.css(m4.colours.role(role));
      context.lineWidth = width;
      context.stroke();
    }
  };

  // What has not happened yet at the moment shown is veiled.
  const veil = (context, pane, state) => {
    const x = map.x(state.now, pane.index);
    if (state.now >= pane.life.events.function.length || x >= pane.right) return;
    context.fillStyle = m4.colours.css(m4.colours.role("page"), 0.55);
    const from = Math.max(pane.left, x);
    context.fillRect(from, pane.top, pane.right - from, pane.bottom - pane.top);
  };

  // The flag of the moment on the time axis; null where there is none.
  const flag_of = (context, pane, state) => {
    const x = Math.round(map.x(state.now, pane.index));
    if (x < pane.left || x > pane.right || pane.ruler === null) return null;
    context.font = FLAG;
    const text = map.moment(Math.min(state.now, map.whole().stop), pane.life);
    const width = context.measureText(text).width + 12;
    return { text, width, left: Math.min(pane.right - width + 6, Math.max(pane.left - 6, x - width / 2)) };
  };

  const moment = (context, pane, state, flag) => {
    const x = Math.round(map.x(state.now, pane.index));
    if (x < pane.left || x > pane.right) return;
    const top = pane.ruler === null ? pane.top : pane.ruler;
    context.fillStyle = m4.colours.css(m4.colours.role("accent"));
    context.fillRect(x - 0.5, top + (pane.ruler === null ? 0 : 18), 1.5, pane.bottom + pane.lane - top - 18);
    if (!flag) return;
    context.font = FLAG;
    context.beginPath();
    context.roundRect(flag.left, top + 1, flag.width, 18, 4);
    context.fill();
    context.beginPath();
    context.moveTo(x - 4, top + 18);
    context.lineTo(x + 4.5, top + 18);
    context.lineTo(x + 0.25, top + 24);
    context.fill();
    context.fillStyle = m4.colours.css(m4.colours.on(m4.colours.role("accent")));
    context.textBaseline = "middle";
    context.fillText(flag.text, flag.left + 6, top + 10.5);
  };

  const box = (context, { pane, x0, y0, x1, y1 }) => {
    const accent = m4.colours.role("accent");
    context.fillStyle = m4.colours.css(accent, 0.15);
    context.strokeStyle = m4.colours.css(accent);
    context.lineWidth = 1.5;
    const left = Math.max(pane.left, Math.min(x0, x1));
    const top = Math.max(pane.top, Math.min(y0, y1));
    const wide = Math.min(pane.right, Math.max(x0, x1)) - left;
    const tall = Math.min(pane.bottom, Math.max(y0, y1)) - top;
    context.fillRect(left, top, wide, tall);
    context.strokeRect(left, top, wide, tall);
  };

  map.overlay = { draw };
})();
