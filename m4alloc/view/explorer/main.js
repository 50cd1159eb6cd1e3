"use strict";
// Opens the page: unpacks the heaps, takes the view from the link, tells everybody, and keeps the link up to date.
(() => {
  const { m4 } = globalThis;
  const { store } = m4;

  const failed = (error) => {
    const said = m4.parts.make("p", { class: "failed" }, `The heap cannot be shown: ${error.message}`);
    document.getElementById("stage").replaceChildren(said);
  };

  // After `open`, the page shows the lives; `hash` is what a link asks for.
  const open = (lives, hash = location.hash) => {
    store.state.lives = lives; // so that the map can say what the whole is
    store.state.rows = lives.map(m4.map.rows_of);
    const whole = m4.map.whole();
    const wanted = store.read(hash);
    const view = wanted.view ? m4.map.clip_view(wanted.view.start, wanted.view.stop) : whole;
    const rows = (wanted.rows ?? store.state.rows).map((row, at) => m4.map.clip_rows(lives[at], row.low, row.high));
    const speed = m4.controls.whole_speed();
    const silent = !["b", "f", "n", "t"].some((name) => new URLSearchParams(hash.replace(/^#/, "")).has(name));
    const first = silent ? m4.keys.first_wrong() : null;
    const now = Math.min(whole.stop, Math.max(0, wanted.now ?? whole.stop));
    const nothing = { selected: null, finding: null, finding_life: 0, playing: false };
    store.state.lives = null;
    store.set({ ...nothing, speed, ...wanted, now, ...first, lives, view, rows });
  };

  let writing = 0;
  const remember = (state, keys) => {
    if (keys.has("lives") || state.playing) return;
    clearTimeout(writing);
    writing = setTimeout(() => m4.parts.keep_link(store.write()), 250);
  };

  m4.start = async () => {
    m4.map.start();
    m4.map.listen();
    m4.controls.start();
    m4.keys.start();
    m4.panel.start();
    store.on(remember);
    window.addEventListener("hashchange", () => {
      const { lives } = store.state;
      if (lives.length) open(lives);
    });
    try {
      open(await m4.decode(document));
    } catch (error) {
      failed(error);
    }
  };

  m4.open = open;
  m4.start();
})();
