"use strict";
// Events and blocks in words, and links that go to them.
(() => {
  const m4 = (globalThis.m4 ??= {});

  const { DOES, ACCESSES, FREES, NEVER_RETURNED, FAILED } = m4.codes;

  // By the numbers of spec.event.Function: the name, and the letter where there is no room for it.
  const FUNCTIONS = {
    1: ["malloc", "m"],
    2: ["calloc", "c"],
    3: ["realloc", "r"],
    4: ["reallocarray", "r"],
    5: ["free", "f"],
    6: ["aligned_alloc", "a"],
    7: ["memalign", "a"],
    8: ["posix_memalign", "a"],
    9: ["valloc", "a"],
    10: ["pvalloc", "a"],
    11: ["malloc_usable_size", "u"],
    12: ["free_sized", "f"],
    13: ["free_aligned_sized", "f"],
    14: ["new", "n"],
    15: ["delete", "d"],
    32: ["load", "L"],
    33: ["store", "S"],
    34: ["fill", "F"],
    40: ["label", "#"],
  };
  const asked = ({ events }, event) => FUNCTIONS[events.function[event]] ?? [`function ${events.function[event]}`, "?"];
  const called = (life, event) => asked(life, event)[0];
  const letter = (life, event) => asked(life, event)[1];

  const is_access = (life, event) => DOES[life.events.function[event]] === ACCESSES;
  const is_free = (life, event) => DOES[life.events.function[event]] === FREES;

  // An event or a block is a place from 0 in the columns; people count both from 1, as `m4alloc check` does.
  const number = (event) => m4.parts.count(event + 1);
  const at = (event) => `event ${number(event)}`;
  const name = (block) => `#${block + 1}`;

  const thread = (life, number) => (number < 0 ? "nobody" : life.threads[number] || `thread ${number}`);

  // What a life is called beside others: what tells it from them, and the rest.
  const names = (life) => {
    const { lives } = m4.store.state;
    const apart = (key) => lives.some((one) => one[key] !== life[key]);
    const parts = [
      [apart("allocator"), life.allocator],
      [apart("protection"), life.protection === "none" ? apart("protection") && "no protection" : life.protection],
      [apart("title"), life.title],
    ].filter(([, text]) => text);
    const of = (wanted) => parts.filter(([own]) => own === wanted).map(([, text]) => text).join(" \u00b7 ");
    return of(true) ? [of(true), of(false)] : [life.title, ""];
  };
  // The same in a heading: "B mte-scudo".
  const heading = (life) => `${m4.map.letter(m4.store.state.lives.indexOf(life))} ${names(life)[0]}`;

  // "bytes 24 to 31", or "byte 24".
  const bytes = (offset, length) => (length <= 1 ? `byte ${offset}` : `bytes ${offset} to ${offset + length - 1}`);

  // What is wrong with an access, in words; "" for nothing. `event` need not be one.
  const wrong = (life, event) => {
    const { events, blocks } = life;
    const block = events.block[event];
    if (!is_access(life, event) || block < 0) return "";
    const [offset, size] = [events.offset[event], events.size[event]];
    if (event > blocks.died[block]) return "after it was freed";
    if (offset < 0) return `${m4.parts.plural(-offset, "byte")} before it`;
    if (offset + size <= blocks.size[block]) return "";
    const past = offset + size - blocks.size[block];
    return offset + size <= blocks.usable[block]
      ? `${m4.parts.plural(past, "byte")} into its slack`
      : `${m4.parts.plural(past, "byte")} past its end`;
  };

  // A text that may be of any length, as far as one wants to read it.
  const MOST = 200;
  const brief = (text) =>
    text.length > MOST ? `${text.slice(0, MOST)}… (${m4.parts.plural(text.length, "character")})` : text;

  // An event in a line: "store 8 B at byte 24 of #3".
  const event = (life, number) => {
    const { events, blocks } = life;
    const what = called(life, number);
    const block = events.block[number];
    const end =
      events.flags[number] & FAILED ? ": refused" : events.flags[number] & NEVER_RETURNED ? ": never returned" : "";
    const of = block >= 0 ? ` ${name(block)}` : "";
    if (what === "label") {
      return `label ${brief(all_at(life, number).find((mark) => mark.kind === "label")?.name ?? "")}`;
    }
    if (is_access(life, number)) {
      const where = block >= 0 ? ` ${bytes(events.offset[number], events.size[number])} of${of}` : "";
      return `${what}${where}${end}`;
    }
    if (is_free(life, number) || what === "malloc_usable_size") return `${what}${of}${end}`;
    const from =
      block >= 0 && blocks.origin[block] >= 0 && blocks.born[block] === number ? ` ${name(blocks.origin[block])}` : "";
    const result = block >= 0 && blocks.born[block] === number ? ` → ${name(block)}` : of;
    return `${what}${from} ${m4.colours.bytes(events.size[number])}${result}${end}`;
  };

  // How long after the first event, in words; "" where nobody looked at a clock.
  const when = (life, number) => {
    const { time_ns } = life.events;
    return m4.map.times(life) ? m4.map.duration(time_ns[number] - time_ns[0]) : "";
  };

  // The moment `now` in the events of a life: they are those of the first life, or at the same time.
  const moment_in = (life) => {
    const { lives, now } = m4.store.state;
    return life === lives[0] ? now : m4.map.event_of(m4.map.tick(now, lives[0]), life);
  };

  // The last event of a life that has happened at `now`; -1 before the first. What is told of `now` is told after it.
  const last_event = (life) => m4.map.last_event(m4.store.state.lives.indexOf(life));

  // Shows `visit` each block that lives at `now`, without making a list of what may be very many.
  const each_live = (life, visit) => m4.heap.index(life).each_live(last_event(life), visit);

  // Goes to the moment right after an event of a life, and brings it into view, with the block that is selected by it.
  const go = (life, number, more = {}) => {
    const { lives } = m4.store.state;
    const place = life === lives[0] ? number + 1 : m4.map.event_of(m4.map.tick(number + 1, life), lives[0]);
    m4.store.set({ now: place, playing: false, ...more });
    m4.map.reveal(lives.indexOf(life), number, more.selected?.block ?? -1);
  };

  const event_link = (life, number, text = at(number), more = {}) =>
    m4.parts.link(text, () => go(life, number, more), { title: event(life, number), "data-key": `e${number}${text}` });

  // How a finding of each kind is shown, gravest first: the table of kinds.py.
  const KINDS = JSON.parse(document.getElementById("kinds").textContent);
  const kind = (mark) => KINDS[mark.kind] ?? KINDS.label;
  // Whether something went wrong: not what an attacker does, nor what a program says.
  const is_wrong = (mark) => !["label", "attack"].includes(mark.kind);
  const is_attack = (life) => life.marks.some((mark) => mark.kind === "attack" || mark.kind === "missed");
  // As `kind`; what the allocator refuses in an attack is no fault of a program's, but stops it.
  const STOPPED = { ...KINDS.misuse, tone: "good", sign: KINDS.fault.sign, word: "the allocator stopped it" };
  const kind_in = (life, mark) => (mark.kind === "misuse" && is_attack(life) ? STOPPED : kind(mark));
  // Whether a life ends badly: an attack that was stopped, and an access that was refused, do not.
  const is_bad = (life) => {
    const attack = is_attack(life);
    return life.marks.some((mark) => kind(mark).tone === "bad" && !(attack && mark.kind === "misuse"));
  };
  const mark_name = (mark) => mark.name.replaceAll("_", " ");
  const mark_tag = (mark) => m4.parts.make("b", { class: kind(mark).tone }, `${kind(mark).sign} ${mark_name(mark)}`);

  // The marks of each event.
  const marks = new WeakMap();
  const all_at = (life, number) => {
    if (!marks.has(life)) {
      const found = new Map();
      for (const mark of life.marks) {
        if (!found.has(mark.event)) found.set(mark.event, []);
        found.get(mark.event).push(mark);
      }
      marks.set(life, found);
    }
    return marks.get(life).get(number) ?? [];
  };

  // What was found at an event; labels are no findings.
  const marks_at = (life, number) => all_at(life, number).filter((mark) => mark.kind !== "label");

  // Selects a block, and goes to its birth when it does not live at `now`.
  const select = (life_number, block) => {
    const life = m4.store.state.lives[life_number];
    const event = last_event(life);
    const alive = life.blocks.born[block] <= event && event < life.blocks.died[block];
    go(life, alive ? event : Math.max(0, life.blocks.born[block]), { selected: { life: life_number, block } });
  };

  const block_link = (life_number, block) => {
    const life = m4.store.state.lives[life_number];
    const title = `${m4.colours.bytes(life.blocks.size[block])} at ${m4.address(life, life.blocks.base[block])}`;
    return m4.parts.link(name(block), () => select(life_number, block), { title, "data-key": `b${block}` });
  };

  m4.tell = {
    KINDS,
    called,
    letter,
    brief,
    is_access,
    is_free,
    name,
    thread,
    names,
    heading,
    number,
    at,
    bytes,
    wrong,
    event,
    when,
    moment_in,
    last_event,
    each_live,
    go,
    event_link,
    kind,
    is_wrong,
    is_attack,
    is_bad,
    kind_in,
    mark_name,
    mark_tag,
    marks_at,
    select,
    block_link,
  };
})();
