"use strict";
// The blocks themselves on a pane: those with room as shapes with border, slack and label, the rest as a picture.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const LABELS = 500;
  const BIG = 3; // pixels, both ways, from which a block is a shape
  const UNTOUCHED = 0x7fffffff;

  let canvas = null; // the picture, a pixel of it to each of the page, or to `map.coarse` of them both ways

  // Draws all blocks of a pane; returns { shapes, labels, small, visited } for those who draw more on top.
  const draw = (context, pane, state) => {
    const { life } = pane;
    const { colours } = m4;
    const scheme = colours.scheme(state.colour, state.lives);
    const { coarse } = map;
    const width = Math.ceil((pane.right - pane.left) / coarse);
    // On a very large screen a line of the picture is more than a pixel tall, so that it stays within some megabytes.
    const tall = Math.max(coarse, Math.ceil((width * (pane.bottom - pane.top) * scheme.classes.length) / 16e6));
    const height = Math.ceil((pane.bottom - pane.top) / tall);
    const scale = map.across(pane);
    const { low, high } = map.down(pane);
    const first = map.event(pane.left, pane.index);
    const last = map.event(pane.right, pane.index);
    const clock = map.by_time() ? map.times(life) : null;
    const seen = { first, last, low, high, shift: scale.start, scale: scale.each / coarse, clock, big: BIG / coarse };
    const found = map.raster.gather(life, scheme, width, height, seen);

    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    pixels.fill(colours.word(colours.role("page")));
    shade(pixels, width, height, pane);
    map.raster.put(pixels, width, height, scheme, state.patterns);
    canvas ??= new OffscreenCanvas(1, 1);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    const [across, down] = [pane.right - pane.left, pane.bottom - pane.top];
    context.drawImage(canvas, 0, 0, across / coarse, height, pane.left, pane.top, across, down);

    found.labels = shapes(context, pane, found.shapes, scheme, state);
    if (found.shapes.length + found.small === 0 && m4.heap.index(life).low.length) nothing(context, pane);
    return found;
  };

  const nothing = (context, pane) => {
    context.font = FONT;
    context.fillStyle = m4.colours.css(m4.colours.role("muted"));
    context.textAlign = "center";
    context.textBaseline = "middle";
    const middle = [(pane.left + pane.right) / 2, (pane.top + pane.bottom) / 2];
    context.fillText("no block lives here; 0 shows everything", ...middle);
    context.textAlign = "left";
  };

  // Rows that held a block before are darker than those that never did, from the moment of the first.
  const shade = (pixels, width, height, pane) => {
    const { first_touch, row_length } = m4.heap.index(pane.life);
    const { low, high } = map.down(pane);
    const each = height / (high - low);
    const colour = m4.colours.word(m4.colours.freed());
    for (let line = 0; line < height; line++) {
      const bottom = low + (height - 1 - line) / each;
      const from = Math.floor(bottom / row_length);
      const to = Math.min(first_touch.length, Math.max(from + 1, Math.ceil((bottom + 1 / each) / row_length)));
      let event = UNTOUCHED;
      for (let row = from; row < to; row++) if (first_touch[row] < event) event = first_touch[row];
      if (event === UNTOUCHED) continue;
      const x = Math.max(0, Math.round((map.x(event, pane.index) - pane.left) / map.coarse));
      if (x < width) pixels.fill(colour, line * width + x, (line + 1) * width);
    }
  };

  // The rectangle of a block, cut a little outside the pane so that its border does not show: { x0, x1, y0, y1 }.
  const box = (pane, block, from, to) => {
    const index = m4.heap.index(pane.life);
    const cut = (value, low, high) => Math.min(high, Math.max(low, value));
    return {
      x0: cut(map.x(from, pane.index), pane.left - 3, pane.right + 3),
      x1: cut(map.x(to, pane.index), pane.left - 3, pane.right + 3),
      y0: cut(map.y(index.high[block], pane.index), pane.top - 3, pane.bottom + 3),
      y1: cut(map.y(index.low[block], pane.index), pane.top - 3, pane.bottom + 3),
    };
  };

  const shapes = (context, pane, list, scheme, state) => {
    const { life } = pane;
    const { blocks } = life;
    const index = m4.heap.index(life);
    const classes = scheme.of(life);
    context.save();
    context.beginPath();
    context.rect(pane.left, pane.top, pane.right - pane.left, pane.bottom - pane.top);
    context.clip();
    const paint = (kind, x0, x1, y0, y1) => {
      const { colour, tile } = scheme.classes[kind];
      context.fillStyle = m4.colours.fill(context, colour, tile, state.patterns);
      // A pixel is left free between neighbours where they are tall enough to spare it.
      context.fillRect(x0, y0, x1 - x0, y1 - y0 - (y1 - y0 >= 5 ? 1 : 0));
      return colour;
    };
    const labels = [];
    for (const block of list) {
      const end = blocks.died[block];
      const { x0, x1, y0, y1 } = box(pane, block, blocks.born[block], end);
      let colour = null;
      if (x1 > x0) {
        if (scheme.edges) {
          for (let step = 0, from = blocks.born[block]; from < end; step++) {
            const until = step < scheme.edges.length ? Math.min(end, blocks.born[block] + scheme.edges[step]) : end;
            const part = box(pane, block, from, until);
            if (part.x1 > part.x0) colour = paint(step, part.x0, part.x1, y0, y1);
            from = until;
          }
        } else colour = paint(classes[block], x0, x1, y0, y1);
        spare(context, pane, block, scheme, colour, x0, x1, y0);
        if (y1 - y0 >= 6 && x1 - x0 >= 4) {
          context.strokeStyle = m4.colours.css(m4.colours.mix(colour, m4.colours.role("ink"), 0.4));
          context.lineWidth = 1;
          const [wide, tall] = [Math.round(x1 - x0) - 1, Math.round(y1 - y0) - 2];
          context.strokeRect(Math.round(x0) + 0.5, Math.round(y0) + 0.5, wide, tall);
        }
        if (y1 - y0 >= 13 && x1 - x0 >= 30 && labels.length < LABELS) labels.push([block, x0, x1, y0, y1, colour]);
      }
      if (index.stop[block] > end) {
        const part = box(pane, block, end, index.stop[block]);
        if (part.x1 > part.x0) paint(scheme.held, part.x0, part.x1, y0, y1);
      }
    }
    context.restore();
    return labels;
  };

  // Writes into the blocks what they are; later than all that would cover it.
  const write_all = (context, pane, state, labels) => {
    const scheme = m4.colours.scheme(state.colour, state.lives);
    context.save();
    context.beginPath();
    context.rect(pane.left, pane.top, pane.right - pane.left, pane.bottom - pane.top);
    context.clip();
    context.textBaseline = "middle";
    for (const label of labels) write(context, pane, scheme, ...label);
    context.restore();
  };

  // The bytes beyond those requested, at the top of the block.
  const spare = (context, pane, block, scheme, colour, x0, x1, y0) => {
    const { size, usable } = pane.life.blocks;
    const extra = (usable[block] - size[block]) * map.down(pane).each;
    if (extra < 1) return;
    const look = scheme.slack ? scheme.classes[1].colour : m4.colours.slack(colour);
    context.fillStyle = m4.colours.fill(context, look, m4.colours.TILES[5], m4.store.state.patterns);
    const top = map.y(m4.heap.index(pane.life).high[block], pane.index);
    context.fillRect(x0, Math.max(y0, top), x1 - x0, Math.max(0, top + extra - Math.max(y0, top)));
  };

  const write = (context, pane, scheme, block, x0, x1, y0, y1, colour) => {
    const { size, tag } = pane.life.blocks;
    const left = Math.max(x0, pane.left) + map.tag_room(pane, x1 - x0) + 5;
    const room = Math.min(x1, pane.right) - left - 4;
    const bytes = m4.colours.bytes(size[block]);
    const name = m4.tell.name(block);
    const words = [`${name} \u00b7 ${bytes}`, bytes];
    if (tag[block] >= 0) words.unshift(`${name} \u00b7 ${bytes} \u00b7 tag ${tag[block]}`);
    if (scheme.name === "thread") words.unshift(`${name} \u00b7 ${bytes} \u00b7 ${thread(pane.life, block)}`);
    context.font = FONT;
    const text = words.find((one) => context.measureText(one).width <= room);
    if (!text) return;
    const middle = map.text_line(pane, block, (Math.max(y0, pane.top) + Math.min(y1, pane.bottom)) / 2);
    // A plate under the text keeps the pattern, and accesses, out of it.
    context.fillStyle = m4.colours.css(colour, 0.85);
    context.beginPath();
    const tall = Math.min(15, y1 - y0 - 3);
    context.roundRect(left - 3, middle - tall / 2 - 0.5, context.measureText(text).width + 6, tall, 3);
    context.fill();
    context.fillStyle = m4.colours.css(m4.colours.on(colour));
    context.fillText(text, left, middle);
  };

  const thread = (life, block) => m4.tell.thread(life, life.blocks.thread[block]);

  const FONT = '11px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

  map.blocks = { draw, write: write_all, box, FONT };
})();
