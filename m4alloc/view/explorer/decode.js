"use strict";
// What encode.py packed into the page; decode.py says the same, to be read. An address is a number from the life's
// address_base on, because an address itself may have more bits than a number of this language holds exactly.
(() => {
  const m4 = (globalThis.m4 ??= {});

  const VERSION = 3;
  // What the functions of spec.event do, by their numbers: a table is several times as fast as a set.
  const [ALLOCATES, RESIZES, FREES, ACCESSES] = [1, 2, 4, 8];
  const DOES = new Uint8Array(256);
  for (const one of [1, 2, 6, 7, 8, 9, 10, 14]) DOES[one] = ALLOCATES;
  for (const one of [3, 4]) DOES[one] = RESIZES;
  for (const one of [5, 12, 13, 15]) DOES[one] = FREES;
  for (const one of [32, 33, 34]) DOES[one] = ACCESSES;
  // Flags of an event: the misuse was caught, the call never came back, it handed out nothing.
  const [CAUGHT, NEVER_RETURNED, FAILED] = [2, 4, 256];
  m4.codes = { DOES, ALLOCATES, RESIZES, FREES, ACCESSES, CAUGHT, NEVER_RETURNED, FAILED };

  // The heaps of the page, in order. Rejects with an Error whose message can be shown to the reader.
  m4.decode = async (document) => {
    const lives = [];
    for (let index = 0; ; index++) {
      const element = document.getElementById(`heap-${index}`);
      if (!element) return lives;
      lives.push(read(await inflate(element.textContent)));
    }
  };

  // An address of the life as it was in the program: "0x7f0012345680".
  m4.address = (life, value) => `0x${(life.address_base + BigInt(Math.round(value))).toString(16)}`;

  async function inflate(text) {
    if (typeof DecompressionStream === "undefined") {
      throw new Error(
        "This browser cannot unpack the heap: it has no DecompressionStream. " +
          "Firefox 113, Chromium 103 and Safari 16.4, and later ones, have it.",
      );
    }
    const stream = new Blob([bare(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Two characters are 13 bits, and one that is left over is six. encode_text.py writes them.
  function bare(text) {
    const digits = new Uint8Array(128);
    for (let code = 33, digit = 0; code < 127; code++) {
      if (!'"&<'.includes(String.fromCharCode(code))) digits[code] = digit++;
    }
    const odd = text.length % 2;
    const bytes = new Uint8Array(Math.floor((((text.length - odd) / 2) * 13 + odd * 6) / 8));
    let word = 0;
    let bits = 0;
    for (let from = 0, to = 0; from < text.length; from += 2) {
      if (from + 1 < text.length) {
        word = (word << 13) | (digits[text.charCodeAt(from)] * 91 + digits[text.charCodeAt(from + 1)]);
        bits += 13;
      } else {
        word = (word << 6) | digits[text.charCodeAt(from)];
        bits += 6;
      }
      for (; bits >= 8; bits -= 8) bytes[to++] = word >> (bits - 8);
      word &= 127; // fewer than eight bits are left
    }
    return bytes;
  }

  function read(bytes) {
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)), told);
    if (head.version !== VERSION) {
      throw new Error(`The heap in this page has format ${head.version}; the page's script reads ${VERSION}.`);
    }
    const streams = {};
    let place = 4 + length;
    for (const entry of head.streams) {
      streams[entry.name] = unpack(entry, bytes.subarray(place, place + (entry.bytes ?? 0)));
      place += entry.bytes ?? 0;
    }
    const life = head.life;
    life.address_base = BigInt(life.address_base);
    life.events = events(streams, head);
    life.blocks = blocks(streams, head, life.events);
    for (const curve of life.curves) {
      curve.at = Float64Array.from(curve.at);
      curve.values = Float64Array.from(curve.values);
    }
    return life;
  }

  // Signs that turn the direction of a text round would turn what stands beside it, too: they are shown instead.
  function told(_, value) {
    if (typeof value !== "string") return value;
    const sign = (one) => `[U+${one.charCodeAt(0).toString(16).toUpperCase()}]`;
    return value.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, sign);
  }

  // Integers may have more than 32 bits, so the high part is added, not or-ed, and halved, not shifted. The sign is the
  // lowest bit, and is taken off first: what is added would round it away, and two to the power of 53 is told exactly.
  function unpack(entry, bytes) {
    const { count, delta, signed, planes } = entry;
    const values = new Float64Array(count);
    if ("same" in entry) return values.fill(entry.same);
    if ("table" in entry) {
      const { table } = entry;
      const each = table.length <= 2 ? 1 : table.length <= 4 ? 2 : 4; // bits
      const mask = (1 << each) - 1;
      for (let index = 0; index < count; index++) {
        const bit = index * each;
        values[index] = table[(bytes[bit >> 3] >> (bit & 7)) & mask];
      }
      return values;
    }
    let place = 0;
    let before = 0;
    for (let index = 0; index < count; index++) {
      const negative = signed ? bytes[planes ? index : place] & 1 : 0;
      let value = 0 - negative;
      let scale = 1;
      if (planes) {
        for (let plane = 0; plane < planes; plane++, scale *= 256) value += bytes[plane * count + index] * scale;
      } else {
        let byte;
        do {
          byte = bytes[place++];
          value += (byte & 127) * scale;
          scale *= 128;
        } while (byte > 127);
      }
      if (signed) value = negative ? -value / 2 - 1 : value / 2;
      values[index] = before = delta ? before + value : value;
    }
    return values;
  }

  function events(streams, head) {
    const count = head.events;
    const found = {
      length: count,
      function: Uint8Array.from(streams.function),
      thread: Uint16Array.from(streams.thread),
      block: new Int32Array(count).fill(-1),
      size: new Float64Array(count),
      offset: new Float64Array(count),
      time_ns: streams.time.map((value) => value * streams.unit[0]),
      flags: Uint16Array.from(streams.flags),
    };
    const fresh = new Uint8Array(count);
    let born = 0;
    for (let event = 0; event < count; event++) {
      const asks = DOES[found.function[event]] & (ALLOCATES | RESIZES);
      fresh[event] = asks && !(found.flags[event] & FAILED) ? 1 : 0;
    }
    for (const event of streams["new?"]) fresh[event] ^= 1;
    for (const one of fresh) born += one;
    const origin = new Int32Array(head.blocks).fill(-1);
    let known = head.blocks - born;
    let origins = 0;
    let news = 0;
    let dead = 0;
    let originAge = 0;
    const calls = { at: 0, ranks: streams.rank, sizes: streams.size };
    const accesses = { at: 0, ranks: streams["rank of accessed"], sizes: streams["size of access"] };
    const live = ranked(head.blocks);
    const { block: blocks, size, flags } = found;
    const { origin: told_origins, "size of new": told_sizes, "age of dead": told_ages } = streams;
    for (let block = 0; block < known; block++) live.add(block);
    for (let event = 0; event < count; event++) {
      const does = DOES[found.function[event]];
      if (fresh[event]) {
        if (does === RESIZES) {
          const told = told_origins[origins++];
          if (told) live.remove((origin[known] = known - (originAge += step(told))));
        }
        live.add(known);
        blocks[event] = known++;
        size[event] = told_sizes[news++];
      } else {
        const from = does === ACCESSES ? accesses : calls;
        const rank = from.ranks[from.at];
        size[event] = from.sizes[from.at++];
        if (rank === 1) blocks[event] = known - told_ages[dead++];
        else if (rank > 1) blocks[event] = live.at(rank - 2);
        if (rank && does === FREES && !(flags[event] & CAUGHT)) live.remove(blocks[event]);
      }
    }
    streams.fresh_events = fresh;
    streams.origins = origin;
    return found;
  }

  // The blocks that live, by rank: 0 is the youngest. Counts of 64, of 64 times 64 and so on lead to any of them.
  function ranked(total) {
    const levels = [new Uint8Array(total + 64)];
    while (levels.at(-1).length > 64) levels.push(new Int32Array(Math.ceil(levels.at(-1).length / 64)));
    const [flags] = levels;
    let last = -1;
    const change = (block, by) => {
      for (let level = 0, at = block; level < levels.length; level++, at >>= 6) levels[level][at] += by;
    };
    return {
      add: (block) => change((last = block), 1),
      remove: (block) => flags[block] && change(block, -1),
      at: (rank) => {
        // Most are among the last few that were handed out.
        for (let block = last, left = rank; block >= 0 && block > last - 24; block--) {
          if (flags[block] && left-- === 0) return block;
        }
        let place = 0;
        for (let level = levels.length - 1; level >= 0; level--) {
          const counts = levels[level];
          place = Math.min(counts.length - 1, place * 64 + 63);
          for (; counts[place] <= rank; place--) rank -= counts[place];
        }
        return place;
      },
    };
  }

  // A difference of ages, from one more than its zigzag number.
  function step(told) {
    return told % 2 ? (told - 1) / 2 : -told / 2;
  }

  function blocks(streams, head, events) {
    const total = head.blocks;
    const origin = streams.origins;
    const born = new Int32Array(total).fill(-1);
    let known = total;
    for (let event = head.events - 1; event >= 0; event--) if (streams.fresh_events[event]) born[--known] = event;

    const size = new Float64Array(total);
    for (let block = 0; block < total; block++) {
      size[block] = block < known ? streams["size there"][block] : events.size[born[block]];
    }
    streams["size at"].forEach((at, index) => (size[known + at] += streams["size off"][index]));
    offsets(streams, events, size);
    const usable = new Float64Array(total);
    const last = new Map();
    for (let block = 0; block < total; block++) {
      usable[block] = (last.get(size[block]) ?? size[block]) + streams.usable[block];
      last.set(size[block], usable[block]);
    }

    const died = new Int32Array(total).fill(head.events);
    for (let event = head.events - 1; event >= 0; event--) {
      const block = events.block[event];
      if (block >= 0 && DOES[events.function[event]] === FREES && !(events.flags[event] & CAUGHT)) died[block] = event;
    }
    for (let heir = 0; heir < total; heir++) if (origin[heir] >= 0) died[origin[heir]] = born[heir];
    correct(died, "died", streams);
    const thread = Int32Array.from(born, (event) => events.thread[event] ?? -1);
    correct(thread, "thread", streams);
    const freer = Int32Array.from(died, (event) => events.thread[event] ?? -1);
    correct(freer, "freer", streams);
    const reusable = reuse(usable, died, freer, head);
    correct(reusable, "reusable", streams);

    const base = bases(streams, usable, born, died, origin);
    const low = new Float64Array(total);
    const high = new Float64Array(total);
    if (streams.bounds[0]) {
      let next = 0;
      for (let block = 0; block < total; block++) {
        if (!streams["bound?"][block]) continue;
        low[block] = base[block] + streams.low[next];
        high[block] = base[block] + usable[block] + streams.high[next++];
      }
    }
    const tag = Int8Array.from(streams.tag);
    return { length: total, base, size, usable, born, died, reusable, thread, freer, origin, tag, low, high };
  }

  // Those of accesses stand by the size of their block, those of no block first.
  function offsets(streams, events, size) {
    const counts = new Map();
    const reached = (visit) => {
      for (let event = 0; event < events.length; event++) {
        if (DOES[events.function[event]] !== ACCESSES || streams.fresh_events[event]) continue;
        visit(event, events.block[event] < 0 ? -1 : size[events.block[event]]);
      }
    };
    reached((_, length) => counts.set(length, (counts.get(length) ?? 0) + 1));
    let start = 0;
    for (const length of [...counts.keys()].sort((one, other) => one - other)) {
      start += counts.get(length);
      counts.set(length, start - counts.get(length)); // from now on the place of the next
    }
    reached((event, length) => {
      const at = counts.get(length);
      counts.set(length, at + 1);
      events.offset[event] = streams.offset[at];
    });
    correct(events.offset, "offset", streams);
  }

  // From which event on a block's bytes may be handed out again: when as many of its size class died after it.
  function reuse(usable, died, freer, head) {
    const { quarantine, quarantine_limit: limit } = head.life;
    const found = Int32Array.from(died);
    if (!quarantine) return found;
    const waiting = new Map();
    for (const block of inOrder(died, head.events)) {
      if (freer[block] < 0 || usable[block] > limit) continue;
      let queue = waiting.get(usable[block]);
      if (!queue) waiting.set(usable[block], (queue = { first: 0, blocks: [] }));
      queue.blocks.push(block);
      found[block] = head.events;
      if (queue.blocks.length - queue.first > quarantine) found[queue.blocks[queue.first++]] = died[block];
    }
    return found;
  }

  // What was guessed wrong is told: where, and by how much.
  function correct(values, name, streams) {
    streams[`${name} at`].forEach((at, index) => (values[at] += streams[`${name} off`][index]));
  }

  // Where each block lies: a fresh address of its size class, its origin's, or one that a block of its class gave up,
  // lately or long ago.
  const AGAIN = 50;

  function bases(streams, usable, born, died, origin) {
    const total = usable.length;
    const base = new Float64Array(total);
    let end = 0;
    for (const event of died) end = Math.max(end, event);
    const order = inOrder(died, end);
    const stacks = new Map();
    const last = new Map();
    const stayed = new Uint8Array(total);
    const known = new Map(); // of each size class the fresh addresses, in order
    let gone = 0;
    let fresh = 0;
    let again = 0;
    for (let block = 0; block < total; block++) {
      for (; gone < order.length && died[order[gone]] < born[block]; gone++) {
        const grave = order[gone];
        if (stayed[grave]) continue;
        const stack = stacks.get(usable[grave]);
        if (stack) stack.push(base[grave]);
        else stacks.set(usable[grave], [base[grave]]);
      }
      const rank = streams.place[block];
      const size = usable[block];
      if (rank === 0) {
        base[block] = (last.get(size) ?? 0) + streams.fresh[fresh++];
        last.set(size, base[block]);
        if (known.has(size)) known.get(size).push(base[block]);
        else known.set(size, [base[block]]);
      } else if (rank === 1) {
        stayed[origin[block]] = 1;
        base[block] = base[origin[block]];
      } else if (rank === AGAIN) {
        base[block] = known.get(size)[streams.again[again++]];
      } else {
        const stack = stacks.get(size);
        const place = stack.length + 1 - rank;
        base[block] = stack[place];
        stack.splice(place, 1);
      }
    }
    return base;
  }

  // The blocks that died before event `end`, in order of their deaths, those of one event by number.
  function inOrder(died, end) {
    const starts = new Int32Array(end + 1);
    for (const event of died) if (event < end) starts[event + 1]++;
    for (let event = 0; event < end; event++) starts[event + 1] += starts[event];
    const order = new Int32Array(starts[end]);
    died.forEach((event, block) => {
      if (event < end) order[starts[event]++] = block;
    });
    return order;
  }
})();
