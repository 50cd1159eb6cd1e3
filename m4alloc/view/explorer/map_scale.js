"use strict";
// Where things stand: panes, and the scales from events to x and from the address axis to y, on either clock.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const GUTTER = 108; // the addresses
  const MARGIN = 10; // on the right
  const RULER = 26; // the time axis
  const LANE = 18; // the marks without an address, and the calls when there is room
  const HEAD = 20; // the name of a life, when there are two
  const listeners = [];
  const clocks = new WeakMap();

  // On which pixel of #maps each pane stands: { life, index, left, right, top, bottom, lane, head }.
  const layout = (width, height, state) => {
    const count = Math.max(1, state.lives.length);
    const beside = count > 1 && state.panes === "beside";
    const head = count > 1 ? HEAD : 0;
    const across = Math.floor(beside ? width / count : width);
    const each = Math.floor((height - RULER) / count); // whole pixels, as the picture of the blocks has no others
    map.panes = state.lives.map((life, index) => {
      const ruler = beside || index === 0;
      const start = beside || index === 0 ? 0 : RULER + each * index;
      const top = start + (ruler ? RULER : 0) + head;
      return {
        life,
        index,
        left: (beside ? across * index : 0) + GUTTER,
        right: (beside ? across * (index + 1) : across) - MARGIN,
        ruler: ruler ? start : null,
        head: head ? start + (ruler ? RULER : 0) : null,
        top,
        bottom: (beside ? Math.floor(height) : RULER + each * (index + 1)) - LANE,
        lane: LANE,
      };
    });
  };

  // Nanoseconds since the first event, for each event and for the end; rising strictly, so that they can be turned
  // round. null where nobody looked at a clock.
  const times = (life) => {
    if (!clocks.has(life)) {
      const { time_ns } = life.events;
      const count = time_ns.length;
      const rising = new Float64Array(count + 1);
      for (let event = 1; event < count; event++) {
        rising[event] = Math.max(time_ns[event] - time_ns[0], rising[event - 1] + 0.01);
      }
      if (count > 1) rising[count] = rising[count - 1] * (count / (count - 1));
      clocks.set(life, count > 1 && rising[count] > count ? rising : null);
    }
    return clocks.get(life);
  };
  map.has_time = (lives) => lives.length > 0 && lives.every((life) => times(life) !== null);

  const by_time = () => m4.store.state.clock === "time" && map.has_time(m4.store.state.lives);
  map.by_time = by_time;

  // An event's place on the clock, in events or nanoseconds. Before the first and after the last it goes on evenly.
  const tick = (event, life) => {
    if (!by_time()) return event;
    const rising = times(life);
    const last = rising.length - 1;
    const at = Math.min(last - 1, Math.max(0, Math.floor(event)));
    if (event > last) return rising[last] + (event - last) * (rising[last] / last);
    return rising[at] + (event - at) * (rising[at + 1] - rising[at]);
  };
  const event_of = (place, life) => {
    if (!by_time()) return place;
    const rising = times(life);
    const last = rising.length - 1;
    if (place >= rising[last]) return last + (place - rising[last]) / (rising[last] / last);
    const at = Math.max(0, m4.heap.first_after(rising, place) - 1);
    return at + (place - rising[at]) / (rising[at + 1] - rising[at]);
  };
  map.tick = tick;
  map.event_of = event_of;
  map.times = times;

  // The events, of life 0, from which to which there is anything to see.
  map.whole = (state = m4.store.state) => {
    const [first] = state.lives;
    if (!first) return { start: 0, stop: 1 };
    const stops = state.lives.map((life) => event_of(tick(life.events.function.length, life), first));
    return { start: 0, stop: Math.max(1, ...stops) };
  };
  map.rows_of = (life) => ({ low: 0, high: m4.heap.index(life).axis.length });

  // From the place on the clock to x: x = left + (place - start) * each.
  const across = (pane) => {
    const { view, lives } = m4.store.state;
    const start = tick(view.start, lives[0]);
    const stop = tick(view.stop, lives[0]);
    return { start, stop, each: (pane.right - pane.left) / Math.max(1e-9, stop - start) };
  };
  const down = (pane) => {
    const row = m4.store.state.rows[pane.index];
    return { low: row.low, high: row.high, each: (pane.bottom - pane.top) / Math.max(1e-9, row.high - row.low) };
  };
  map.across = across;
  map.down = down;

  // x of an event of a life, in pixels from the left edge of #maps (and of #curves); pane() says where it is cut off.
  map.x = (event, life = 0) => {
    const pane = map.panes[life];
    if (!pane) return 0;
    const scale = across(pane);
    return pane.left + (tick(event, pane.life) - scale.start) * scale.each;
  };
  // The event at x, fractions included.
  map.event = (x, life = 0) => {
    const pane = map.panes[life];
    if (!pane) return 0;
    const scale = across(pane);
    return event_of(scale.start + (x - pane.left) / scale.each, pane.life);
  };
  // y of a place on the address axis; low addresses are at the bottom.
  map.y = (place, life = 0) => {
    const scale = down(map.panes[life]);
    return map.panes[life].bottom - (place - scale.low) * scale.each;
  };
  map.place = (y, life = 0) => {
    const scale = down(map.panes[life]);
    return scale.low + (map.panes[life].bottom - y) / scale.each;
  };
  map.pane = (life = 0) => map.panes[life];
  map.pane_at = (x, y) =>
    map.panes.find((pane) => x >= pane.left - GUTTER && x <= pane.right + MARGIN && y >= pane.top - HEAD - RULER &&
      y <= pane.bottom + LANE && (pane.ruler !== null || y >= pane.top - HEAD));

  // `listener()` is called when x() has changed: another view, clock, window or arrangement.
  map.on_scale = (listener) => listeners.push(listener);
  map.tell_scale = () => listeners.forEach((listener) => listener());

  // The view, moved and cut so that it lies in the whole and shows one event at least.
  map.clip_view = (start, stop) => {
    const { lives } = m4.store.state;
    const whole = map.whole();
    const least = by_time() ? 0 : 1;
    let length = Math.min(whole.stop, Math.max(least, stop - start, 1e-6));
    if (by_time() && lives[0] && tick(start + length, lives[0]) - tick(start, lives[0]) < 20) length = stop - start;
    const low = Math.min(whole.stop - length, Math.max(0, start + (stop - start - length) / 2));
    return { start: low, stop: low + length };
  };
  map.clip_rows = (life, low, high) => {
    const whole = m4.heap.index(life).axis.length;
    const length = Math.min(whole, Math.max(Math.min(16, whole), high - low));
    const start = Math.min(whole - length, Math.max(0, low + (high - low - length) / 2));
    return { low: start, high: start + length };
  };

  // Nice places for about `most` ticks between two values: multiples of 1, 2 or 5 times a power of ten.
  map.nice = (low, high, most, least = 0) => {
    const rough = (high - low) / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(least, [1, 2, 5, 10].find((one) => one * power >= rough) * power);
    const places = [];
    for (let at = Math.ceil(low / step); at * step <= high; at++) places.push(at * step);
    return { step, places };
  };

  const UNITS = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]];
  // A length of time in words, exact enough to tell steps of `step` nanoseconds apart.
  map.duration = (ns, step = ns / 1000) => {
    if (ns === 0) return "0";
    const [unit, size] = UNITS.find(([, one]) => Math.abs(ns) >= one) ?? UNITS[3];
    const digits = Math.min(6, Math.max(0, Math.ceil(Math.log10(size / Math.max(step, 0.01)))));
    return `${(ns / size).toFixed(digits)} ${unit}`;
  };
  // The last event of a life that has happened at the moment shown, -1 before the first: an event happens at its place.
  map.last_event = (life = 0) => {
    const { lives, now } = m4.store.state;
    const here = event_of(tick(now, lives[0]), lives[life]);
    return Math.min(lives[life].events.function.length, Math.ceil(here - 1e-6)) - 1;
  };
  // What the clock shows at an event.
  map.moment = (event, life) => {
    if (!by_time()) return m4.parts.count(Math.ceil(event - 1e-6)); // as the counter in the head says it
    return map.duration(tick(event, life));
  };

  // What a life is called where there are several: A, B, C.
  map.letter = (index) => String.fromCharCode(65 + index);

  Object.assign(map, { panes: [], layout, RULER, HEAD });
})();
