"use strict";
// What the pointer is on, in words beside it.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});

  const { make, count } = m4.parts;
  const row = (name, text) => make("div", {}, make("span", {}, name), text);
  const heading = (text) => make("b", {}, text);

  // The lines about what map.under() found; empty when there is nothing to say.
  const lines = (under) => {
    const { pane, event, address, block, held, marks } = under;
    const { life } = pane;
    const { blocks, events } = life;
    const parts = [];
    for (const number of marks.slice(0, 3)) {
      const mark = life.marks[number];
      parts.push(heading(`${mark.kind}: ${m4.tell.brief(mark.name)}`));
      if (mark.reason) parts.push(mark.reason);
      parts.push(row("event", m4.tell.number(mark.event)));
    }
    if (marks.length > 3) {
      parts.push(`and ${marks.length - 3} more here; zoom in to tell them apart`);
    }
    if (marks.length) return parts;
    const whole = Math.floor(event);
    if (block >= 0) {
      const died = blocks.died[block];
      parts.push(heading(`block ${m4.tell.name(block)}${held ? ", freed and held back" : ""}`));
      parts.push(row("address", m4.address(life, blocks.base[block])));
      const { size, usable } = blocks;
      const spare = usable[block] > size[block] ? `, ${count(usable[block] - size[block])} more usable` : "";
      parts.push(row("requested", `${m4.colours.bytes(size[block])}${spare}`));
      parts.push(row("born", blocks.born[block] < 0 ? "before the record" : m4.tell.at(blocks.born[block])));
      parts.push(row("freed", died < events.function.length ? m4.tell.at(died) : "never"));
      parts.push(row("thread", m4.tell.thread(life, blocks.thread[block])));
      if (blocks.tag[block] >= 0) parts.push(row("tag", String(blocks.tag[block])));
      if (blocks.high[block] > blocks.low[block]) {
        const length = count(blocks.high[block] - blocks.low[block]);
        parts.push(row("bounds", `${m4.address(life, blocks.low[block])} + ${length}`));
      }
      if (held && m4.heap.index(life).stop[block] < events.function.length) {
        parts.push(row("until", m4.tell.at(m4.heap.index(life).stop[block])));
      }
    } else if (address !== null) {
      const guard = life.guards.find(
        (one) => one.base <= address && address < one.base + one.length && one.start <= event && event < one.stop,
      );
      parts.push(heading(guard ? "guard: nobody may touch it" : "no block here"));
      parts.push(row("address", m4.address(life, address)));
    } else parts.push(heading("addresses left out: no block here"));
    if (whole >= 0 && whole < events.function.length) {
      parts.push(row(m4.tell.at(whole), map.calls.words(life, whole)));
    }
    if (map.by_time()) parts.push(row("time", map.moment(event, life)));
    return parts;
  };

  const show = (under, x, y) => {
    const box = document.getElementById("hover");
    if (!under) {
      box.hidden = true;
      return;
    }
    box.replaceChildren(...lines(under));
    box.hidden = false;
    const frame = document.getElementById("map").getBoundingClientRect();
    const fits_right = x + 18 + box.offsetWidth < frame.width;
    const fits_below = y + 18 + box.offsetHeight < frame.height;
    box.style.left = `${fits_right ? x + 16 : Math.max(0, x - 14 - box.offsetWidth)}px`;
    box.style.top = `${fits_below ? y + 16 : Math.max(0, y - 14 - box.offsetHeight)}px`;
  };

  map.hover = { show, lines };
})();
