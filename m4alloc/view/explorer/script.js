"use strict";
// The script with the line of `now` marked, or the calls around `now` where there is no script.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const { make, count } = m4.parts;
  const AROUND = { script: 120, calls: 40, two: 9 }; // Lines above and below the current one that are shown.

  // Of each line the events that stand in it.
  const events_by_line = new WeakMap();
  const by_line = (life) => {
    if (!events_by_line.has(life)) {
      const found = new Map();
      life.script_lines.forEach((line, event) => {
        if (!found.has(line)) found.set(line, event);
      });
      events_by_line.set(life, found);
    }
    return events_by_line.get(life);
  };

  // One line: number, text, what is wrong there, and whether it is the current one.
  const line = (life, number, text, event, current, kind) => {
    const wrong = event === undefined ? [] : m4.tell.marks_at(life, event);
    const go = () => m4.tell.go(life, event);
    const label =
      event === undefined
        ? make("span", { class: "no" }, count(number))
        : m4.parts.link(count(number), go, { class: "go no", "data-key": `l${number}` });
    return make(
      "li",
      {
        class: `${kind}${current ? " here" : ""}${event === undefined ? " silent" : ""}`,
        "aria-current": current ? "step" : null,
        onclick: event === undefined ? null : go,
      },
      label,
      make("code", {}, text || " "),
      wrong.length ? make("span", { class: "wrong" }, wrong.map(m4.tell.mark_tag)) : null,
    );
  };

  const script = (life, now, around) => {
    const here = life.script_lines[now] ?? -1;
    const first = Math.max(1, here - around);
    const last = Math.min(life.script.length, Math.max(here, 1) + around);
    const lines = [];
    for (let number = first; number <= last; number += 1) {
      lines.push(line(life, number, life.script[number - 1], by_line(life).get(number), number === here, "line"));
    }
    return lines;
  };

  const calls = (life, now, around) => {
    const here = Math.max(0, now);
    const first = Math.max(0, here - around);
    const last = Math.min(life.events.function.length - 1, first + 2 * around);
    const lines = [];
    for (let event = first; event <= last; event += 1) {
      const thread = life.threads.length > 1 ? `${m4.tell.thread(life, life.events.thread[event])}: ` : "";
      lines.push(line(life, event + 1, thread + m4.tell.event(life, event), event, event === now, "call"));
    }
    return lines;
  };

  const render = (element, state) => {
    const two = state.lives.length > 1;
    const parts = state.lives.flatMap((life) => {
      const now = m4.tell.last_event(life);
      const [lines, around] = life.script.length ? [script, AROUND.script] : [calls, AROUND.calls];
      return [
        two ? make("h3", {}, m4.tell.heading(life)) : null,
        make("ol", { class: "listing" }, lines(life, now, two ? AROUND.two : around)),
      ];
    });
    m4.parts.fill(element, parts);
    // The current line stays in the middle, but for what a pointer is over.
    const here = element.querySelector(".here");
    if (here && !element.matches(":hover")) {
      const box = element.getBoundingClientRect();
      const at = here.getBoundingClientRect();
      if (at.top < box.top + 20 || at.bottom > box.bottom - 20) element.scrollTop += at.top - box.top - box.height / 2;
    }
  };

  m4.panel.add({ id: "script", title: "Events", render, wants: ["now", "lives"] });
})();
