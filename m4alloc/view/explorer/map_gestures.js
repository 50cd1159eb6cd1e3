"use strict";
// Pointer, wheel and pinch on the map. Dragging moves it; dragging with Shift, or with the box tool, zooms to a box.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const SLOP = 4; // pixels a press may move and still be a click
  const pointers = new Map();

  let drag = null;
  let pinch = null;

  map.tool = "move"; // or "box"

  const where = (x, y) => {
    const pane = map.pane_at(x, y);
    if (!pane) return { pane: null, part: "none" };
    if (pane.ruler !== null && y < pane.ruler + map.RULER) return { pane, part: "ruler" };
    if (x < pane.left) return { pane, part: "addresses" };
    return { pane, part: x <= pane.right ? "map" : "none" };
  };

  const scrub = (pane, x) => {
    const { lives } = m4.store.state;
    const event = map.event(Math.min(pane.right, Math.max(pane.left, x)), pane.index);
    const here = map.event_of(map.tick(event, pane.life), lives[0]);
    m4.store.set({ now: Math.min(map.whole().stop, Math.max(0, here)), playing: false });
  };

  const down = (event) => {
    const { offsetX: x, offsetY: y } = event;
    pointers.set(event.pointerId, { x, y });
    event.target.setPointerCapture(event.pointerId);
    if (pointers.size === 2) {
      drag = null;
      map.hand.band = null;
      pinch = apart();
      return;
    }
    const { pane, part } = where(x, y);
    if (!pane || event.button > 1) return;
    const { view, rows, lives } = m4.store.state;
    const boxed = part === "addresses" || (part === "map" && (map.tool === "box") !== event.shiftKey);
    const kind = part === "ruler" ? "scrub" : boxed ? "box" : part === "map" || part === "none" ? "move" : "none";
    drag = {
      pane, part, kind, x, y, moved: false,
      start: map.tick(view.start, lives[0]),
      stop: map.tick(view.stop, lives[0]),
      row: rows[pane.index],
    };
    if (kind === "scrub") scrub(pane, x);
  };

  const move = (event) => {
    const { offsetX: x, offsetY: y } = event;
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, { x, y });
    if (pointers.size === 2 && pinch) return pinched();
    if (!drag) return hover(x, y);
    if (Math.hypot(x - drag.x, y - drag.y) > SLOP) drag.moved = true;
    if (!drag.moved) return;
    map.hover.show(null);
    if (drag.kind === "scrub") scrub(drag.pane, x);
    else if (drag.kind === "move") moved(x - drag.x, y - drag.y);
    else if (drag.kind === "box") {
      map.hand.band = band(x, y);
      map.redraw(false);
    }
  };

  const moved = (dx, dy) => {
    const { pane, start, stop, row } = drag;
    const { lives } = m4.store.state;
    const whole = map.tick(map.whole().stop, lives[0]);
    const by = (-dx / (pane.right - pane.left)) * (stop - start);
    const from = Math.min(whole - (stop - start), Math.max(0, start + by));
    map.show(map.event_of(from, lives[0]), map.event_of(from + stop - start, lives[0]));
    const rise = (dy / (pane.bottom - pane.top)) * (row.high - row.low);
    map.show_rows(pane.index, row.low + rise, row.high + rise);
  };

  // A box that is nearly a line means one direction only.
  const band = (x, y) => {
    const { pane, part } = drag;
    const flat = Math.abs(y - drag.y) < 12;
    const upright = part === "addresses" || Math.abs(x - drag.x) < 12;
    return {
      pane,
      x0: upright ? pane.left : drag.x,
      x1: upright ? pane.right : x,
      y0: flat && !upright ? pane.top : drag.y,
      y1: flat && !upright ? pane.bottom : y,
      across: !upright,
      down: upright || !flat,
    };
  };

  const zoom_to = ({ pane, x0, x1, y0, y1, across, down: tall }) => {
    const { lives } = m4.store.state;
    const cut = (value, low, high) => Math.min(high, Math.max(low, value));
    if (across) {
      const ends = [x0, x1].map((x) => map.event(cut(x, pane.left, pane.right), pane.index));
      const [start, stop] = ends.map((event) => map.event_of(map.tick(event, pane.life), lives[0]));
      map.show(Math.min(start, stop), Math.max(start, stop));
    }
    if (tall) {
      const ends = [y0, y1].map((y) => map.place(cut(y, pane.top, pane.bottom), pane.index));
      map.show_rows(pane.index, Math.min(...ends), Math.max(...ends));
    }
  };

  const up = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size < 2) pinch = null;
    const done = drag;
    drag = null;
    const box = map.hand.band;
    map.hand.band = null;
    if (box) {
      zoom_to(box);
      map.redraw(false);
    } else if (done && !done.moved && done.part === "map") click(event.offsetX, event.offsetY);
  };

  const click = (x, y) => {
    const under = map.under(x, y);
    if (!under) return;
    map.choose(under);
    scrub(under.pane, x);
  };

  // Selects the block, and the first finding, at a place that map.under() described.
  map.choose = ({ pane, block, marks }) => {
    const finding = marks.length ? marks[0] : null;
    const own = finding === null ? block : block >= 0 ? block : pane.life.marks[finding].block;
    m4.store.set({
      selected: own >= 0 ? { life: pane.index, block: own } : null,
      ...(finding === null ? {} : { finding, finding_life: pane.index }),
    });
  };

  const hover = (x, y) => {
    const under = map.under(x, y);
    const { pane, part } = where(x, y);
    const cursors = { ruler: "ew-resize", addresses: "ns-resize", none: "default" };
    const over = map.tool === "box" ? "crosshair" : under?.block >= 0 || under?.marks.length ? "pointer" : "grab";
    document.getElementById("map-canvas").style.cursor = pane && part !== "map" ? cursors[part] : over;
    map.hover.show(under, x, y);
    const before = map.hand.pointer;
    map.hand.pointer = under && { pane: under.pane, block: under.block };
    if (before?.block !== under?.block || before?.pane !== under?.pane) map.redraw(false);
  };

  const leave = () => {
    map.hover.show(null);
    if (map.hand.pointer) {
      map.hand.pointer = null;
      map.redraw(false);
    }
  };

  const apart = () => {
    const [one, other] = [...pointers.values()];
    return {
      x: (one.x + other.x) / 2,
      y: (one.y + other.y) / 2,
      across: Math.abs(one.x - other.x),
      down: Math.abs(one.y - other.y),
    };
  };

  // Fingers side by side stretch time, one above the other addresses.
  const pinched = () => {
    const here = apart();
    const pane = map.pane_at(here.x, here.y) ?? map.panes[0];
    if (pinch.across > 30 && here.across > 10) map.zoom(pinch.across / here.across, here.x, pane.index);
    if (pinch.down > 30 && here.down > 10) map.zoom_rows(pinch.down / here.down, here.y, pane.index);
    map.pan((pinch.x - here.x) / (pane.right - pane.left));
    map.pan_rows((here.y - pinch.y) / (pane.bottom - pane.top), pane.index);
    pinch = here;
  };

  // The wheel zooms time; with Shift, or over the addresses, it zooms addresses; with Ctrl (a pinch on a touchpad)
  // both; sideways it moves.
  const wheel = (event) => {
    if (!m4.store.state.lives.length) return;
    event.preventDefault();
    const { offsetX: x, offsetY: y } = event;
    const { pane, part } = where(x, y);
    if (!pane) return;
    const unit = event.deltaMode === 1 ? 32 : event.deltaMode === 2 ? 400 : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    const factor = Math.exp(Math.max(-240, Math.min(240, dy || (event.shiftKey ? dx : 0))) * 0.0022);
    if (event.ctrlKey) {
      map.zoom(Math.exp(dy * 0.01), x, pane.index);
      map.zoom_rows(Math.exp(dy * 0.01), y, pane.index);
    } else if (event.shiftKey || part === "addresses") map.zoom_rows(factor, y, pane.index);
    else if (Math.abs(dx) > Math.abs(dy)) map.pan(dx / (pane.right - pane.left));
    else map.zoom(factor, Math.max(pane.left, x), pane.index);
    map.hover.show(null);
  };

  const twice = (event) => {
    const under = map.under(event.offsetX, event.offsetY);
    if (under?.block >= 0) map.show_block(under.pane.index, under.block);
    else if (where(event.offsetX, event.offsetY).part !== "map") map.show_all();
    else map.zoom(0.5, event.offsetX);
  };

  map.listen = () => {
    const canvas = document.getElementById("map-canvas");
    const listeners = { pointerdown: down, pointermove: move, pointerup: up, pointerleave: leave, dblclick: twice };
    for (const [name, listener] of Object.entries(listeners)) {
      canvas.addEventListener(name, (event) => m4.store.state.lives.length && listener(event));
    }
    canvas.addEventListener("pointercancel", (event) => {
      pointers.delete(event.pointerId);
      drag = pinch = map.hand.band = null;
    });
    canvas.addEventListener("wheel", wheel, { passive: false });
  };
})();
