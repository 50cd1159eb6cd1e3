"use strict";
// The keyboard, the page of help that lists it, and the sentence that a screen reader hears after each key.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const { store, map, controls } = m4;

  m4.say = (text) => {
    const status = document.getElementById("status");
    if (status.textContent !== text) status.textContent = text;
  };

  // The previous (-1) or next (1) event of the selected block.
  const event_of_block = (way) => {
    const { selected, lives } = store.state;
    if (!selected) return m4.say("no block is selected");
    const life = lives[selected.life];
    const here = map.last_event(selected.life);
    const events = m4.heap.index(life).events_of(selected.block);
    const next = way > 0 ? events.find((event) => event > here) : events.findLast((event) => event < here);
    const name = m4.tell.name(selected.block);
    if (next === undefined) return m4.say(`no ${way > 0 ? "later" : "earlier"} event of block ${name}`);
    store.set({ now: map.event_of(map.tick(next + 1, life), lives[0]), playing: false });
    map.reveal(selected.life, next, selected.block);
    m4.say(`${m4.tell.at(next)}: ${map.calls.words(life, next)}`);
  };

  // All findings of all lives, in order of time; labels are no findings.
  const findings = () => {
    const { lives } = store.state;
    const all = lives.flatMap((life, number) =>
      life.marks.map((mark, finding) => ({ life: number, finding, mark })).filter(({ mark }) => mark.kind !== "label"),
    );
    return all.sort((one, other) => one.mark.event - other.mark.event);
  };

  const finding = (way) => {
    const all = findings();
    if (!all.length) return m4.say("there are no findings");
    const { state } = store;
    const here = all.findIndex((one) => one.finding === state.finding && one.life === state.finding_life);
    const next = all[here < 0 ? (way > 0 ? 0 : all.length - 1) : (here + way + all.length) % all.length];
    show_finding(next.life, next.finding);
  };

  // The patch that selects a finding, its block, and its moment.
  const looking_at = (life, number) => {
    const { lives } = store.state;
    const { event, block } = lives[life].marks[number];
    const after = Math.min(event + 1, lives[life].events.function.length);
    return {
      finding: number,
      finding_life: life,
      selected: block >= 0 ? { life, block } : null,
      now: map.event_of(map.tick(after, lives[life]), lives[0]),
    };
  };

  // What a page opens with: the gravest thing that went wrong, the first of its kind; null for nothing.
  const first_wrong = () => {
    const gravity = ({ mark }) => map.marks.ORDER.indexOf(mark.kind);
    const wrong = findings().filter(({ mark }) => m4.tell.is_wrong(mark));
    const [first] = wrong.sort((one, other) => gravity(one) - gravity(other));
    return first ? { ...looking_at(first.life, first.finding), tab: "findings" } : null;
  };

  // Selects a finding, and brings it into view.
  const show_finding = (life, number) => {
    const mark = store.state.lives[life].marks[number];
    store.set({ ...looking_at(life, number), playing: false });
    map.reveal(life, mark.event, mark.block);
    m4.say(`${mark.kind} ${mark.name} at ${m4.tell.at(mark.event)}. ${mark.reason}`);
  };

  // At the keyboard: the block at the moment next above or below the selected one.
  const neighbour = (way) => {
    const { selected, lives } = store.state;
    const life = selected?.life ?? 0;
    const index = m4.heap.index(lives[life]);
    const event = map.last_event(life);
    const live = [...index.live_at(event)].sort((one, other) => index.low[one] - index.low[other]);
    if (!live.length) return m4.say("no block lives at this moment");
    const { low } = store.state.rows[life];
    const from = selected ? index.low[selected.block] : way > 0 ? low - 1 : Infinity;
    const next = way > 0 ? live.find((one) => index.low[one] > from) : live.findLast((one) => index.low[one] < from);
    if (next === undefined) return m4.say(`no block ${way > 0 ? "above" : "below"}`);
    store.set({ selected: { life, block: next } });
    map.reveal(life, event, next);
  };

  const say_selected = (state, keys) => {
    if (!keys.has("selected") || keys.has("lives") || keys.has("finding")) return; // a finding says more
    if (!state.selected) return m4.say("nothing is selected");
    const { block } = state.selected;
    const life = state.lives[state.selected.life];
    const { base, size, born, died } = life.blocks;
    const end = died[block] < life.events.function.length ? `freed at ${m4.tell.at(died[block])}` : "never freed";
    const address = m4.address(life, base[block]);
    const start = born[block] < 0 ? "there before the record" : `born at ${m4.tell.at(born[block])}`;
    m4.say(`block ${m4.tell.name(block)}, ${size[block]} bytes at ${address}, ${start}, ${end}`);
  };

  const KEYS = [
    ["\u2190 \u2192", "move in time; with Shift, by one event"],
    ["\u2191 \u2193", "move in addresses; with Shift, select the block above or below"],
    ["+ \u2212", "zoom time; with Shift, addresses"],
    ["PageUp PageDown", "turn the page in time"],
    ["0", "show everything"],
    ["Home End", "before the first event, to the last"],
    ["space", "play, pause"],
    [", .", "one event back, one event on"],
    ["[ ]", "previous, next event of the selected block"],
    ["p n", "previous, next finding"],
    ["Enter", "zoom to the selected block"],
    ["z", "the box tool: drag a box to zoom to it (or drag with Shift)"],
    ["c", "next colouring"],
    ["h", "patterns on the colours"],
    ["l", "two heaps: side by side, or one above the other"],
    ["t", "light or dark page"],
    ["Esc", "stop playing; select nothing; close this"],
  ];
  const GESTURES = [
    ["wheel", "zoom time; with Shift or over the addresses, zoom addresses; with Ctrl, both"],
    ["pinch", "zoom in the direction of the fingers"],
    ["drag", "move; over the time axis, choose the moment; over the addresses, choose a range"],
    ["click", "select the block and the moment"],
    ["strip above", "drag its frame, an edge of it, or a new one"],
    ["double click", "zoom to the block"],
  ];

  const help = () => {
    const dialog = document.getElementById("help");
    if (dialog.open) return dialog.close();
    const { make } = m4.parts;
    const row = (keys, text) => [make("dt", {}, keys.map((key) => [make("kbd", {}, key), " "])), make("dd", {}, text)];
    const about =
      "Across is time, upward are addresses; every bar is a block, from the call that handed it out to the call that " +
      "gave it up. Addresses that were never used are left out, at a zigzag, and so is the middle of a block that is " +
      "far longer than all others together.";
    dialog.replaceChildren(
      make("h2", { id: "help-title" }, "Keys and gestures"),
      make("button", { type: "button", onclick: () => dialog.close() }, "Close"),
      make("p", {}, about),
      make(
        "div",
        {},
        make("dl", {}, KEYS.map(([keys, text]) => row(keys.split(" "), text))),
        make("dl", {}, GESTURES.map(([gesture, text]) => row([gesture], text))),
      ),
    );
    dialog.showModal();
  };

  const escape = () => {
    if (store.state.playing) store.set({ playing: false });
    else store.set({ selected: null, finding: null });
  };

  const enter = () => {
    const { selected } = store.state;
    if (selected) map.show_block(selected.life, selected.block);
  };

  const pan_rows = (part) => store.state.lives.forEach((_, life) => map.pan_rows(part, life));

  const ACTIONS = {
    ArrowLeft: (event) => (event.shiftKey ? controls.step(-1) : map.pan(-0.1)),
    ArrowRight: (event) => (event.shiftKey ? controls.step(1) : map.pan(0.1)),
    ArrowUp: (event) => (event.shiftKey ? neighbour(1) : pan_rows(0.1)),
    ArrowDown: (event) => (event.shiftKey ? neighbour(-1) : pan_rows(-0.1)),
    PageUp: () => map.pan(-0.9),
    PageDown: () => map.pan(0.9),
    "+": (event) => (event.shiftKey && event.code === "NumpadAdd" ? controls.zoom_rows(0.5) : map.zoom(0.5)),
    "=": () => map.zoom(0.5),
    "-": () => map.zoom(2),
    "*": () => controls.zoom_rows(0.5),
    _: () => controls.zoom_rows(2),
    "/": () => controls.zoom_rows(2),
    0: () => map.show_all(),
    Home: () => controls.step(-Infinity),
    End: () => controls.step(Infinity),
    " ": () => controls.play(),
    ",": () => controls.step(-1),
    ".": () => controls.step(1),
    "[": () => event_of_block(-1),
    "]": () => event_of_block(1),
    n: () => finding(1),
    p: () => finding(-1),
    Enter: enter,
    z: () => controls.tool(map.tool === "box" ? "move" : "box"),
    c: controls.cycle_colour,
    h: () => store.set({ patterns: !store.state.patterns }),
    l: controls.swap,
    t: controls.theme,
    "?": help,
    Escape: escape,
  };

  // What is seen after a key that moves, for those who cannot see it.
  const MOVES = new Set("ArrowLeft ArrowRight PageUp PageDown + = - 0".split(" "));
  const RISES = new Set("ArrowUp ArrowDown * _ /".split(" "));
  const say_view = (key) => {
    const { view, rows, lives } = store.state;
    if (MOVES.has(key)) {
      const [from, to] = [Math.floor(view.start), Math.max(0, Math.ceil(view.stop) - 1)];
      return m4.say(`events ${m4.tell.number(from)} to ${m4.tell.number(to)}`);
    }
    if (!RISES.has(key)) return undefined;
    const { axis } = m4.heap.index(lives[0]);
    const [low, high] = [rows[0].low, rows[0].high].map((place) => axis.address(place) ?? axis.gap(place)?.high);
    if (low === undefined && high === undefined) return m4.say("all addresses");
    const words = [low, high].map((one) => (one === undefined ? "the end" : m4.address(lives[0], one)));
    return m4.say(`addresses ${words[0]} to ${words[1]}`);
  };

  // Keys mean the map's unless the focus is on something that has a use for them itself.
  const own = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return true;
    const target = event.target;
    if (document.getElementById("help").open) return event.key !== "?";
    if (target.closest("input, textarea, select, [contenteditable]")) return true;
    if (target.closest("button, a, summary") && [" ", "Enter"].includes(event.key)) return true;
    const scrolls = target.closest("#panel");
    return !!scrolls && ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " ", "Enter"].includes(event.key);
  };

  const start = () => {
    store.on(say_selected);
    document.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || own(event) || !store.state.lives.length) return;
      const act = ACTIONS[event.key] ?? ACTIONS[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      act(event);
      if (!event.shiftKey || !event.key.startsWith("Arrow")) say_view(event.key);
    });
  };

  m4.keys = { start, help, finding, show_finding, first_wrong };
})();
