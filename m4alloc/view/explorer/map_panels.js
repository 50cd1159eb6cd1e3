"use strict";
// The right-hand panel: tabs that other files add, each drawn when it is open and something it wants has changed.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const panels = [];

  // One tab: { id, title, render(element, state), wants: [keys of the state], when(state) -> whether to offer it }.
  // `render` is called when the tab opens, when the lives come, and after a change of a key in `wants`.
  const add = (panel) => panels.push({ when: () => true, wants: [], ...panel });

  const offered = (state) => panels.filter((panel) => panel.when(state));
  const current = (state) => offered(state).find((panel) => panel.id === state.tab) ?? offered(state)[0];

  const show = (id) => m4.store.set({ tab: id });

  const draw = (state, changed) => {
    const tabs = document.getElementById("panel-tabs");
    const body = document.getElementById("panel-body");
    const open = current(state);
    if (changed.has("lives") || changed.has("tab")) {
      const focused = tabs.contains(document.activeElement);
      tabs.replaceChildren(
        ...offered(state).map((panel) => {
          const own = panel === open;
          const role = { role: "tab", "aria-selected": String(own), "aria-controls": "panel-body" };
          const acts = { tabindex: own ? 0 : -1, onclick: () => show(panel.id) };
          return m4.parts.make("button", { type: "button", id: `tab-${panel.id}`, ...role, ...acts }, panel.title);
        }),
      );
      body.setAttribute("role", "tabpanel");
      if (open) body.setAttribute("aria-labelledby", `tab-${open.id}`);
      if (focused && open) document.getElementById(`tab-${open.id}`).focus();
      document.body.classList.toggle("without-panel", !open);
    }
    if (!open) return;
    if (body.dataset.open !== open.id) {
      body.dataset.open = open.id;
      body.replaceChildren();
      body.scrollTop = 0;
      open.render(body, state);
    } else if (changed.has("lives") || open.wants.some((key) => changed.has(key))) open.render(body, state);
  };

  const start = () => {
    m4.store.on(draw);
    document.getElementById("panel-tabs").addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      const ids = offered(m4.store.state).map((panel) => panel.id);
      const here = ids.indexOf(current(m4.store.state).id);
      show(ids[(here + step + ids.length) % ids.length]);
      event.preventDefault();
      event.stopPropagation();
    });
  };

  m4.panel = { add, show, start };
})();
