"use strict";
// Curves under the map, on its time axis: bytes above, fragmentation below, and their values at `now` in a line.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const { make, draw } = m4.parts;
  const BANDS = [
    { unit: "bytes", pixels: 72 },
    { unit: "share", pixels: 44 },
  ];
  const GAP = 6;

  // How a curve looks when one life is shown; of two, each has one colour and the pattern tells the curves apart.
  const LOOKS = {
    live: { role: "series-1", width: 2.5, dash: "", area: true },
    usable: { role: "series-4", width: 1.5, dash: "1.5 2.5" },
    footprint: { role: "series-3", width: 1.8, dash: "6 3" },
    "internal fragmentation": { role: "series-1", width: 1.8, dash: "" },
    "external fragmentation": { role: "series-3", width: 1.8, dash: "6 3" },
  };
  const OTHER = { role: "muted", width: 1.5, dash: "" };
  const LIVES = ["series-1", "series-3", "series-4", "group-0"]; // with their letters beside the curves
  const LEFT_OUT = { two: ["usable"] }; // Of two lives, so that four lines can be told apart.

  const look = (curve, life, count) => {
    const found = LOOKS[curve.name] ?? OTHER;
    return count > 1 ? { ...found, role: LIVES[life % LIVES.length], area: false } : found;
  };

  const value_at = (curve, event) => {
    const at = m4.heap.first_after(curve.at, event) - 1;
    return at < 0 ? 0 : curve.values[at];
  };

  const said = (curve, value) => {
    if (curve.unit === "bytes") return m4.colours.bytes(value);
    return curve.unit === "share" ? m4.parts.share(value) : m4.parts.count(value);
  };

  const in_band = (life, unit, count) =>
    life.curves.filter((curve) => curve.unit === unit && !(count > 1 && LEFT_OUT.two.includes(curve.name)));

  // The entries of a curve that can be seen, with the one before them.
  const visible = (curve, pane, index) => {
    const from = Math.max(0, m4.heap.first_after(curve.at, m4.map.event(pane.left, index)) - 1);
    const to = Math.min(curve.at.length, m4.heap.first_after(curve.at, m4.map.event(pane.right, index)) + 1);
    return [from, to];
  };

  // 2, 3, 4, 6, 8, 12 and so on: the least of these that is at least as large.
  const round_up = (value) => {
    const power = 2 ** Math.floor(Math.log2(Math.max(2, value)));
    return [1, 1.5, 2].map((step) => step * power).find((one) => one >= value);
  };

  const highest = (state, unit) => {
    let most = 0;
    state.lives.forEach((life, index) => {
      const pane = m4.map.pane(index);
      for (const curve of in_band(life, unit, state.lives.length)) {
        const [from, to] = visible(curve, pane, index);
        for (let at = from; at < to; at += 1) most = Math.max(most, curve.values[at]);
      }
    });
    if (unit === "share") return most > 0.5 ? 1 : most > 0.2 ? 0.5 : 0.2;
    return round_up(most);
  };

  // Steps from entry to entry, cut off at the pane; `area` goes round what is below them.
  const path = (curve, pane, index, y) => {
    const [from, to] = visible(curve, pane, index);
    const cut = (x) => Math.min(pane.right, Math.max(pane.left, x)).toFixed(1);
    let steps = "";
    for (let at = from; at < to; at += 1) {
      const x = cut(m4.map.x(curve.at[at], index));
      const height = y(curve.values[at]).toFixed(1);
      steps += steps ? `H${x}V${height}` : `${x} ${height}`;
    }
    if (!steps) return null;
    const stop = cut(m4.map.x(m4.store.state.lives[index].events.function.length, index));
    const [start, first] = steps.split(/[ HV]/, 2);
    const bottom = y(0).toFixed(1);
    return {
      line: `M${steps}H${stop}`,
      area: `M${start} ${bottom}V${first}${steps.slice(start.length + first.length + 1)}H${stop}V${bottom}Z`,
    };
  };

  const band = (state, unit, top, height) => {
    const shapes = [];
    const most = highest(state, unit);
    const y = (value) => top + height - (height - 4) * (value / most);
    const edges = m4.map.panes.filter((pane, index) => index === 0 || pane.left !== m4.map.panes[0].left);
    for (const pane of edges) {
      shapes.push(
        draw("line", { x1: pane.left, x2: pane.right, y1: top + height, y2: top + height, class: "axis" }),
        draw("line", { x1: pane.left, x2: pane.right, y1: y(most), y2: y(most), class: "grid" }),
        draw("text", { x: pane.left - 6, y: y(most) + 8, class: "label" }, said({ unit }, most)),
        draw("text", { x: pane.left - 6, y: top + height, class: "label" }, "0"),
      );
    }
    state.lives.forEach((life, index) => {
      const pane = m4.map.pane(index);
      for (const curve of in_band(life, unit, state.lives.length)) {
        const shape = path(curve, pane, index, y);
        if (!shape) continue;
        const { role, width, dash, area } = look(curve, index, state.lives.length);
        const name = draw("title", {}, curve.name);
        if (area) shapes.push(draw("path", { d: shape.area, class: "area", style: `fill:var(--${role})` }));
        shapes.push(
          draw(
            "path",
            {
              d: shape.line,
              class: "curve",
              style: `stroke:var(--${role});stroke-width:${width}`,
              "stroke-dasharray": dash || null,
            },
            name,
          ),
        );
      }
    });
    return { shapes, y };
  };

  let bands = [];

  const draw_all = () => {
    const { state } = m4.store;
    const element = document.getElementById("curves");
    if (!element || !m4.map.panes.length) return;
    const any = state.lives.some((life) => life.curves.length);
    element.hidden = !any;
    if (!any) return;
    const width = element.clientWidth;
    const shown = BANDS.filter(({ unit }) =>
      state.lives.some((life) => in_band(life, unit, state.lives.length).length),
    );
    let height = 0;
    const shapes = [];
    bands = shown.map(({ unit, pixels }) => {
      const drawn = band(state, unit, height, pixels);
      height += pixels + GAP;
      shapes.push(drawn.shapes);
      return [unit, drawn.y];
    });
    const overlay = draw("g", { id: "curves-now" });
    const svg = draw("svg", { width, height, role: "img", "aria-label": "curves over time" }, shapes, overlay);
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      scrub(event, svg);
    });
    svg.addEventListener("pointermove", (event) => event.buttons & 1 && scrub(event, svg));
    element.replaceChildren(make("div", { id: "curves-said" }), svg);
    show_now();
  };

  // Pressing or dragging in the curves moves `now`.
  const scrub = (event, svg) => {
    const x = event.clientX - svg.getBoundingClientRect().left;
    const index = Math.max(
      0,
      m4.map.panes.findIndex((pane) => x >= pane.left && x <= pane.right),
    );
    const life = m4.store.state.lives[index];
    const at = Math.min(life.events.function.length - 1, Math.max(0, m4.map.event(x, index)));
    m4.tell.go(life, Math.floor(at));
  };

  const sample = (curve, life, count) => {
    const { role, width, dash } = look(curve, life, count);
    const line = {
      x1: 0,
      x2: 20,
      y1: 6,
      y2: 6,
      style: `stroke:var(--${role});stroke-width:${width}`,
      "stroke-dasharray": dash || null,
    };
    return draw("svg", { width: 20, height: 12, "aria-hidden": "true" }, draw("line", line));
  };

  const show_now = () => {
    const { state } = m4.store;
    const overlay = document.getElementById("curves-now");
    const said_at = document.getElementById("curves-said");
    if (!overlay || !said_at) return;
    const height = overlay.ownerSVGElement.height.baseVal.value;
    const shapes = [];
    const lines = state.lives.map((life, index) => {
      const now = m4.tell.last_event(life);
      const pane = m4.map.pane(index);
      const x = m4.map.x(m4.tell.moment_in(life), index);
      const inside = x >= pane.left && x <= pane.right;
      if (inside) shapes.push(draw("line", { x1: x, x2: x, y1: 0, y2: height, class: "now" }));
      const first_share = life.curves.find((curve) => curve.name.endsWith(" fragmentation"));
      const entries = life.curves.map((curve) => {
        const value = value_at(curve, now);
        const here = bands.find(([unit]) => unit === curve.unit);
        const shown = here && in_band(life, curve.unit, state.lives.length).includes(curve);
        if (inside && shown) {
          const { role } = look(curve, index, state.lives.length);
          const y = here[1](value);
          shapes.push(draw("circle", { cx: x, cy: y, r: 3, class: "spot", style: `stroke:var(--${role})` }));
          if (state.lives.length > 1) {
            const [way, anchor] = x > pane.right - 50 ? [-1, "end"] : [1, "start"];
            const at = { x: x + way * (6 + 9 * index), y: y + 4, class: "whose", "text-anchor": anchor };
            shapes.push(draw("text", at, m4.map.letter(index)));
          }
        }
        return make(
          "span",
          {},
          first_share === curve ? make("i", {}, "fragmentation ") : null,
          shown ? sample(curve, index, state.lives.length) : null,
          `${curve.name.replace(" fragmentation", "")} `,
          make("b", {}, said(curve, value)),
        );
      });
      const named = { class: "which", title: `${life.allocator}: ${life.title}` };
      const name = state.lives.length > 1 ? make("span", named, m4.map.letter(index)) : null;
      return make("div", {}, name, entries);
    });
    overlay.replaceChildren(...shapes);
    said_at.replaceChildren(...lines);
  };

  m4.map.on_scale(draw_all);
  m4.store.on((state, changed) => {
    if (changed.has("lives")) draw_all();
    else if (changed.has("now")) show_now();
  });
  m4.curves = { draw: draw_all };
})();
