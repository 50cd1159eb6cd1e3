"use strict";
// What encode.py packed into the page; decode.py says the same, to be read. An address is a number from the life's
// address_base on, because an address itself may have more bits than a number of this language holds exactly.
(() => {
  const m4 = (globalThis.m4 ??= {});

  const VERSION = 1;
  const ALLOCATES = new Set([1, 2, 6, 7, 8, 9, 10, 14]);
  const RESIZES = new Set([3, 4]);
  const FREES = new Set([5, 12, 13, 15]);
  const CAUGHT = 2;
  const FAILED = 256;

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
    const packed = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function read(bytes) {
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
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

  // Integers may have more than 32 bits, so the high part is added, not or-ed, and halved, not shifted.
  function unpack(entry, bytes) {
    const values = new Float64Array(entry.count);
    if ("same" in entry) return values.fill(entry.same);
    let place = 0;
    let before = 0;
    for (let index = 0; index < entry.count; index++) {
      let byte = bytes[place++];
      let value = byte & 127;
      let scale = 128;
      while (byte > 127) {
        byte = bytes[place++];
        value += (byte & 127) * scale;
        scale *= 128;
      }
      value = value % 2 ? -(value + 1) / 2 : value / 2;
      values[index] = before = entry.delta ? before + value : value;
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
      offset: streams.offset,
      time_ns: streams.time.map((value) => value * streams.unit[0]),
      flags: Uint16Array.from(streams.flags),
    };
    const fresh = new Uint8Array(count);
    let born = 0;
    for (let event = 0; event < count; event++) {
      const asks = ALLOCATES.has(found.function[event]) || RESIZES.has(found.function[event]);
      fresh[event] = asks && !(found.flags[event] & FAILED) ? 1 : 0;
    }
    for (const event of streams["new?"]) fresh[event] ^= 1;
    for (const one of fresh) born += one;
    const origin = new Int32Array(head.blocks).fill(-1);
    let known = head.blocks - born;
    let ages = 0;
    let origins = 0;
    let news = 0;
    let others = 0;
    let age = 0;
    let originAge = 0;
    for (let event = 0; event < count; event++) {
      if (fresh[event]) {
        if (RESIZES.has(found.function[event])) {
          const told = streams.origin[origins++];
          if (told) origin[known] = known - (originAge += step(told));
        }
        found.block[event] = known++;
        found.size[event] = streams["size of new"][news++];
      } else {
        const told = streams.age[ages++];
        if (told) found.block[event] = known - (age += step(told));
        found.size[event] = streams.size[others++];
      }
    }
    streams.fresh_events = fresh;
    streams.origins = origin;
    return found;
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
    const usable = new Float64Array(total);
    const last = new Map();
    for (let block = 0; block < total; block++) {
      usable[block] = (last.get(size[block]) ?? size[block]) + streams.usable[block];
      last.set(size[block], usable[block]);
    }

    const died = new Int32Array(total).fill(head.events);
    for (let event = head.events - 1; event >= 0; event--) {
      const block = events.block[event];
      if (block >= 0 && FREES.has(events.function[event]) && !(events.flags[event] & CAUGHT)) died[block] = event;
    }
    for (let heir = 0; heir < total; heir++) if (origin[heir] >= 0) died[origin[heir]] = born[heir];
    correct(died, "died", streams);
    const thread = Int16Array.from(born, (event) => events.thread[event] ?? -1);
    correct(thread, "thread", streams);
    const freer = Int16Array.from(died, (event) => events.thread[event] ?? -1);
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

  // Where each block lies: a fresh address of its size class, its origin's, or one that a block of its class gave up.
  function bases(streams, usable, born, died, origin) {
    const total = usable.length;
    const base = new Float64Array(total);
    let end = 0;
    for (const event of died) end = Math.max(end, event);
    const order = inOrder(died, end);
    const stacks = new Map();
    const last = new Map();
    const stayed = new Uint8Array(total);
    let gone = 0;
    let fresh = 0;
    for (let block = 0; block < total; block++) {
      for (; gone < order.length && died[order[gone]] < born[block]; gone++) {
        const grave = order[gone];
        if (stayed[grave]) continue;
        const stack = stacks.get(usable[grave]);
        if (stack) stack.push(base[grave]);
        else stacks.set(usable[grave], [base[grave]]);
      }
      const rank = streams.rank[block];
      const size = usable[block];
      if (rank === 0) {
        base[block] = (last.get(size) ?? 0) + streams.fresh[fresh++];
        last.set(size, base[block]);
      } else if (rank === 1) {
        stayed[origin[block]] = 1;
        base[block] = base[origin[block]];
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
