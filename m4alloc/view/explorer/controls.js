"use strict";
// The bar above the map: moving, zooming, playing, what is coloured how; and the page's head and foot.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const { make, draw, count, plural } = m4.parts;
  // Strokes in a square of 16.
  const ICONS = {
    all: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
    in: "M3 8h10M8 3v10",
    out: "M3 8h10",
    taller: "M8 2v12M5 5l3-3 3 3M5 11l3 3 3-3",
    flatter: "M8 1v5M8 10v5M5 3.5L8 6l3-2.5M5 12.5L8 10l3 2.5M3 8h10",
    play: "M4.5 2.5v11l9-5.5z",
    pause: "M5 3v10M11 3v10",
    first: "M3.5 3v10M13 3L6 8l7 5z",
    back: "M11.5 3L5 8l6.5 5",
    forth: "M4.5 3L11 8l-6.5 5",
    last: "M12.5 3v10M3 3l7 5-7 5z",
    box: "M2 2h2M7 2h2M12 2h2v2M14 7v2M14 12v2h-2M9 14H7M4 14H2v-2M2 9V7M2 4V2",
    pattern: "M2 6l4-4M2 11l9-9M3 14L14 3M7 14l7-7M12 14l2-2",
    theme: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
    beside: "M2 3h12v10H2zM8 3v10",
  };

  const icon = (name) => draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, draw("path", { d: ICONS[name] }));

  const button = (id, name, title, act) => {
    const onclick = (event) => {
      act();
      // After a click with the mouse the keys are the map's again: space plays, and does not press the button twice.
      if (event.detail > 0) document.getElementById("map-canvas").focus({ preventScroll: true });
    };
    const label = title.replace(/ \(.*\)$/, "");
    return make("button", { type: "button", id, title, "aria-label": label, onclick }, icon(name));
  };

  const choice = (id, name, options, act) => {
    const choices = options.map(([value, text]) => make("option", { value }, String(text)));
    return make("label", {}, name, make("select", { id, onchange: (event) => act(event.target.value) }, choices));
  };

  const group = (...children) => make("div", { class: "group" }, children);

  const { store } = m4;
  const set = (patch) => store.set(patch);

  // Events a second; the one that plays the whole run in half a minute is added for the life at hand.
  const SPEEDS = [1, 3, 10, 30, 100, 1000, 10000, 100000];
  const whole_speed = () => Math.max(1, Math.round(m4.map.whole().stop / 30));

  const step = (by) => {
    const stop = m4.map.whole().stop;
    const now = by > 0 ? Math.floor(store.state.now) + by : Math.ceil(store.state.now) + by;
    const next = Math.min(stop, Math.max(0, now));
    set({ now: next, playing: false });
    m4.map.reveal(0, next);
    const [life] = store.state.lives;
    const event = Math.min(Math.ceil(next), life.events.function.length) - 1;
    m4.say(event < 0 ? "before the first event" : `after ${m4.tell.at(event)}: ${m4.tell.event(life, event)}`);
  };

  const play = (playing = !store.state.playing) => {
    const { now, view } = store.state;
    // At the end there is nothing left to play: it begins again with what is seen.
    if (playing && now >= m4.map.whole().stop - 1e-6) set({ now: view.start > 0 ? view.start : 0 });
    set({ playing });
  };

  let before = 0;
  const tick = (time) => {
    const { state } = store;
    if (!state.playing) {
      before = 0;
      return;
    }
    const elapsed = before ? Math.min(0.25, (time - before) / 1000) : 0;
    before = time;
    const stop = m4.map.whole().stop;
    const now = Math.min(stop, state.now + elapsed * state.speed);
    set({ now });
    const { start, stop: end } = state.view;
    // The map turns the page when the moment leaves it.
    if (now > end && end < stop) m4.map.show(now - (end - start) * 0.05, now + (end - start) * 0.95);
    else if (now < start) m4.map.show(now, now + end - start);
    if (now >= stop) set({ playing: false });
    requestAnimationFrame(tick);
  };

  const zoom_rows = (factor) => store.state.lives.forEach((_, life) => m4.map.zoom_rows(factor, null, life));

  const tool = (name) => {
    m4.map.tool = name;
    document.getElementById("box").setAttribute("aria-pressed", String(name === "box"));
  };

  // The colourings that tell something of these lives.
  const colourings = () => {
    const { lives } = store.state;
    const tagged = lives.some((life) => life.granule || life.blocks.tag.some((tag) => tag >= 0));
    const threads = lives.some(({ blocks }) => blocks.thread.some((thread) => thread !== blocks.thread[0]));
    const names = Object.entries(m4.colours.NAMES);
    const useful = (name) => (name !== "tag" || tagged) && (name !== "thread" || threads);
    return names.filter(([name]) => name === store.state.colour || useful(name));
  };

  const cycle_colour = () => {
    const names = colourings().map(([name]) => name);
    const name = names[(names.indexOf(store.state.colour) + 1) % names.length];
    set({ colour: name });
    m4.say(`coloured by ${m4.colours.NAMES[name]}`);
  };

  const theme = () => {
    const root = document.documentElement;
    root.dataset.theme = m4.colours.dark() ? "light" : "dark";
    m4.colours.forget();
    m4.map.redraw();
    m4.say(`${root.dataset.theme} page`);
  };

  const speed_name = (speed) =>
    speed === whole_speed() && speed > 1 ? "all in 30 s" : `${count(speed)} a second`;

  const build = () => {
    const { state } = store;
    const tools = document.getElementById("tools");
    const many = state.lives.length > 1;
    // While it plays, the counter would be read out without end; who steps is told of the event.
    const now = make("output", { id: "now", "aria-live": "off", "aria-label": "Moment" });
    const clocks = choice("clock", "Clock", [["event", "events"], ["time", "time"]], (clock) => set({ clock }));
    clocks.hidden = !m4.map.has_time(state.lives);
    const speeds = [...new Set([...SPEEDS.filter((one) => one <= whole_speed() * 2), whole_speed()])];
    const words = speeds.sort((one, other) => one - other).map((one) => [one, speed_name(one)]);
    tools.replaceChildren(
      group(
        button("first", "first", "Before the first event (Home)", () => step(-Infinity)),
        button("back", "back", "One event back (,)", () => step(-1)),
        button("play", "play", "Play (space)", () => play()),
        button("forth", "forth", "One event on (.)", () => step(1)),
        button("last", "last", "To the last event (End)", () => step(Infinity)),
        now,
        choice("speed", "Speed", words, (speed) => set({ speed: Number(speed) })),
      ),
      group(
        button("all", "all", "Show everything (0)", m4.map.show_all),
        button("zoom-in", "in", "Zoom in on time (+)", () => m4.map.zoom(0.5)),
        button("zoom-out", "out", "Zoom out of time (\u2212)", () => m4.map.zoom(2)),
        button("taller", "taller", "Zoom in on addresses (Shift and +)", () => zoom_rows(0.5)),
        button("flatter", "flatter", "Zoom out of addresses (Shift and \u2212)", () => zoom_rows(2)),
        button("box", "box", "Drag a box to zoom to (z)", () => tool(m4.map.tool === "box" ? "move" : "box")),
      ),
      group(
        choice("colour", "Colour", colourings(), (colour) => set({ colour })),
        button("pattern", "pattern", "Patterns on the colours (h)", () => set({ patterns: !store.state.patterns })),
        clocks,
        ...(many ? [button("beside", "beside", "Side by side or one above the other (l)", swap)] : []),
      ),
    );
    tool("move");
    head(state);
  };

  // What stands in the page from its beginning listens once, however many links are opened.
  const listen = () => {
    document.getElementById("theme").replaceChildren(icon("theme"));
    document.getElementById("theme").addEventListener("click", theme);
    document.getElementById("help-open").addEventListener("click", () => m4.keys.help());
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      m4.colours.forget();
      m4.map.redraw();
    });
    divider();
  };

  const swap = () => set({ panes: store.state.panes === "stacked" ? "beside" : "stacked" });

  // How each record ended and what is not drawn of it; what several heaps have in common is said once.
  const notes = (lives) => {
    const all = new Map();
    lives.forEach((life, at) => {
      const said = [life.end && `The record ends early: ${life.end}.`, life.left_out, life.guard_note];
      for (const note of said.filter(Boolean)) {
        all.set(note, [...(all.get(note) ?? []), m4.map.letter(at)]);
      }
    });
    const whose = (letters) => (letters.length < lives.length ? `${letters.join(" and ")}: ` : "");
    return [...all].map(([note, letters]) => whose(letters) + note);
  };

  const head = ({ lives }) => {
    const about = lives.map((life, at) => {
      const several = lives.length > 1;
      const by = several ? m4.map.letter(at) : life.allocator;
      const protection = several || life.protection === "none" ? "" : life.protection;
      const threads = new Set(life.events.thread).size;
      const counts = [plural(life.events.function.length, "event"), plural(life.blocks.base.length, "block")];
      if (threads > 1) counts.push(plural(threads, "thread"));
      return [by, protection, ...counts].filter(Boolean).join(" \u00b7 ");
    });
    document.getElementById("about").textContent = about.join("  |  ");
    const many = about.length > 1 ? "The heaps" : "The heap";
    document.getElementById("map-canvas").setAttribute("aria-label", `${many} over time: ${about.join("; ")}`);
    document.getElementById("title").title = document.getElementById("title").textContent;
    const sentences = new Set(lives.map((life) => life.sentence).filter(Boolean));
    const sentence =
      sentences.size < 2
        ? [...sentences].join("")
        : lives.map((life, at) => `${m4.map.letter(at)}: ${life.sentence || "nothing was found."}`).join(" ");
    const bad = lives.some(m4.tell.is_bad);
    const said = document.getElementById("sentence");
    said.textContent = sentence;
    said.title = sentence;
    said.className = bad ? "bad" : "good";
    document.getElementById("foot").textContent = notes(lives).join(" ");
    const empty = lives.flatMap((life) => {
      if (!life.events.function.length) return ["There is no event in this heap."];
      return life.blocks.base.length ? [] : ["No block was handed out in this heap."];
    });
    const note = document.getElementById("map-note");
    note.textContent = empty.join(" ");
    note.hidden = empty.length < lives.length || !empty.length;
  };

  // The line between map and panel, moved by dragging or with the arrow keys.
  const divider = () => {
    const line = document.getElementById("divider");
    const stage = document.getElementById("stage");
    const [least, most] = [240, 760];
    const width = (value) => {
      const pixels = Math.round(Math.min(most, Math.max(least, value)));
      stage.style.setProperty("--panel-width", `${pixels}px`);
      line.setAttribute("aria-valuenow", String(pixels));
    };
    line.setAttribute("aria-valuemin", String(least));
    line.setAttribute("aria-valuemax", String(most));
    line.setAttribute("aria-valuenow", String(document.getElementById("panel").offsetWidth));
    line.addEventListener("pointerdown", (event) => line.setPointerCapture(event.pointerId));
    line.addEventListener("pointermove", (event) => {
      if (line.hasPointerCapture(event.pointerId)) width(stage.getBoundingClientRect().right - event.clientX);
    });
    line.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: 24, ArrowRight: -24 }[event.key];
      if (!by) return;
      width(document.getElementById("panel").offsetWidth + by);
      event.preventDefault();
      event.stopPropagation();
    });
  };

  const changed = (state, keys) => {
    if (!state.lives.length) return;
    if (keys.has("lives")) build();
    const has = (...names) => keys.has("lives") || names.some((name) => keys.has(name));
    if (has("now", "clock")) {
      const stop = m4.map.whole().stop;
      const now = Math.min(state.now, stop);
      const by_time = m4.map.by_time() ? ` \u00b7 ${m4.map.moment(now, state.lives[0])}` : "";
      document.getElementById("now").textContent =
        `${count(Math.ceil(now - 1e-6))} of ${plural(stop, "event")}${by_time}`;
    }
    if (has("playing")) {
      const control = document.getElementById("play");
      control.replaceChildren(icon(state.playing ? "pause" : "play"));
      control.setAttribute("aria-pressed", String(state.playing));
      control.setAttribute("aria-label", state.playing ? "Pause" : "Play");
      if (state.playing) requestAnimationFrame(tick);
    }
    if (has("colour")) document.getElementById("colour").value = state.colour;
    if (has("clock")) document.getElementById("clock").value = state.clock;
    if (has("speed")) document.getElementById("speed").value = String(state.speed);
    if (has("patterns")) document.getElementById("pattern").setAttribute("aria-pressed", String(state.patterns));
  };

  const start = () => {
    listen();
    store.on(changed);
  };

  m4.controls = { start, step, play, tool, theme, cycle_colour, zoom_rows, swap, whole_speed };
})();
