"use strict";
// The whole run in a strip, with a frame around what the map shows; dragging the frame moves it.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const EDGE = 5; // pixels at which the frame's edges can be got hold of

  let picture = null; // the blocks, drawn once for a width, a colouring and a theme
  let drawn = "";

  const strip = () => document.getElementById("overview");
  const span = () => {
    const [first] = map.panes;
    const last = map.panes.at(-1);
    return first ? { left: first.left, right: last.right } : { left: 0, right: 1 };
  };

  // Between events of life 0 and x; the strip always shows the whole.
  const to_x = (event) => {
    const { lives } = m4.store.state;
    const { left, right } = span();
    return left + (map.tick(event, lives[0]) / map.tick(map.whole().stop, lives[0])) * (right - left);
  };
  const to_event = (x) => {
    const { lives } = m4.store.state;
    const { left, right } = span();
    return map.event_of(((x - left) / (right - left)) * map.tick(map.whole().stop, lives[0]), lives[0]);
  };

  const blocks = (width, height, state) => {
    const look = m4.colours.scheme(state.colour, state.lives);
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const lines = Math.floor(height / state.lives.length);
    const whole = map.tick(map.whole().stop, state.lives[0]);
    pixels.fill(m4.colours.word(m4.colours.role("page")));
    state.lives.forEach((life, number) => {
      const clock = map.by_time() ? map.times(life) : null;
      const { axis, length } = m4.heap.index(life);
      const tall = lines - (number + 1 < state.lives.length ? 2 : 0);
      const all = { first: -1, last: length + 1, low: 0, high: axis.length, shift: 0, scale: width / whole, clock };
      map.raster.gather(life, look, width, tall, { ...all, most: 0 });
      map.raster.put(pixels.subarray(number * lines * width), width, tall, look, false);
    });
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    context.putImageData(image, 0, 0);
    findings(context, state, width, lines);
    return canvas;
  };

  const draw = (state) => {
    const canvas = strip();
    const { context, width, height } = map.prepare(canvas);
    context.clearRect(0, 0, width, height);
    if (!state.lives.length) return;
    const { left, right } = span();
    const key = [right - left, height, state.colour, state.clock, m4.colours.dark()].join();
    if (key !== drawn || picture?.lives !== state.lives) {
      picture = { lives: state.lives, canvas: blocks(Math.max(1, Math.round(right - left)), height - 2, state) };
      drawn = key;
    }
    const { role, css } = m4.colours;
    context.drawImage(picture.canvas, left, 1);
    context.strokeStyle = css(role("line"));
    context.strokeRect(left - 0.5, 0.5, right - left + 1, height - 1);

    const x0 = Math.max(left, to_x(state.view.start));
    const x1 = Math.min(right, Math.max(to_x(state.view.stop), x0 + 3));
    context.fillStyle = css(role("panel"), 0.72);
    context.fillRect(left, 1, x0 - left, height - 2);
    context.fillRect(x1, 1, right - x1, height - 2);
    context.strokeStyle = css(role("accent"));
    context.lineWidth = 2;
    context.strokeRect(x0, 1, x1 - x0, height - 2);
    rows(context, state, x0, x1, height);
    context.lineWidth = 1;
    const now = Math.min(right, to_x(state.now));
    context.fillStyle = css(role("accent"));
    context.fillRect(now - 0.75, 0, 1.5, height);
    context.fillStyle = css(role("muted"));
    context.font = map.blocks.FONT;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText("whole run", left - 8, height / 2);
    context.textAlign = "left";
  };

  // Which addresses the map shows, where it does not show all.
  const rows = (context, state, x0, x1, height) => {
    const lines = Math.floor((height - 2) / state.lives.length);
    state.lives.forEach((life, number) => {
      const { length } = m4.heap.index(life).axis;
      const { low, high } = state.rows[number];
      if (high - low >= length * 0.999) return;
      const top = 1 + number * lines + (1 - high / length) * lines;
      context.strokeRect(x0, top, x1 - x0, Math.max(2, ((high - low) / length) * lines));
    });
  };

  const findings = (context, state, width, lines) => {
    const whole = map.tick(map.whole().stop, state.lives[0]);
    state.lives.forEach((life, number) => {
      const taken = new Set();
      for (const mark of life.marks) {
        if (mark.kind === "label") continue;
        const x = Math.round((map.tick(mark.event, life) / whole) * width);
        if (taken.has(x)) continue;
        taken.add(x);
        context.fillStyle = m4.colours.css(m4.colours.role(m4.tell.kind(mark).role));
        if (mark.kind !== "attack") context.fillRect(x - 1, number * lines, 2, lines);
        context.beginPath();
        context.moveTo(x - 4, number * lines);
        context.lineTo(x + 4, number * lines);
        context.lineTo(x, 6 + number * lines);
        context.fill();
      }
    });
  };

  // Drags: on an edge of the frame it resizes, inside it moves, outside (or where all is framed) it draws a new one.
  const listen = () => {
    const canvas = strip();
    let drag = null;
    const whole_seen = () => {
      const { view } = m4.store.state;
      return view.stop - view.start > 0.98 * map.whole().stop;
    };
    const part = (x) => {
      const { view } = m4.store.state;
      const x0 = to_x(view.start);
      const x1 = to_x(view.stop);
      if (Math.abs(x - x0) <= EDGE) return "start";
      if (Math.abs(x - x1) <= EDGE) return "stop";
      return x > x0 && x < x1 && !whole_seen() ? "move" : "new";
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !m4.store.state.lives.length) return;
      drag = { part: part(event.offsetX), from: to_event(event.offsetX), view: m4.store.state.view, x: event.offsetX };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!m4.store.state.lives.length) return;
      const cursors = { start: "ew-resize", stop: "ew-resize", move: "grab", new: "crosshair" };
      canvas.style.cursor = cursors[drag?.part ?? part(event.offsetX)];
      if (!drag) return;
      const here = to_event(event.offsetX);
      const { start, stop } = drag.view;
      if (drag.part === "start") map.show(Math.min(here, stop - 1), stop);
      else if (drag.part === "stop") map.show(start, Math.max(here, start + 1));
      else if (drag.part === "move") map.show(start + here - drag.from, stop + here - drag.from);
      else if (Math.abs(event.offsetX - drag.x) > 3) map.show(Math.min(here, drag.from), Math.max(here, drag.from));
    });
    canvas.addEventListener("pointerup", (event) => {
      if (drag && Math.abs(event.offsetX - drag.x) <= 3 && drag.part === "new" && !whole_seen()) {
        const half = (drag.view.stop - drag.view.start) / 2;
        map.show(drag.from - half, drag.from + half);
      }
      drag = null;
    });
  };

  map.overview = { draw, listen };
})();
