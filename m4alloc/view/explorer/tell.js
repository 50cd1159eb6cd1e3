"use strict";
// Events and blocks in words, and links that go to them.
(() => {
  const m4 = (globalThis.m4 ??= {});

  // By the numbers of spec.event.Function.
  const NAMES = {
    1: "malloc",
    2: "calloc",
    3: "realloc",
    4: "reallocarray",
    5: "free",
    6: "aligned_alloc",
    7: "memalign",
    8: "posix_memalign",
    9: "valloc",
    10: "pvalloc",
    11: "malloc_usable_size",
    12: "free_sized",
    13: "free_aligned_sized",
    14: "new",
    15: "delete",
    32: "load",
    33: "store",
    34: "fill",
    40: "label",
  };
  const NEVER_RETURNED = 4;
  const FAILED = 256;

  const is_access = (life, event) => life.events.function[event] >= 32 && life.events.function[event] < 40;
  const is_free = (life, event) => [5, 12, 13, 15].includes(life.events.function[event]);

  const name = (block) => `#${block}`;

  const thread = (life, number) => (number < 0 ? "nobody" : (life.threads[number] ?? `thread ${number}`));

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
    const what = NAMES[events.function[number]] ?? `function ${events.function[number]}`;
    const block = events.block[number];
    const end =
      events.flags[number] & FAILED ? ": refused" : events.flags[number] & NEVER_RETURNED ? ": never returned" : "";
    const of = block >= 0 ? ` ${name(block)}` : "";
    if (what === "label") return `label ${brief(all_at(life, number).find((mark) => mark.kind === "label")?.name ?? "")}`;
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
  const each_live = (life, visit) => {
    const { born, died } = life.blocks;
    const event = last_event(life);
    const { early, from, to } = m4.heap.index(life).reach(event, event);
    for (const block of early) if (born[block] <= event && died[block] > event) visit(block);
    for (let block = from; block < to; block += 1) if (born[block] <= event && died[block] > event) visit(block);
  };

  // Goes to the moment right after an event of a life, and brings it into view, with the block that is selected by it.
  const go = (life, number, more = {}) => {
    const { lives } = m4.store.state;
    const place = life === lives[0] ? number + 1 : m4.map.event_of(m4.map.tick(number + 1, life), lives[0]);
    m4.store.set({ now: place, playing: false, ...more });
    m4.map.reveal(lives.indexOf(life), number, more.selected?.block ?? -1);
  };

  const event_link = (life, number, text = `call ${m4.parts.count(number)}`, more = {}) =>
    m4.parts.link(text, () => go(life, number, more), { title: event(life, number), "data-key": `e${number}${text}` });

  // How a finding of each kind is shown: never by its colour alone.
  const KINDS = {
    violation: { sign: "✗", word: "the allocator broke a rule", tone: "bad" },
    misuse: { sign: "✗", word: "the program misused the heap", tone: "bad" },
    fault: { sign: "■", word: "the hardware stopped it", tone: "good" },
    property: { sign: "✗", word: "a temporal property is violated", tone: "bad" },
    attack: { sign: "→", word: "step of the attack", tone: "muted" },
    missed: { sign: "!", word: "nothing stopped it", tone: "bad" },
    label: { sign: "·", word: "said by the program", tone: "muted" },
  };
  const kind = (mark) => KINDS[mark.kind] ?? KINDS.label;
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
    NAMES,
    brief,
    is_access,
    is_free,
    name,
    thread,
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
    mark_name,
    mark_tag,
    marks_at,
    select,
    block_link,
  };
})();
