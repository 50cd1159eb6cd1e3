"use strict";
// Findings, attack steps and labels on the map: a shape and a letter for each kind, at its event and address.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});
  const SIZE = 18; // pixels, of a shape; marks that would lie on one another become one with a number

  // Corners in a square from -1 to 1; none is a circle.
  const OUTLINES = {
    missed: "0,1 -1,-.8 1,-.8",
    violation: "-.45,-1 .45,-1 1,-.45 1,.45 .45,1 -.45,1 -1,.45 -1,-.45",
    misuse: "0,-1.15 1.2,.95 -1.2,.95",
    fault: "-.9,-.9 .9,-.9 .9,.9 -.9,.9",
    property: "",
    attack: "-1,-.8 .4,-.8 1.1,0 .4,.8 -1,.8",
    label: "-.8,-1 .8,-1 .8,.5 0,1.1 -.8,.5",
  };
  const { KINDS } = m4.tell;
  const ORDER = Object.keys(KINDS); // gravest first

  const shape = (context, kind, x, y, size) => {
    const outline = OUTLINES[kind];
    context.beginPath();
    if (!outline) context.arc(x, y, size / 2, 0, 2 * Math.PI);
    else {
      for (const [at, corner] of outline.split(" ").entries()) {
        const [dx, dy] = corner.split(",").map((one) => (Number(one) * size) / 2);
        if (at === 0) context.moveTo(x + dx, y + dy);
        else context.lineTo(x + dx, y + dy);
      }
    }
    context.closePath();
  };

  // Draws one mark, the letter in it; `number` replaces the letter of an attack's step.
  const glyph = (context, kind, x, y, size = SIZE, number = "") => {
    const { letter, role } = KINDS[kind];
    const colour = m4.colours.role(role);
    context.lineJoin = "round";
    shape(context, kind, x, y, size);
    context.lineWidth = 4;
    context.strokeStyle = m4.colours.css(m4.colours.role("page"));
    context.stroke();
    context.fillStyle = m4.colours.css(colour);
    context.fill();
    context.fillStyle = m4.colours.css(m4.colours.on(colour));
    const narrow = kind === "misuse" || kind === "missed"; // a triangle has less room for its letter
    const share = narrow || number.length > 1 ? 0.5 : 0.6;
    context.font = `bold ${Math.round(size * share)}px system-ui, "DejaVu Sans", sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const shift = { misuse: 0.2, missed: -0.1, label: -0.06, attack: 0 }[kind] ?? 0;
    context.fillText(number || letter, x - (kind === "attack" ? size * 0.05 : 0), y + size * shift + 0.5);
    context.textAlign = "left";
  };

  // Where a mark belongs: y is null for one without a place in memory.
  const place = (pane, mark) => {
    const index = m4.heap.index(pane.life);
    const x = map.x(mark.event + 0.5, pane.index);
    if (mark.length > 0) {
      const middle = (index.axis.place(mark.address) + index.axis.end(mark.address, mark.length)) / 2;
      return { x, y: map.y(middle, pane.index) };
    }
    if (mark.block >= 0) {
      // Above the middle, where the block's own words stand.
      const { low, high } = index;
      return { x, y: map.y(low[mark.block] + (high[mark.block] - low[mark.block]) * 0.75, pane.index) };
    }
    return { x, y: null };
  };

  // The number of each step of an attack, by the number of its mark.
  const numbered = new WeakMap();
  const steps_of = (life) => {
    if (!numbered.has(life)) {
      const attack = [...life.marks.keys()].filter((number) => life.marks[number].kind === "attack");
      numbered.set(life, new Map(attack.map((number, at) => [number, at + 1])));
    }
    return numbered.get(life);
  };

  // The cell that a shape at a point would lie on: a square of SIZE holds one at most, so nine of them are looked at.
  const near = (cells, { x, y }) => {
    for (let across = -1; across <= 1; across++) {
      for (let down = -1; down <= 1; down++) {
        const cell = cells.get(`${Math.floor(x / SIZE) + across} ${Math.floor(y / SIZE) + down}`);
        if (cell && Math.abs(cell.x - x) < SIZE && Math.abs(cell.y - y) < SIZE) return cell;
      }
    }
    return null;
  };

  // Draws the marks of a pane and returns what is where, for the pointer: { pane, x, y, marks: numbers }.
  const draw = (context, pane) => {
    const { marks } = pane.life;
    const cells = new Map();
    const first = map.event(pane.left, pane.index) - 1;
    const last = map.event(pane.right, pane.index);
    marks.forEach((mark, number) => {
      if (mark.event < first || mark.event > last) return;
      const { x, y } = place(pane, mark);
      if (x < pane.left - 1 || x > pane.right + 1) return;
      if (y !== null && (y < pane.top || y > pane.bottom)) return;
      const at = { x, y: Math.min(pane.bottom - SIZE / 2, Math.max(pane.top + SIZE / 2 + 2, y ?? 0)) };
      const cell = near(cells, at);
      if (cell) cell.marks.push(number);
      else cells.set(`${Math.floor(at.x / SIZE)} ${Math.floor(at.y / SIZE)}`, { ...at, marks: [number] });
    });
    const steps = steps_of(pane.life);
    const hits = [];
    for (const cell of cells.values()) {
      const { event } = marks[cell.marks[0]];
      const wide = map.x(event + 1, pane.index) - map.x(event, pane.index);
      const own = cell.marks.every((number) => marks[number].event === event);
      // Marks of one call stand side by side where there is room for them.
      const apart = own && cell.marks.length <= 4 && wide >= cell.marks.length * (SIZE + 4);
      const groups = apart ? cell.marks.map((number) => [number]) : [cell.marks];
      groups.forEach((group, at) => {
        const hit = { pane, marks: group, x: cell.x + (at - (groups.length - 1) / 2) * (SIZE + 4), y: cell.y };
        const kinds = group.map((number) => marks[number].kind);
        const kind = ORDER.find((one) => kinds.includes(one));
        const first = group[kinds.indexOf(kind)];
        extent(context, pane, marks[first], wide);
        glyph(context, kind, hit.x, hit.y, SIZE, kind === "attack" ? String(steps.get(first)) : "");
        if (group.length > 1) badge(context, hit.x + SIZE / 2, hit.y - SIZE / 2, group.length);
        hits.push(hit);
      });
    }
    return hits;
  };

  // What a mark is about, outlined where it can be told from a point.
  const extent = (context, pane, { kind, event, address, length }, wide) => {
    const { axis } = m4.heap.index(pane.life);
    const tall = length > 0 ? (axis.end(address, length) - axis.place(address)) * map.down(pane).each : 0;
    if (length <= 0 || tall < 4 || wide < 6) return;
    context.strokeStyle = m4.colours.css(m4.colours.role(KINDS[kind].role));
    context.lineWidth = 2;
    const top = map.y(axis.end(address, length), pane.index);
    context.strokeRect(map.x(event, pane.index), top, wide, tall);
  };

  const badge = (context, x, y, count) => {
    const text = count > 999 ? "999+" : String(count);
    context.font = "bold 9px system-ui, sans-serif";
    const width = context.measureText(text).width + 6;
    context.fillStyle = m4.colours.css(m4.colours.role("page"));
    context.strokeStyle = m4.colours.css(m4.colours.role("ink"));
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(x - 3, y - 4, width, 12, 6);
    context.fill();
    context.stroke();
    context.fillStyle = m4.colours.css(m4.colours.role("ink"));
    context.textBaseline = "middle";
    context.fillText(text, x, y + 2.5);
  };

  map.marks = { ORDER, SIZE, glyph, place, draw };
})();
