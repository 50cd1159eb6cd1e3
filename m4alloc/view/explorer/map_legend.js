"use strict";
// The legend: every colour with its pattern, every letter and line that the map shows now, in words.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});

  const { make } = m4.parts;

  const swatch = (paint, width = 18) => {
    const canvas = make("canvas", { width, height: 14, "aria-hidden": "true" });
    paint(canvas.getContext("2d"), width, 14);
    return canvas;
  };

  const item = (paint, text, title) => make("span", { class: "entry", title }, swatch(paint), text);

  const filled = (colour, tile, patterned) => (context, width, height) => {
    context.fillStyle = m4.colours.fill(context, colour, tile, patterned);
    context.fillRect(0.5, 0.5, width - 1, height - 1);
    context.strokeStyle = m4.colours.css(m4.colours.mix(colour, m4.colours.role("ink"), 0.4));
    context.strokeRect(0.5, 0.5, width - 1, height - 1);
  };

  const group = (name, entries) => make("span", { class: "group" }, make("b", {}, name), entries);

  const draw = (state) => {
    const { colours } = m4;
    const scheme = colours.scheme(state.colour, state.lives);
    const any = (test) => state.lives.some(test);
    const held = any((life) => m4.heap.index(life).held);
    const { tagged, slack, bounded } = facts(state.lives);
    const seen = present(scheme, state.lives);
    const entries = [];
    scheme.classes.forEach(({ colour, tile, label, says }, at) => {
      if (at === scheme.held ? !held : !seen.has(at)) return;
      entries.push(item(filled(colour, tile, state.patterns), label, says));
    });
    const groups = [group(`Colour: ${scheme.title}`, entries)];

    const rest = [];
    const plain = colours.TILES[0];
    if (!scheme.slack && slack) {
      const pale = colours.slack(colours.role("muted"));
      rest.push(item(filled(pale, colours.TILES[5], state.patterns), "slack", "usable bytes beyond those requested"));
    }
    rest.push(item(filled(colours.freed(), plain, false), "used before", "held a block before, holds none now"));
    rest.push(item(filled(colours.role("page"), plain, false), "never used"));
    if (any((life) => life.guards.length)) {
      const guard = colours.mix(colours.role("page"), colours.role("bad"), 0.35);
      rest.push(item(filled(guard, map.protection.HATCH, state.patterns), "guard", "nobody may touch it"));
    }
    if (bounded) rest.push(item(bracket, "bounds"));
    if (tagged) rest.push(item(digit, "tag of a granule", "written when a granule is tall enough"));
    const retagged = any((life) => life.retags.length);
    if (retagged) rest.push(item(dashed, "retagged", "freed bytes that were given another tag"));
    groups.push(group("Memory", rest));

    const kinds = map.marks.ORDER.filter((kind) => any((life) => life.marks.some((mark) => mark.kind === kind)));
    if (kinds.length) {
      const marks = kinds.map((kind) => {
        const paint = (context) => map.marks.glyph(context, kind, 9, 7, 12, kind === "attack" ? "1" : "");
        return item(paint, kind, m4.tell.KINDS[kind].word);
      });
      groups.push(group("Findings", marks));
    }
    document.getElementById("legend").replaceChildren(...groups);
  };

  // What some block has, looked for once.
  const found = new WeakMap();
  const facts = (lives) => {
    if (!found.has(lives)) {
      const any = (test) => lives.some(({ blocks }) => blocks.base.some((_, block) => test(blocks, block)));
      found.set(lives, {
        tagged: any(({ tag }, block) => tag[block] >= 0),
        slack: any(({ usable, size }, block) => usable[block] > size[block]),
        bounded: any(({ low, high }, block) => high[block] > low[block]),
      });
    }
    return found.get(lives);
  };

  // The classes that some block has; of ages, those that some block has reached.
  const known = new WeakMap();
  const present = (scheme, lives) => {
    if (known.has(scheme)) return known.get(scheme);
    const seen = new Set();
    known.set(scheme, seen);
    for (const life of lives) {
      const classes = scheme.of(life);
      if (classes) for (const one of classes) seen.add(one);
      else {
        const { born, died } = life.blocks;
        let oldest = 0;
        for (let block = 0; block < born.length; block++) oldest = Math.max(oldest, died[block] - born[block]);
        scheme.classes.forEach((_, at) => {
          if (at === 0 || oldest > scheme.edges[at - 1]) seen.add(at);
        });
      }
      if (scheme.name === "tag") for (const retag of life.retags) seen.add(retag.tag & 15);
      if (scheme.slack && facts(lives).slack) seen.add(1);
    }
    return seen;
  };

  const bracket = (context, width, height) => {
    context.strokeStyle = m4.colours.css(m4.colours.role("ink"));
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(7, 2);
    context.lineTo(3, 2);
    context.lineTo(3, height - 2);
    context.lineTo(7, height - 2);
    context.stroke();
    context.lineWidth = 1;
    context.setLineDash([3, 2]);
    context.strokeRect(7, 2, width, height - 4);
  };

  const dashed = (context, width, height) => {
    context.strokeStyle = m4.colours.css(m4.colours.role("muted"));
    context.setLineDash([2, 2]);
    context.strokeRect(0.5, 0.5, width - 1, height - 1);
  };

  const digit = (context, width, height) => {
    context.fillStyle = m4.colours.css(m4.colours.role("ink"));
    context.strokeStyle = m4.colours.css(m4.colours.role("muted"));
    context.strokeRect(0.5, 0.5, width - 1, height - 1);
    context.font = "bold 10px ui-monospace, monospace";
    context.textBaseline = "middle";
    context.fillText("7", 6, 7.5);
  };

  map.legend = { draw };
})();
