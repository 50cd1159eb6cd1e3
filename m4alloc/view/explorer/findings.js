"use strict";
// What was found, in order, each a click away; an attack as numbered steps that end in the verdict.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const { make, plural, count } = m4.parts;
  const SHOWN = 200; // Findings that are listed at once.

  // In an attack, what comes of a step stands below it, without a number of its own.
  const is_outcome = (life, index) =>
    index > 0 && life.marks[index].kind !== "attack" && life.marks[index - 1].event === life.marks[index].event;

  const item = (state, life_number, index, attack) => {
    const life = state.lives[life_number];
    const mark = life.marks[index];
    const kind = m4.tell.kind_in(life, mark);
    const current = state.finding === index && state.finding_life === life_number;
    const name = m4.tell.mark_name(mark);
    const outcome = attack && is_outcome(life, index);
    const where = mark.block >= 0 ? ["block ", m4.tell.block_link(life_number, mark.block), " · "] : [];
    const address = mark.length > 0 ? `${m4.address(life, mark.address)}, ${plural(mark.length, "byte")} · ` : "";
    const head = make(
      "button",
      {
        type: "button",
        class: "finding-head",
        "data-key": `f${index}`,
        "aria-current": current ? "true" : null,
        onclick: () => m4.keys.show_finding(life_number, index),
      },
      make("span", { class: `sign ${kind.tone}`, "aria-hidden": "true" }, kind.sign),
      make("b", {}, attack ? name.replace(/^step \d+: /, "") : name),
      make("span", { class: `kind ${kind.tone}` }, kind.word),
    );
    return make(
      "li",
      { class: `finding ${kind.tone}${current ? " here" : ""}${outcome ? " outcome" : ""}` },
      head,
      mark.reason ? make("p", {}, mark.reason) : null,
      mark.claim
        ? make("p", { class: "claim" }, mark.kind === "property" ? make("code", {}, mark.claim) : mark.claim)
        : null,
      make(
        "p",
        { class: "where" },
        where,
        address,
        m4.tell.event_link(life, mark.event),
        `: ${m4.tell.event(life, mark.event)}`,
      ),
    );
  };

  const verdict = (life) => {
    if (!life.sentence) return null;
    const found = life.marks.filter((mark) => mark.kind !== "label");
    const bad = m4.tell.is_bad(life);
    const sign = bad ? "✗ " : found.length ? "■ " : "✓ ";
    return make("p", { class: `verdict-line ${bad ? "bad" : "good"}` }, make("b", {}, sign), life.sentence);
  };

  // The findings of a life: those around the one that is looked at, if there are very many.
  const list = (state, life_number) => {
    const life = state.lives[life_number];
    const indices = life.marks.map((_, index) => index).filter((index) => life.marks[index].kind !== "label");
    const labels = life.marks.map((_, index) => index).filter((index) => life.marks[index].kind === "label");
    const attack = m4.tell.is_attack(life);
    const here = state.finding_life === life_number ? Math.max(0, indices.indexOf(state.finding)) : 0;
    const from = Math.max(0, Math.min(indices.length - SHOWN, here - SHOWN / 2));
    const shown = indices.slice(from, from + SHOWN);
    const more =
      indices.length > shown.length
        ? make(
            "p",
            { class: "muted" },
            `${count(from + 1)} to ${count(from + shown.length)} of ${count(indices.length)}; n and p go on`,
          )
        : null;
    const said = (index) => {
      const { event, name } = life.marks[index];
      const link = m4.tell.event_link(life, event, m4.tell.number(event));
      return make("li", {}, link, make("span", {}, m4.tell.brief(name)));
    };
    return make(
      "section",
      {},
      state.lives.length > 1 ? make("h2", {}, m4.tell.heading(life)) : null,
      attack
        ? make("h3", {}, `The attack, in ${plural(indices.filter((index) => !is_outcome(life, index)).length, "step")}`)
        : null,
      attack ? null : verdict(life),
      more,
      shown.length
        ? make(
            "ol",
            { class: `findings${attack ? " steps-of-attack" : ""}`, start: from + 1 },
            shown.map((index) => item(state, life_number, index, attack)),
          )
        : null,
      attack ? verdict(life) : null,
      indices.length ? null : make("p", { class: "muted" }, "Nothing was found to be wrong."),
      labels.length ? make("h3", {}, plural(labels.length, "label")) : null,
      labels.length ? make("ol", { class: "events" }, labels.slice(0, SHOWN).map(said)) : null,
    );
  };

  // The properties that are watched, and the states at `now` of those of the whole run; a block's are in its story.
  const properties = (life) => {
    const now = m4.tell.last_event(life);
    const one = (property) => {
      const own = property.changes.filter((change) => change[1] < 0);
      const at =
        m4.heap.first_after(
          own.map((change) => change[0]),
          now,
        ) - 1;
      return make(
        "div",
        { class: "property" },
        make("b", {}, m4.tell.mark_name(property)),
        at >= 0 ? `: ${property.states[own[at][2]]}` : null,
        make("code", {}, property.formula),
        property.claim ? make("p", {}, property.claim) : null,
      );
    };
    const each = [...new Set(life.properties.map((property) => property.index))].filter((index) => index !== "global");
    const note = each.length ? `, for each ${each.join(" or ")}: the state of one is in its block's story` : "";
    return life.properties.length ? [make("h3", {}, `Properties watched${note}`), life.properties.map(one)] : [];
  };

  const render = (element, state) => {
    const lives = state.lives.map((_, index) => list(state, index));
    m4.parts.fill(element, lives, state.lives.slice(0, 1).map(properties));
  };

  const any = (state) => state.lives.some((life) => life.marks.length || life.sentence || life.properties.length);
  m4.panel.add({
    id: "findings",
    title: "Findings",
    render,
    wants: ["finding", "finding_life", "now", "lives"],
    when: any,
  });
})();
