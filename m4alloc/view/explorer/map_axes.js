"use strict";
// The time axis above a pane, the addresses beside it, and the breaks where addresses are left out.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const MONO = '11px ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace';

  const draw = (context, pane, state) => {
    const { role, css } = m4.colours;
    context.lineWidth = 1;
    context.strokeStyle = css(role("line"));
    context.strokeRect(pane.left - 0.5, pane.top - 0.5, pane.right - pane.left + 1, pane.bottom - pane.top + 1);
    if (pane.head !== null) head(context, pane);
    time(context, pane, state);
    breaks(context, pane);
    addresses(context, pane);
    context.fillStyle = css(role("muted"));
    context.font = map.blocks.FONT;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const events = map.event(pane.right, pane.index) - map.event(pane.left, pane.index);
    const named = (pane.right - pane.left) / Math.max(1, events) >= 9;
    context.fillText(named ? "events" : "allocations", pane.left - 8, pane.bottom + pane.lane / 2 + 0.5);
    context.textAlign = "left";
  };

  const head = (context, pane) => {
    const { life } = pane;
    const { role, css } = m4.colours;
    context.textBaseline = "middle";
    context.font = `600 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif`;
    context.fillStyle = css(role("ink"));
    const y = pane.head + map.HEAD / 2;
    const [first, more] = m4.tell.names(life);
    const name = `${map.letter(pane.index)}  ${first}`;
    context.fillText(cut(context, name, pane.right - pane.left), pane.left, y);
    const used = context.measureText(name).width + 12;
    context.font = map.blocks.FONT;
    context.fillStyle = css(role("muted"));
    context.fillText(cut(context, more, pane.right - pane.left - used), pane.left + used, y);
  };

  const cut = (context, text, room) => {
    if (context.measureText(text).width <= room) return text;
    while (text.length > 1 && context.measureText(`${text}\u2026`).width > room) text = text.slice(0, -1);
    return room > 12 ? `${text}\u2026` : "";
  };

  // The ticks of the time axis: where the room of each begins, where its number stands, and the number.
  const ticks = (context, pane) => {
    const scale = map.across(pane);
    const counting = !map.by_time();
    // Event n has the room from place n - 1 to n, and its number stands above the middle of that.
    const room = counting ? scale.each : 0;
    context.font = map.blocks.FONT;
    const widest = counting ? Math.max(40, context.measureText(m4.parts.count(scale.stop)).width + 28) : 96;
    const most = (pane.right - pane.left) / widest;
    const { step, places } = map.nice(scale.start, scale.stop + (counting ? 1 : 0), most, counting ? 1 : 0);
    if (counting && places[0] === 0) places.splice(0, 1, ...(step > 1 ? [1] : []));
    return places.map((place) => {
      const from = Math.round(pane.left + (place - scale.start) * scale.each - room);
      const text = counting ? m4.parts.count(place) : map.duration(place, step);
      return { from, x: Math.round(from + room / 2), text };
    });
  };

  const seen = (pane, x) => x >= pane.left && x <= pane.right;

  const time = (context, pane, state) => {
    const { role, css } = m4.colours;
    for (const { from, x } of ticks(context, pane)) {
      context.fillStyle = css(role("ink"), 0.07);
      if (seen(pane, from)) context.fillRect(from, pane.top, 1, pane.bottom - pane.top);
      context.fillStyle = css(role("muted"));
      if (pane.ruler !== null && seen(pane, x)) context.fillRect(x, pane.ruler + map.RULER - 6, 1, 6);
    }
    if (pane.ruler === null) return;
    context.fillStyle = css(role("muted"));
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillText(state.clock === "time" && map.by_time() ? "time" : "event", pane.left - 8, pane.ruler + 10);
    context.textAlign = "left";
  };

  // The numbers above the ticks, but for those that would lie under the flag of the moment ({ left, width } or null).
  const numbers = (context, pane, flag) => {
    if (pane.ruler === null) return;
    context.textBaseline = "middle";
    context.textAlign = "center";
    for (const { x, text } of ticks(context, pane)) {
      if (!seen(pane, x)) continue;
      const half = context.measureText(text).width / 2;
      const middle = Math.min(pane.right - half, Math.max(pane.left + half, x));
      if (flag && middle + half > flag.left - 3 && middle - half < flag.left + flag.width + 3) continue;
      context.fillStyle = m4.colours.css(m4.colours.role("muted"));
      context.fillText(text, middle, pane.ruler + 10);
    }
    context.textAlign = "left";
  };

  // A zigzag with the length of what is left out between two segments of the axis.
  const breaks = (context, pane) => {
    const { axis } = m4.heap.index(pane.life);
    const { role, css } = m4.colours;
    const { low, high } = map.down(pane);
    let last = Infinity;
    if (axis.pad * map.down(pane).each < 2) return; // as narrow as that, they are seen in the addresses only
    for (let at = Math.max(1, axis.segment_at(low)); at < axis.segments.length; at++) {
      const upper = axis.segments[at];
      if (upper.start - axis.pad > high) break;
      const lower = axis.segments[at - 1];
      const top = map.y(upper.start, pane.index);
      const bottom = map.y(upper.start - axis.pad, pane.index);
      const middle = (top + bottom) / 2;
      context.save();
      context.beginPath();
      context.rect(pane.left, pane.top, pane.right - pane.left, pane.bottom - pane.top);
      context.clip();
      context.fillStyle = css(role("panel"));
      if (bottom - top >= 2) context.fillRect(pane.left, top, pane.right - pane.left, bottom - top);
      context.strokeStyle = css(role("muted"), 0.6);
      context.lineWidth = 1;
      context.beginPath();
      const tall = Math.min(3, (bottom - top) / 2);
      for (let x = pane.left; x <= pane.right + 6; x += 6) {
        context.lineTo(x, middle + ((x - pane.left) % 12 ? tall : -tall));
      }
      context.stroke();
      const left_out = `${m4.colours.bytes(upper.address - lower.address - lower.length)} left out`;
      context.font = map.blocks.FONT;
      context.textBaseline = "middle";
      if (last - middle >= 40 && bottom - top >= 3) {
        const width = context.measureText(left_out).width + 12;
        context.fillStyle = css(role("panel"));
        context.beginPath();
        context.roundRect(pane.right - width - 8, middle - 8, width, 16, 4);
        context.fill();
        context.fillStyle = css(role("muted"));
        context.fillText(left_out, pane.right - width - 2, middle + 0.5);
        last = middle;
      }
      context.restore();
    }
  };

  // Powers of two, as far as they fit; where a segment begins its address is written in full.
  const addresses = (context, pane) => {
    const { axis } = m4.heap.index(pane.life);
    const { role, css } = m4.colours;
    const { low, high, each } = map.down(pane);
    context.font = MONO;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const taken = [];
    const write = (place, address, grid) => {
      const y = map.y(place, pane.index);
      if (y < pane.top - 1 || y > pane.bottom + 1) return;
      const text_y = Math.min(pane.bottom - 6, Math.max(pane.top + 7, y));
      if (taken.some((one) => Math.abs(one - text_y) < 15)) return;
      taken.push(text_y);
      context.fillStyle = css(role("muted"));
      context.fillRect(pane.left - 5, Math.round(y), 5, 1);
      const whole = m4.address(pane.life, address);
      const text = context.measureText(whole).width > pane.left - 12 ? `…${whole.slice(-11)}` : whole;
      context.fillText(text, pane.left - 8, text_y);
      if (!grid) return;
      context.fillStyle = css(role("ink"), 0.06);
      context.fillRect(pane.left, Math.round(y), pane.right - pane.left, 1);
    };
    const step = 2 ** Math.max(3, Math.ceil(Math.log2(34 / each)));
    const odd = Number(pane.life.address_base % BigInt(step)); // so that ticks are round in the program's addresses
    const shown = axis.segments.slice(axis.segment_at(low), axis.segment_at(high) + 1);
    for (const segment of shown) {
      if (segment.length * each >= 12 || taken.length === 0) write(segment.start, segment.address, false);
    }
    for (const segment of shown) {
      const from = Math.max(segment.start, low);
      const to = Math.min(segment.start + segment.length, high);
      if (to <= from) continue;
      const first = Math.ceil((segment.address + from - segment.start + odd) / step) * step - odd;
      const offset = segment.start - segment.address;
      // Counted, because a step may be less than what tells two addresses apart, if they are large enough.
      const ticks = Math.min(pane.bottom - pane.top, Math.floor((to - first - offset) / step) + 1);
      for (let tick = 0; tick < ticks; tick++) write(first + tick * step + offset, first + tick * step, true);
    }
    context.textAlign = "left";
  };

  map.axes = { draw, numbers };
})();
