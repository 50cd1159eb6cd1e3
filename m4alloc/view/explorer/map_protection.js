"use strict";
// What protects the blocks, drawn in its place: guards, the bounds of capabilities, granules with their tags.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const TALL = 9; // pixels a granule, from which its tag is written into it
  const lasting = new WeakMap();

  // The event at which the tag that a retag set is gone: another retag, or a new block, covers its first granule.
  const ends = (life) => {
    if (lasting.has(life)) return lasting.get(life);
    const { blocks, retags } = life;
    const stops = new Int32Array(retags.length).fill(life.events.function.length);
    const owner = new Map(); // the granule -> the retag that is in force there
    let next = 0;
    const over = (address, length, event) => {
      const first = Math.floor(address / life.granule);
      // Of what is very long the first granules stand for all.
      const last = Math.min(first + 65536, Math.ceil((address + length) / life.granule));
      for (let at = first; at < last; at++) {
        const retag = owner.get(at);
        if (retag !== undefined && event < stops[retag]) stops[retag] = event;
        owner.delete(at);
      }
    };
    const births_until = (event) => {
      for (; next < blocks.base.length && blocks.born[next] <= event; next++) {
        over(blocks.base[next], blocks.usable[next], blocks.born[next]);
      }
    };
    retags.forEach((retag, number) => {
      births_until(retag.event);
      over(retag.address, retag.length, retag.event);
      owner.set(Math.floor(retag.address / life.granule), number);
    });
    births_until(Infinity);
    lasting.set(life, stops);
    return stops;
  };

  const granule_height = (pane) => pane.life.granule * map.down(pane).each;

  // Pixels that the tags take at the left edge of a shape of some width.
  map.tag_room = (pane, width) => (pane.life.granule && granule_height(pane) >= TALL && width >= 30 ? 18 : 0);

  // Where in a block text may stand near y: where tags are written, in the middle of a granule.
  map.text_line = (pane, block, y) => {
    if (!pane.life.granule || granule_height(pane) < TALL) return y;
    const bottom = map.y(m4.heap.index(pane.life).low[block], pane.index);
    const granule = Math.floor((bottom - y - 1) / granule_height(pane));
    return bottom - (Math.max(0, granule) + 0.5) * granule_height(pane);
  };

  // One column of tags, granule by granule, with a line between two.
  const granules = (context, pane, address, length, tag, x0, x1, ink) => {
    const { granule } = pane.life;
    const { axis } = m4.heap.index(pane.life);
    const tall = granule_height(pane);
    const left = Math.max(x0, pane.left);
    const right = Math.min(x1, pane.right);
    if (right - left < 12) return;
    const start = axis.place(address);
    const { low, high } = map.down(pane);
    const skip = Math.max(0, Math.floor((low - start) / granule));
    context.fillStyle = ink;
    context.strokeStyle = ink;
    context.lineWidth = 1;
    for (let at = skip; at * granule < length && start + at * granule < high; at++) {
      const bottom = map.y(start + at * granule, pane.index);
      if (at > 0) {
        context.globalAlpha = 0.35;
        context.beginPath();
        context.moveTo(left, Math.round(bottom) + 0.5);
        context.lineTo(right, Math.round(bottom) + 0.5);
        context.stroke();
        context.globalAlpha = 1;
      }
      context.fillText(String(tag), left + 4, bottom - tall / 2);
    }
  };

  const MONO = '10px ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace';

  const retagged = (context, pane, state) => {
    const { life } = pane;
    if (!life.granule || !life.retags.length) return;
    const { axis } = m4.heap.index(life);
    const tall = granule_height(pane);
    if (tall < 2) return;
    const stops = ends(life);
    const { low, high } = map.down(pane);
    const first = map.event(pane.left, pane.index);
    const last = map.event(pane.right, pane.index);
    const scheme = m4.colours.scheme(state.colour, state.lives);
    life.retags.forEach((retag, number) => {
      if (retag.event > last || stops[number] < first) return;
      const start = axis.place(retag.address);
      const end = axis.end(retag.address, retag.length);
      if (start > high || end < low) return;
      const x0 = Math.max(pane.left - 2, map.x(retag.event, pane.index));
      const x1 = Math.min(pane.right + 2, map.x(stops[number], pane.index));
      const y0 = map.y(end, pane.index);
      const y1 = map.y(start, pane.index);
      if (scheme.name === "tag") {
        const { colour } = scheme.classes[retag.tag & 15];
        context.fillStyle = m4.colours.css(m4.colours.mix(m4.colours.role("page"), colour, 0.3));
        context.fillRect(x0, y0, x1 - x0, y1 - y0 - 1);
      }
      context.strokeStyle = m4.colours.css(m4.colours.role("muted"));
      context.setLineDash([2, 2]);
      context.lineWidth = 1;
      context.strokeRect(x0 + 0.5, y0 + 0.5, Math.max(0, x1 - x0 - 1), Math.max(0, y1 - y0 - 2));
      context.setLineDash([]);
      if (tall >= TALL) {
        const ink = m4.colours.css(m4.colours.role("muted"));
        granules(context, pane, retag.address, retag.length, retag.tag, x0, x1, ink);
      }
    });
  };

  const tags = (context, pane, state, shapes) => {
    const { blocks, granule } = pane.life;
    if (!granule || granule_height(pane) < TALL) return;
    const scheme = m4.colours.scheme(state.colour, state.lives);
    const classes = scheme.of(pane.life);
    for (const block of shapes) {
      if (blocks.tag[block] < 0) continue;
      const { x0, x1 } = map.blocks.box(pane, block, blocks.born[block], blocks.died[block]);
      const { colour } = scheme.classes[classes ? classes[block] : 0];
      const ink = m4.colours.css(m4.colours.on(colour));
      granules(context, pane, blocks.base[block], blocks.usable[block], blocks.tag[block], x0, x1, ink);
    }
  };

  // A bracket at the birth and a dashed line along the life, at the bottom and at the top of what may be touched.
  const bounds = (context, pane, shapes) => {
    const { blocks } = pane.life;
    const { axis } = m4.heap.index(pane.life);
    for (const block of shapes) {
      if (blocks.high[block] <= blocks.low[block]) continue;
      const { x0, x1 } = map.blocks.box(pane, block, blocks.born[block], blocks.died[block]);
      const bottom = map.y(axis.place(blocks.low[block]), pane.index) - 1;
      const top = map.y(axis.end(blocks.low[block], blocks.high[block] - blocks.low[block]), pane.index) + 0.5;
      if (bottom - top < 8 || x1 - x0 < 6) continue;
      const bracket = new Path2D(`M${x0 + 8} ${top}H${x0 + 1}V${bottom}H${x0 + 8}`);
      const rails = new Path2D(`M${x0 + 8} ${top}H${x1}M${x0 + 8} ${bottom}H${x1}`);
      // A light edge, so that they can be seen on any colour.
      for (const [role, more] of [["page", 2], ["ink", 0]]) {
        context.strokeStyle = m4.colours.css(m4.colours.role(role));
        context.lineWidth = 2.5 + more;
        context.stroke(bracket);
        context.lineWidth = 1 + more;
        context.setLineDash(more ? [] : [5, 3]);
        context.stroke(rails);
        context.setLineDash([]);
      }
    }
  };

  const HATCH = [0x81, 0x03, 0x06, 0x0c, 0x18, 0x30, 0x60, 0xc0];

  const guards = (context, pane, state) => {
    const { axis } = m4.heap.index(pane.life);
    const { low, high } = map.down(pane);
    const colour = m4.colours.mix(m4.colours.role("page"), m4.colours.role("bad"), 0.35);
    for (const guard of pane.life.guards) {
      const start = axis.place(guard.base);
      const end = axis.end(guard.base, guard.length);
      if (start >= high || end <= low) continue;
      const x0 = Math.max(pane.left, map.x(guard.start, pane.index));
      const x1 = Math.min(pane.right, map.x(guard.stop, pane.index));
      if (x1 <= x0) continue;
      const y0 = Math.max(pane.top, map.y(end, pane.index));
      const y1 = Math.min(pane.bottom, map.y(start, pane.index));
      context.fillStyle = m4.colours.fill(context, colour, HATCH, state.patterns);
      context.fillRect(x0, y0, x1 - x0, Math.max(1, y1 - y0));
      if (y1 - y0 < 14 || x1 - x0 < 60) continue;
      context.fillStyle = m4.colours.css(m4.colours.role("ink"));
      context.fillText("guard", x0 + 6, (y0 + y1) / 2);
    }
  };

  const draw = (context, pane, state, shapes) => {
    context.save();
    context.beginPath();
    context.rect(pane.left, pane.top, pane.right - pane.left, pane.bottom - pane.top);
    context.clip();
    context.font = MONO;
    context.textBaseline = "middle";
    retagged(context, pane, state);
    tags(context, pane, state, shapes);
    bounds(context, pane, shapes);
    guards(context, pane, state);
    context.restore();
  };

  map.protection = { draw, HATCH };
})();
