"use strict";
// The heap at `now`, byte by byte: owners, the tags of granules, what a pointer may reach, and what is accessed.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const { make, draw, plural, count } = m4.parts;
  const LEFT = 70; // Units, of the addresses.
  const WIDTH = 324; // That of the panel, so that a unit is a pixel.
  const CELLS = 176;
  const ROW = 20;
  const TAG = 28;
  const AROUND = 2; // Rows above and below what is looked at.
  const MOST = 10; // Rows of a block that are drawn before its middle is left out.

  const KINDS = {
    asked: "bytes asked for",
    slack: "slack",
    held: "freed, held back",
    freed: "freed",
    guard: "guard",
  };

  // What is looked at in a life: the selected block, or what the last call was about, and what was found there.
  const subject = (state, number) => {
    const life = state.lives[number];
    const event = m4.tell.last_event(life);
    const marks = m4.tell.marks_at(life, event);
    const block = state.selected?.life === number ? state.selected.block : (life.events.block[event] ?? -1);
    return { number, life, event, marks, block, refused: marks.some((mark) => mark.kind === "fault") };
  };

  // The bytes of the access that an event is, or null.
  const access_at = (life, event) => {
    const { events, blocks } = life;
    const block = events.block[event];
    if (!m4.tell.is_access(life, event) || block < 0) return null;
    const low = blocks.base[block] + events.offset[event];
    return { block, low, high: low + Math.max(1, events.size[event]), what: m4.tell.called(life, event) };
  };

  const top = (life, block) => life.blocks.base[block] + Math.max(1, life.blocks.usable[block]);

  // The rows to draw, by address / width: those of the block, the access and the mark, and some around them.
  const rows_of = ({ life, block, marks }, access, width) => {
    const rows = new Set();
    const lowest = -Number(life.address_base) / width;
    const add = (low, high) => {
      const [first, last] = [Math.floor(low / width), Math.floor((high - 1) / width)];
      const cut = last - first >= MOST;
      for (let row = first - AROUND; row <= last + AROUND; row += 1) {
        if (cut && row > first + MOST / 2 - 1 && row < last - MOST / 2 + 1) row = last - MOST / 2 + 1;
        if (row >= lowest) rows.add(row);
      }
    };
    if (block >= 0) add(life.blocks.base[block], top(life, block));
    const near = (low) => block < 0 || Math.abs(low - life.blocks.base[block]) < 4096 + life.blocks.usable[block];
    if (access && near(access.low)) add(access.low, access.high);
    for (const { address, length } of marks)
      if (length > 0 && near(address)) add(address, address + Math.min(length, 4096));
    return [...rows].sort((one, other) => one - other);
  };

  // Of each page the blocks that were ever in it; the few that cover many pages are kept apart.
  const PAGE = 4096;
  const pages = new WeakMap();
  const by_page = (life) => {
    if (!pages.has(life)) {
      const found = { on: new Map(), large: [] };
      for (let block = 0; block < life.blocks.base.length; block += 1) {
        const [first, last] = [Math.floor(life.blocks.base[block] / PAGE), Math.floor((top(life, block) - 1) / PAGE)];
        if (last - first > 16) found.large.push(block);
        else {
          for (let page = first; page <= last; page += 1) {
            if (!found.on.has(page)) found.on.set(page, []);
            found.on.get(page).push(block);
          }
        }
      }
      pages.set(life, found);
    }
    return pages.get(life);
  };

  // The blocks that were ever in one of the rows, in order of birth. Only rows that are drawn are asked for: between
  // those of a block's beginning and of its end there may be terabytes, or all other blocks.
  const near = (life, rows, width) => {
    const { on, large } = by_page(life);
    const found = new Set();
    for (const row of rows) {
      const [low, high] = [row * width, (row + 1) * width];
      const take = (block) => life.blocks.base[block] < high && low < top(life, block) && found.add(block);
      large.forEach(take);
      for (let page = Math.floor(low / PAGE); page * PAGE < high; page += 1) on.get(page)?.forEach(take);
    }
    return [...found].sort((one, other) => one - other);
  };

  // Stretches [low, high) of the rows with who owns them right after an event; a later one covers an earlier.
  const stretches = (life, event, rows, width) => {
    const { base, size, born, died, reusable } = life.blocks;
    const found = near(life, rows, width).filter((block) => born[block] <= event);
    const lives = (block) => died[block] > event;
    found.sort((one, other) => lives(one) - lives(other) || one - other);
    const parts = found.flatMap((block) => {
      const [from, to] = [base[block], top(life, block)];
      if (!lives(block)) return [{ low: from, high: to, kind: event < reusable[block] ? "held" : "freed", block }];
      const asked = Math.min(to, from + size[block]);
      return [
        { low: from, high: asked, kind: "asked", block },
        { low: asked, high: to, kind: "slack", block },
      ];
    });
    const guards = life.guards.filter((guard) => guard.start <= event && event < guard.stop);
    return [
      ...parts,
      ...guards.map((guard) => ({ low: guard.base, high: guard.base + guard.length, kind: "guard", block: -1 })),
    ];
  };

  // The tag of each of these granules right after an event: that of the last block or retag that covers it.
  const tags_of = (life, event, granules) => {
    const [low, high] = [granules[0] * life.granule, (granules.at(-1) + 1) * life.granule];
    const { base, tag, born } = life.blocks;
    const changes = [];
    for (const block of near(life, granules, life.granule)) {
      if (tag[block] >= 0 && born[block] <= event)
        changes.push([born[block], base[block], top(life, block), tag[block]]);
    }
    for (const retag of life.retags) {
      const end = retag.address + retag.length;
      if (retag.event <= event && retag.address < high && low < end)
        changes.push([retag.event, retag.address, end, retag.tag]);
    }
    // Of two at one event the retag comes first: a block's birth gives its bytes the tag that its pointer has.
    changes.sort((one, other) => one[0] - other[0]);
    const tags = new Map();
    for (const [, from, to, value] of changes) {
      for (const granule of granules) {
        if (granule * life.granule < to && from < (granule + 1) * life.granule) tags.set(granule, value);
      }
    }
    return tags;
  };

  // A row's runs of bytes of one stretch, as { low, high, part }; `part` is undefined where nobody ever owned them.
  const runs_of = (parts, from, to) => {
    const owner = new Array(to - from);
    for (const part of parts)
      owner.fill(part, Math.max(0, part.low - from), Math.max(0, Math.min(to, part.high) - from));
    const runs = [];
    for (let byte = 0; byte < to - from; byte += 1) {
      if (byte > 0 && runs.at(-1).part === owner[byte]) runs.at(-1).high += 1;
      else runs.push({ low: from + byte, high: from + byte + 1, part: owner[byte] });
    }
    return runs;
  };

  // The blocks that are seen for the first time in a row: "#12 #13".
  const owners = (runs, seen) => {
    const found = [];
    for (const { part } of runs) {
      if (!part || part.block < 0 || seen.has(part.block)) continue;
      seen.add(part.block);
      found.push(m4.tell.name(part.block));
    }
    return found.join(" ").length > 10 && found.length > 1 ? `${found[0]} …` : found.join(" ");
  };

  const picture = (told) => {
    const { life, event, block } = told;
    const width = life.granule || 16;
    const access = access_at(life, event);
    const rows = rows_of(told, access, width);
    if (!rows.length) return { image: null, kinds: new Set(), access, tags: new Map() };
    const parts = stretches(life, event, rows, width);
    const tags = life.granule ? tags_of(life, event, rows) : new Map();
    const pointer = access?.block ?? block;
    const bounds =
      pointer >= 0 && life.blocks.high[pointer] > life.blocks.low[pointer]
        ? [life.blocks.low[pointer], life.blocks.high[pointer]]
        : null;
    const x = (address, row) =>
      LEFT + (CELLS * (Math.min(Math.max(address, row * width), (row + 1) * width) - row * width)) / width;
    const shapes = [];
    const kinds = new Set();
    const seen = new Set();
    let y = 14;
    // Offsets within the row, so that a byte's address can be read off.
    for (let byte = 0; byte < width; byte += width / 4) {
      shapes.push(
        draw("text", { x: LEFT + (CELLS * byte) / width + 1, y: 10, class: "small" }, `+${byte.toString(16)}`),
      );
    }
    if (life.granule) shapes.push(draw("text", { x: LEFT + CELLS + TAG / 2, y: 10, class: "small middle" }, "tag"));
    rows.forEach((row, index) => {
      if (index > 0 && row !== rows[index - 1] + 1) {
        const skipped = (row - rows[index - 1] - 1) * width;
        shapes.push(
          draw(
            "text",
            { x: LEFT + CELLS / 2, y: y + 13, class: "small middle" },
            `⋮ ${plural(skipped, "byte")} not drawn ⋮`,
          ),
        );
        y += ROW;
      }
      const [from, to] = [row * width, (row + 1) * width];
      const box = (start, stop) => ({
        x: x(start, row),
        y: y + 1,
        width: x(stop, row) - x(start, row),
        height: ROW - 2,
      });
      shapes.push(
        draw(
          "text",
          { x: LEFT - 6, y: y + 14, class: "address" },
          short(life, from),
          draw("title", {}, m4.address(life, from)),
        ),
      );
      shapes.push(draw("rect", { ...box(from, to), class: "bytes" }));
      const runs = runs_of(parts, from, to);
      for (const { low: start, high: stop, part } of runs) {
        if (!part) continue;
        kinds.add(part.kind);
        const tip = draw("title", {}, `${part.block >= 0 ? `${m4.tell.name(part.block)}, ` : ""}${KINDS[part.kind]}`);
        const chosen = part.block === block ? " chosen" : "";
        shapes.push(draw("rect", { ...box(start, stop), class: `bytes-${part.kind}${chosen}` }, tip));
        // A border where a block begins or ends.
        for (const edge of [part.kind === "slack" ? null : part.low, part.kind === "asked" ? null : part.high]) {
          if (edge === start || edge === stop) {
            shapes.push(
              draw("line", { x1: x(edge, row), x2: x(edge, row), y1: y + 1, y2: y + ROW - 1, class: "edge" }),
            );
          }
        }
      }
      for (let byte = 1; byte < 16; byte += 1) {
        const at = LEFT + (CELLS * byte) / 16;
        shapes.push(
          draw("line", { x1: at, x2: at, y1: y + (byte % 8 ? ROW - 5 : ROW - 9), y2: y + ROW - 1, class: "notch" }),
        );
      }
      if (bounds && bounds[0] < to && from < bounds[1])
        shapes.push(...bracket(bounds, from, to, (at) => x(at, row), y));
      if (access && access.low < to && from < access.high) {
        shapes.push(
          draw("rect", { ...box(access.low, access.high), class: `access ${m4.tell.wrong(life, event) ? "bad" : ""}` }),
        );
        const middle = (x(access.low, row) + x(access.high, row)) / 2;
        shapes.push(draw("text", { x: middle, y: y + 14, class: "access-letter" }, access.what === "load" ? "L" : "S"));
      }
      if (life.granule) shapes.push(...tag_of_row(life, told, tags.get(row), access, from, to, y));
      const names = owners(runs, seen);
      shapes.push(draw("text", { x: LEFT + CELLS + (life.granule ? TAG : 0) + 6, y: y + 14, class: "owner" }, names));
      y += ROW;
    });
    const image = draw(
      "svg",
      {
        class: "moment",
        viewBox: `0 0 ${WIDTH} ${y + 4}`,
        role: "img",
        "aria-label": `memory around ${m4.address(life, rows[0] * width)} after ${m4.tell.at(event)}`,
      },
      patterns(),
      shapes,
    );
    return { image, kinds, access, tags, bounds };
  };

  const short = (life, address) => {
    const text = m4.address(life, address).slice(2);
    return text.length > 8 ? `…${text.slice(-7)}` : `0x${text}`;
  };

  // What the pointer may reach: a line under the bytes, with an end where it begins and ends.
  const bracket = ([low, high], from, to, x, y) => {
    const [left, right] = [x(low), x(high)];
    const lines = [draw("line", { x1: left, x2: right, y1: y + ROW - 1, y2: y + ROW - 1, class: "bounds" })];
    if (low >= from)
      lines.push(draw("path", { d: `M${left + 5} ${y + 1.5}H${left + 1}V${y + ROW - 1}`, class: "bounds" }));
    if (high <= to)
      lines.push(draw("path", { d: `M${right - 5} ${y + 1.5}H${right - 1}V${y + ROW - 1}`, class: "bounds" }));
    return lines;
  };

  // The granule's tag, framed where the access meets it: solid when it is the pointer's, with a cross when not.
  const tag_of_row = (life, told, tag, access, from, to, y) => {
    const at = LEFT + CELLS + TAG / 2;
    const meets = access && access.low < to && from < access.high;
    const differs = meets && (told.refused || tag !== life.blocks.tag[access.block]);
    const frame = draw("rect", {
      x: at - 11,
      y: y + 2,
      width: 22,
      height: ROW - 4,
      rx: 3,
      class: `tag-frame ${meets ? (differs ? "bad" : "good") : ""}`,
    });
    return [
      frame,
      draw(
        "text",
        { x: at, y: y + 14, class: `tag-number ${differs ? "bad" : ""}` },
        tag === undefined ? "-" : String(tag),
      ),
    ];
  };

  const hatch = (id, kind, ...lines) =>
    draw(
      "pattern",
      { id: `moment-${id}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
      lines.map((d) => draw("path", { d, class: `hatch-${kind}` })),
    );
  const patterns = () =>
    draw(
      "defs",
      {},
      hatch("slack", "slack", "M-1 7L7 -1"),
      hatch("freed", "freed", "M0 3H6", "M3 0V6"),
      hatch("held", "held", "M0 0L6 6", "M6 0L0 6"),
      hatch("guard", "guard", "M0 0L6 6", "M0 3L3 6", "M3 0L6 3"),
    );

  // What happens, in words.
  const words = (told, { access, tags, bounds }) => {
    const { life, marks, block, refused } = told;
    const lines = [];
    const pointer = access?.block ?? block;
    const tag = pointer >= 0 ? life.blocks.tag[pointer] : -1;
    if (access && life.granule && tag >= 0) {
      const met = [];
      const first = Math.floor(access.low / life.granule);
      for (const [granule, one] of tags) if (granule >= first && granule * life.granule < access.high) met.push(one);
      const differs = met.some((one) => one !== tag);
      const memory = [...new Set(met.map((one) => one ?? "none"))].join(", ");
      const meets = differs ? ": they differ, the check fails." : ": they are equal, the check passes.";
      // An access is told by the block that it met; the pointer may be an older one's, of which only the fault tells.
      if (refused && !differs)
        lines.push(["Memory's tag ", make("b", {}, memory), ": the hardware refused the access."]);
      else lines.push(["Pointer's tag ", make("b", {}, tag), ", memory's tag ", make("b", {}, memory), meets]);
    } else if (tag >= 0) lines.push([`The pointer to ${m4.tell.name(pointer)} has tag `, make("b", {}, tag), "."]);
    if (bounds) {
      const range = `[${m4.address(life, bounds[0])}, ${m4.address(life, bounds[1])})`;
      const inside = access && access.low >= bounds[0] && access.high <= bounds[1];
      const passed = refused ? ": the access is inside, yet refused." : ": the access is inside.";
      const said = access ? (inside ? passed : ": the access is outside, the check fails.") : ".";
      lines.push(["Bounds of the pointer to ", m4.tell.name(pointer), " ", make("code", {}, range), said]);
    }
    for (const mark of marks) lines.push([m4.tell.mark_tag(mark), `: ${mark.reason || m4.tell.kind(mark).word}`]);
    return lines.map((line) => make("p", {}, line));
  };

  const legend = (kinds, life, access, bounds) => {
    const swatch = (kind, text) => {
      const image = draw(
        "svg",
        { width: 22, height: 14, "aria-hidden": "true" },
        draw("rect", { x: 1, y: 1, width: 20, height: 12, class: kind }),
      );
      return make("li", {}, image, text);
    };
    return make(
      "ul",
      { class: "key-of-bytes" },
      Object.entries(KINDS)
        .filter(([kind]) => kinds.has(kind))
        .map(([kind, text]) => swatch(`bytes-${kind}`, text)),
      access ? swatch("access", `${access.what === "load" ? "L load" : "S store"} of this event`) : null,
      bounds ? swatch("bounds-box", "bounds of the pointer") : null,
      make(
        "li",
        { class: "muted" },
        life.granule ? `a row is a granule of ${count(life.granule)} bytes` : "a row is 16 bytes",
      ),
    );
  };

  const section = (state, number) => {
    const told = subject(state, number);
    const { life, event, block } = told;
    const drawn = picture(told);
    const wrong = m4.tell.wrong(life, event);
    const about = life.events.block[event] ?? -1;
    const elsewhere = about >= 0 && block >= 0 && about !== block;
    return [
      state.lives.length > 1
        ? make("h3", {}, m4.tell.heading(life))
        : null,
      make("h2", {}, event < 0 ? "Before the first event" : `After ${m4.tell.at(event)}`),
      make(
        "p",
        { class: "condition" },
        event < 0 ? null : make("code", {}, m4.tell.event(life, event)),
        wrong ? make("b", { class: "bad" }, ` ✗ ${wrong}`) : null,
        elsewhere ? [" (elsewhere: ", m4.tell.block_link(number, about), ")"] : null,
      ),
      words(told, drawn),
      drawn.image ??
        make("p", { class: "muted" }, "This event is about no block. Step on, or click a block in the map."),
      drawn.image ? legend(drawn.kinds, life, drawn.access, drawn.bounds) : null,
    ];
  };

  const render = (element, state) =>
    m4.parts.fill(
      element,
      state.lives.map((_, number) => section(state, number)),
    );

  m4.panel.add({
    id: "moment",
    title: "Memory",
    render,
    wants: ["now", "selected", "lives"],
  });
})();
