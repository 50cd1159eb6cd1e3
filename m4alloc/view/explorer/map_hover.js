"use strict";
// What the pointer is on, in words beside it.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const map = (m4.map ??= {});

  const row = (name, text) => {
    const line = document.createElement("div");
    const label = document.createElement("span");
    label.textContent = name;
    line.append(label, text);
    return line;
  };

  const heading = (text) => {
    const title = document.createElement("b");
    title.textContent = text;
    return title;
  };

  // The lines about what map.under() found; empty when there is nothing to say.
  const lines = (under) => {
    const { pane, event, address, block, held, marks } = under;
    const { life } = pane;
    const { blocks, events } = life;
    const parts = [];
    for (const number of marks.slice(0, 3)) {
      const mark = life.marks[number];
      parts.push(heading(`${mark.kind}: ${m4.tell.brief(mark.name)}`));
      if (mark.reason) parts.push(document.createTextNode(mark.reason));
      parts.push(row("call", m4.colours.number(mark.event)));
    }
    if (marks.length > 3) {
      parts.push(document.createTextNode(`and ${marks.length - 3} more here; zoom in to tell them apart`));
    }
    if (marks.length) return parts;
    const whole = Math.floor(event);
    if (block >= 0) {
      const died = blocks.died[block];
      parts.push(heading(`block ${block}${held ? ", freed and held back" : ""}`));
      parts.push(row("address", m4.address(life, blocks.base[block])));
      const { size, usable } = blocks;
      const { number } = m4.colours;
      const spare = usable[block] > size[block] ? `, ${number(usable[block] - size[block])} more usable` : "";
      parts.push(row("requested", `${m4.colours.bytes(size[block])}${spare}`));
      parts.push(row("born", blocks.born[block] < 0 ? "before the record" : `call ${number(blocks.born[block])}`));
      parts.push(row("freed", died < events.function.length ? `call ${number(died)}` : "never"));
      parts.push(row("thread", m4.colours.thread_name(life, blocks.thread[block])));
      if (blocks.tag[block] >= 0) parts.push(row("tag", String(blocks.tag[block])));
      if (blocks.high[block] > blocks.low[block]) {
        const length = number(blocks.high[block] - blocks.low[block]);
        parts.push(row("bounds", `${m4.address(life, blocks.low[block])} + ${length}`));
      }
      if (held && m4.heap.index(life).stop[block] < events.function.length) {
        parts.push(row("until", `call ${m4.colours.number(m4.heap.index(life).stop[block])}`));
      }
    } else if (address !== null) {
      const guard = life.guards.find(
        (one) => one.base <= address && address < one.base + one.length && one.start <= event && event < one.stop,
      );
      parts.push(heading(guard ? "guard: nobody may touch it" : "no block here"));
      parts.push(row("address", m4.address(life, address)));
    } else parts.push(heading("addresses left out: never used"));
    if (whole >= 0 && whole < events.function.length) {
      parts.push(row(`call ${m4.colours.number(whole)}`, map.calls.words(life, whole)));
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
