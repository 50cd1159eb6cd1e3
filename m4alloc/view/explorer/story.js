"use strict";
// A block's story: where it came from, what was done with it, how it ended, and who got its bytes next.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const { make, draw, count, plural } = m4.parts;
  const size = (value) => m4.colours.bytes(value);
  const WIDTH = 340; // Units of the strip's width; it is drawn as wide as the panel.
  const SHOWN = 60; // Events that are listed, at most; those around `now`.

  // What does not change with `now`: kept for the block that was looked at last.
  let known = {};
  const facts = (life, block) => {
    if (known.life === life && known.block === block) return known;
    const { blocks } = life;
    const [low, high] = [blocks.base[block], blocks.base[block] + Math.max(1, blocks.usable[block])];
    const shares = (other) => blocks.base[other] < high && low < blocks.base[other] + Math.max(1, blocks.usable[other]);
    let next = block + 1;
    while (next < blocks.base.length && !(blocks.born[next] >= blocks.died[block] && shares(next))) next += 1;
    let before = block - 1;
    while (before >= 0 && !(blocks.died[before] <= blocks.born[block] && shares(before))) before -= 1;
    const later = [];
    for (let other = block + 1; other < blocks.base.length; other += 1)
      if (blocks.origin[other] === block) later.push(other);
    const chain = [block];
    while (blocks.origin[chain[0]] >= 0 && chain.length < 50) chain.unshift(blocks.origin[chain[0]]);
    const properties = life.properties
      .map((property) => ({ property, changes: property.changes.filter((change) => change[1] === block) }))
      .filter(({ changes }) => changes.length);
    const end = next < blocks.base.length ? next : -1;
    known = { life, block, next: end, before, later, chain, properties, events: m4.heap.index(life).events_of(block) };
    return known;
  };

  // What the block is at a moment, in a word or two, with how grave it is.
  const condition = (life, block, now) => {
    const { blocks } = life;
    if (now < blocks.born[block]) return ["not there yet", "muted"];
    if (now < blocks.died[block]) return ["live", "good"];
    const { next, later } = facts(life, block);
    if (later.length && blocks.born[later[0]] <= now && next < 0) return ["resized", "muted"];
    if (now < blocks.reusable[block]) return ["freed, held back", "warn"];
    if (next >= 0 && blocks.born[next] <= now) return ["freed, bytes in use again", "bad"];
    return ["freed", "warn"];
  };

  const row = (name, ...value) => [make("dt", {}, name), make("dd", {}, value)];

  const born = (life, block) => {
    const event = life.blocks.born[block];
    if (event < 0) return row("born", "before the record begins");
    const by = life.threads.length > 1 ? ` by ${m4.tell.thread(life, life.blocks.thread[block])}` : "";
    const when = m4.tell.when(life, event);
    return row(
      "born",
      m4.tell.event_link(life, event),
      `: ${m4.tell.event(life, event)}${by}`,
      when ? `, after ${when}` : "",
    );
  };

  const bytes = (life, block) => {
    const [asked, usable] = [life.blocks.size[block], life.blocks.usable[block]];
    const slack = Math.max(0, usable - Math.max(asked, 1));
    const bar = make(
      "span",
      { class: "fit", role: "img", "aria-label": `${asked} of ${usable} bytes asked for` },
      make("span", { class: "asked", style: `width:${(100 * asked) / Math.max(1, usable)}%` }),
    );
    const lost = slack ? ` · slack ${size(slack)} (${m4.parts.share(slack / usable)})` : " · no slack";
    return row("bytes", `${count(asked)} asked, ${count(usable)} usable${lost}`, bar);
  };

  const resized = (life_number, life, block) => {
    const { chain, later } = facts(life, block);
    if (chain.length < 2 && !later.length) return [];
    const { blocks } = life;
    const steps = [...chain, ...later].flatMap((one, index, all) => {
      const moved = index > 0 && blocks.base[one] !== blocks.base[all[index - 1]];
      const arrow = index === 0 ? "" : moved ? " → moved → " : " → in place → ";
      const label = one === block ? make("b", {}, m4.tell.name(one)) : m4.tell.block_link(life_number, one);
      return [arrow, label, ` ${size(blocks.size[one])}`];
    });
    return row("resizes", steps);
  };

  const protection = (life, block) => {
    const { tag, low, high, base, size: asked } = life.blocks;
    const found = [];
    if (tag[block] >= 0)
      found.push(row("tag", make("code", {}, String(tag[block])), ` on every ${life.granule}-byte granule`));
    if (high[block] > low[block]) {
      const below = base[block] - low[block];
      const above = high[block] - base[block] - asked[block];
      const exact =
        below === 0 && above === 0
          ? ", exactly the block"
          : `, ${count(below)} B before and ${count(above)} B after what was asked`;
      const range = `[${m4.address(life, low[block])}, ${m4.address(life, high[block])})`;
      found.push(row("bounds", make("code", {}, range), exact));
    }
    return found;
  };

  const ended = (life_number, life, block) => {
    const { blocks } = life;
    const { died, reusable } = blocks;
    const { next, later } = facts(life, block);
    const all = life.events.function.length;
    if (died[block] >= all) return row("freed", make("b", {}, "never"), `: live when the record ends`);
    const lived = died[block] - Math.max(0, blocks.born[block]);
    const how = later.length && blocks.born[later[0]] === died[block] ? "resized" : "freed";
    const other = blocks.freer[block] >= 0 && blocks.freer[block] !== blocks.thread[block];
    const by =
      life.threads.length > 1 && blocks.freer[block] >= 0 ? ` by ${m4.tell.thread(life, blocks.freer[block])}` : "";
    const found = [
      row(
        how,
        m4.tell.event_link(life, died[block]),
        `${by}${other ? ", not the one that asked for it" : ""}, after ${plural(lived, "event")}`,
      ),
    ];
    if (reusable[block] > died[block]) {
      const until =
        reusable[block] >= all ? "to the end of the record" : ["until ", m4.tell.event_link(life, reusable[block])];
      found.push(row("held back", until, `, ${plural(Math.min(all, reusable[block]) - died[block], "event")}`));
    }
    if (next >= 0) {
      const waited = blocks.born[next] - died[block];
      const soon = waited === 0 ? "at once" : `after ${plural(waited, "event")}`;
      found.push(
        row(
          "reused",
          `${soon}, by `,
          m4.tell.block_link(life_number, next),
          ` at `,
          m4.tell.event_link(life, blocks.born[next]),
        ),
      );
    } else found.push(row("reused", "not in this record"));
    return found;
  };

  // The nearest blocks that live below and above at `now`.
  const neighbours = (life_number, life, block) => {
    const { base, usable } = life.blocks;
    let [below, above] = [-1, -1];
    const end = base[block] + usable[block];
    m4.tell.each_live(life, (other) => {
      if (other === block || (base[other] < end && base[block] < base[other] + usable[other])) return;
      if (base[other] < base[block] && (below < 0 || base[other] > base[below])) below = other;
      if (base[other] > base[block] && (above < 0 || base[other] < base[above])) above = other;
    });
    const gap = (bytes_between) => ` (${bytes_between > 0 ? `${size(bytes_between)} between` : "touching"})`;
    const found = [];
    if (below >= 0)
      found.push("below ", m4.tell.block_link(life_number, below), gap(base[block] - base[below] - usable[below]));
    if (below >= 0 && above >= 0) found.push(" · ");
    if (above >= 0)
      found.push("above ", m4.tell.block_link(life_number, above), gap(base[above] - base[block] - usable[block]));
    return found.length ? row("neighbours", found) : [];
  };

  // The block's life as a strip: born to reused, its accesses as ticks, and the state of each property below.
  const strip = (life, block, now) => {
    const { blocks } = life;
    const { next, properties, events } = facts(life, block);
    const all = life.events.function.length;
    const start = Math.max(0, blocks.born[block]);
    // What comes long after its death must not make its life a sliver.
    const died = Math.min(all, blocks.died[block]);
    const after = Math.max(Math.min(all, blocks.reusable[block]), next >= 0 ? blocks.born[next] : 0);
    const stop = Math.min(all, 1 + Math.max(died, events.at(-1) ?? 0, Math.min(after, died + 2 * (died - start) + 4)));
    const x = (event) => (WIDTH * (Math.min(Math.max(event, start), stop) - start)) / (stop - start);
    const reused = next >= 0 ? blocks.born[next] : stop;
    const parts = [
      piece("strip-live", x(start), x(blocks.died[block]), 14, "live"),
      piece("strip-held", x(blocks.died[block]), x(Math.min(blocks.reusable[block], reused)), 14, "held back"),
      piece("strip-free", x(Math.max(blocks.died[block], blocks.reusable[block])), x(reused), 14, "free"),
      piece("strip-next", x(reused), x(stop), 14, next >= 0 ? m4.tell.name(next) : ""),
    ];
    for (const event of events) {
      if (!m4.tell.is_access(life, event)) continue;
      const bad = m4.tell.wrong(life, event) ? "bad" : "";
      parts.push(
        draw("line", { x1: x(event + 0.5), x2: x(event + 0.5), y1: bad ? 4 : 9, y2: 14, class: `tick ${bad}` }),
      );
      if (bad) parts.push(draw("text", { x: x(event + 0.5), y: 9, class: "strip-cross" }, "✗"));
    }
    const top = 38;
    properties.forEach(({ property, changes }, index) => {
      const y = top + 32 * index;
      parts.push(draw("text", { x: 0, y: y + 7, class: "strip-name" }, property.name));
      changes.forEach(([event, , state], at) => {
        const end = at + 1 < changes.length ? changes[at + 1][0] : stop;
        const kind = state === property.states.length - 1 && /violat/.test(property.states[state]) ? "bad" : state % 2;
        parts.push(piece(`strip-state strip-state-${kind}`, x(event), x(end), y + 11, property.states[state]));
      });
    });
    const height = top + 32 * properties.length - (properties.length ? 0 : 4);
    const at = x(now + 0.5);
    if (now >= start && now < stop)
      parts.unshift(draw("rect", { x: at - 3, y: 0, width: 6, height, class: "strip-now" }));
    const label = `life of block ${m4.tell.name(block)}, from ${m4.tell.at(start)} to ${m4.tell.at(stop - 1)}`;
    return draw(
      "svg",
      { class: "strip", viewBox: `-1 0 ${WIDTH + 2} ${height}`, role: "img", "aria-label": label },
      parts,
    );
  };

  // A stretch of a strip with its name, as far as there is room for it.
  const piece = (kind, from, to, y, name) => {
    if (!(to > from)) return null;
    const room = Math.floor((to - from - 6) / 5.6);
    const text = name.length <= room ? name : room >= 4 ? `${name.slice(0, room - 1)}…` : "";
    return draw(
      "g",
      {},
      draw("title", {}, name),
      draw("rect", { x: from, y, width: to - from, height: 16, class: kind }),
      text ? draw("text", { x: from + 4, y: y + 12, class: "strip-text" }, text) : null,
    );
  };

  const property_rows = (life, block, now) =>
    facts(life, block).properties.map(({ property, changes }) => {
      const at =
        m4.heap.first_after(
          changes.map((change) => change[0]),
          now,
        ) - 1;
      const state = at >= 0 ? property.states[changes[at][2]] : "not begun";
      return make(
        "div",
        { class: "property" },
        make("b", {}, property.name),
        `: ${state}`,
        make("code", {}, property.formula),
        property.claim ? make("p", {}, property.claim) : null,
      );
    });

  // The block's events around `now`.
  const events = (life, block, now) => {
    const all = facts(life, block).events;
    const here = m4.heap.first_after(all, now) - 1;
    const from = Math.max(0, Math.min(all.length - SHOWN, here - SHOWN / 2));
    const shown = [...all.subarray(from, from + SHOWN)];
    const one = (event) => {
      const wrong = m4.tell.wrong(life, event);
      const marks = m4.tell.marks_at(life, event);
      const current = event === now;
      return make(
        "li",
        { class: current ? "here" : "", "aria-current": current ? "step" : null },
        m4.tell.event_link(life, event, m4.tell.number(event)),
        make("span", {}, m4.tell.event(life, event).replace(` of ${m4.tell.name(block)}`, "")),
        life.threads.length > 1 ? make("small", {}, m4.tell.thread(life, life.events.thread[event])) : null,
        wrong ? make("b", { class: "bad" }, `✗ ${wrong}`) : marks.slice(0, 1).map(m4.tell.mark_tag),
      );
    };
    const left_out = (number, where) =>
      number > 0 ? make("li", { class: "muted" }, `${plural(number, "event")} ${where}`) : null;
    return make(
      "ol",
      { class: "events" },
      left_out(from, "before these"),
      shown.map(one),
      left_out(all.length - from - shown.length, "after these"),
    );
  };

  const findings = (life, block) => {
    const found = life.marks.filter((mark) => mark.block === block && mark.kind !== "label").slice(0, 5);
    return found.map((mark) =>
      make(
        "p",
        { class: `callout ${m4.tell.kind(mark).tone}` },
        make("b", {}, `${m4.tell.kind(mark).sign} ${m4.tell.mark_name(mark)}`),
        ` ${mark.reason || m4.tell.kind(mark).word} `,
        m4.tell.event_link(life, mark.event),
      ),
    );
  };

  // Nothing is selected: the largest blocks that live at `now`, to begin with.
  const suggestions = (state) => {
    const life = state.lives[0];
    const largest = [];
    const sizes = life.blocks.size;
    m4.tell.each_live(life, (block) => {
      if (largest.length === 12 && sizes[block] <= sizes[largest[11]]) return;
      const at = largest.findIndex((other) => sizes[other] < sizes[block]);
      largest.splice(at < 0 ? largest.length : at, 0, block);
      largest.length = Math.min(largest.length, 12);
    });
    const one = (block) =>
      make(
        "li",
        {},
        m4.tell.block_link(0, block),
        make("span", {}, `${size(life.blocks.size[block])} at ${m4.address(life, life.blocks.base[block])}`),
      );
    return [
      make("h2", {}, "No block is selected"),
      make("p", {}, "Click a block in the map for its story. The largest that live now:"),
      largest.length
        ? make("ol", { class: "events" }, largest.map(one))
        : make("p", { class: "muted" }, "No block lives now."),
    ];
  };

  const render = (element, state) => {
    if (!state.lives.length) return;
    if (!state.selected) return m4.parts.fill(element, suggestions(state));
    const { life: number, block } = state.selected;
    const life = state.lives[number];
    const now = m4.tell.last_event(life);
    const [word, tone] = condition(life, block, now);
    const { before } = facts(life, block);
    m4.parts.fill(
      element,
      make("h2", {}, `${size(life.blocks.size[block])} at ${m4.address(life, life.blocks.base[block])}`),
      make("p", { class: "condition" }, `block ${m4.tell.name(block)}, now `, make("b", { class: tone }, word)),
      strip(life, block, now),
      findings(life, block),
      make(
        "dl",
        { class: "facts" },
        born(life, block),
        bytes(life, block),
        protection(life, block),
        resized(number, life, block),
        ended(number, life, block),
        before >= 0 ? row("before it", "these bytes were ", m4.tell.block_link(number, before), "'s") : [],
        neighbours(number, life, block),
      ),
      make("h3", {}, `${plural(facts(life, block).events.length, "event")} about it`),
      events(life, block, now),
      facts(life, block).properties.length ? make("h3", {}, "Properties of its memory") : null,
      property_rows(life, block, now),
    );
  };

  m4.panel.add({ id: "story", title: "Block", render, wants: ["selected", "now", "lives"] });
})();
