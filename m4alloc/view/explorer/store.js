"use strict";
// What the page shows, in one object: all read `m4.store.state`, change it with `set`, and are told once a frame.
(() => {
  const m4 = (globalThis.m4 ??= {});

  const state = {
    lives: [],
    view: { start: 0, stop: 1 }, // events, fractions allowed; of life 0 when the clock is time
    rows: [], // a life: { low, high } in units of its address axis (m4.heap.index(life).axis)
    now: 0, // the moment shown: so many events have happened, of the one at a fraction the whole
    selected: null, // { life, block }
    finding: null, // index into the marks of life `finding_life`
    finding_life: 0,
    colour: "size", // size, age, thread, tag, state
    clock: "event", // event, time
    panes: "stacked", // stacked, beside: how two lives share the map
    patterns: true, // whether colours also have a pattern
    playing: false,
    speed: 10, // events a second
    tab: "", // the panel's open tab
  };
  // What a link leaves out is as a page opens, not as it was before.
  const { colour, clock, panes, patterns, tab } = state;
  const PLAIN = { colour, clock, panes, patterns, tab };

  const listeners = [];
  let changed = new Set();
  let asked = false;

  const tell = () => {
    asked = false;
    const keys = changed;
    changed = new Set();
    for (const listener of listeners) listener(state, keys);
  };

  // Merges `patch`; listeners are called before the next frame is painted with (state, Set of the changed keys).
  const set = (patch) => {
    for (const [key, value] of Object.entries(patch)) {
      if (!(key in state)) throw new Error(`the store has no ${key}; it has ${Object.keys(state).join(", ")}`);
      if (Object.is(state[key], value)) continue;
      state[key] = value;
      changed.add(key);
    }
    if (changed.size && !asked) {
      asked = true;
      requestAnimationFrame(tell);
    }
  };

  const on = (listener) => listeners.push(listener);

  // The part of the state that a link carries, as "v=0-120&c=size".
  const write = () => {
    const words = [`v=${short(state.view.start)}-${short(state.view.stop)}`];
    state.rows.forEach((row, index) => {
      const whole = m4.heap.index(state.lives[index]).axis.length;
      if (row.low > 0 || row.high < whole) words.push(`r${index}=${short(row.low)}-${short(row.high)}`);
    });
    words.push(`n=${short(state.now)}`);
    if (state.selected) words.push(`b=${state.selected.life}:${state.selected.block}`);
    if (state.finding !== null) words.push(`f=${state.finding_life}:${state.finding}`);
    if (state.colour !== PLAIN.colour) words.push(`c=${state.colour}`);
    if (state.clock !== PLAIN.clock) words.push(`k=${state.clock}`);
    if (state.panes !== PLAIN.panes) words.push(`l=${state.panes}`);
    if (!state.patterns) words.push("p=0");
    if (state.tab) words.push(`t=${state.tab}`);
    return words.join("&");
  };

  const short = (number) => String(Math.round(number * 100) / 100);

  const span = (text) => {
    const [low, high] = text.split(/(?<=\d)-/).map(Number);
    return Number.isFinite(low) && high > low ? [low, high] : null;
  };

  // The state of which `write` wrote the hash; of view, now, selected and finding only what can be read there.
  const read = (hash) => {
    const patch = { ...PLAIN };
    const words = new URLSearchParams(hash.replace(/^#/, ""));
    const view = span(words.get("v") ?? "");
    if (view) patch.view = { start: view[0], stop: view[1] };
    patch.rows = state.rows.map((row, index) => {
      const rows = span(words.get(`r${index}`) ?? "");
      return rows ? { low: rows[0], high: rows[1] } : row;
    });
    const pair = (name, sizes) => {
      const [life, one] = (words.get(name) ?? "").split(":").map(Number);
      return Number.isInteger(one) && one >= 0 && one < (sizes(state.lives[life]) ?? 0) ? [life, one] : null;
    };
    const now = Number(words.get("n") ?? NaN);
    if (Number.isFinite(now)) patch.now = now;
    const block = pair("b", (life) => life?.blocks.base.length);
    if (block) patch.selected = { life: block[0], block: block[1] };
    const finding = pair("f", (life) => life?.marks.length);
    if (finding) [patch.finding_life, patch.finding] = finding;
    const choose = (name, key, choices) => {
      if (choices.includes(words.get(name))) patch[key] = words.get(name);
    };
    choose("c", "colour", ["size", "age", "thread", "tag", "state"]);
    choose("k", "clock", ["event", "time"]);
    choose("l", "panes", ["stacked", "beside"]);
    if (words.get("p") === "0") patch.patterns = false;
    if (words.get("t")) patch.tab = words.get("t");
    return patch;
  };

  m4.store = { state, set, on, write, read };
})();
