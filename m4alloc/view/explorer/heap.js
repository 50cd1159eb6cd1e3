"use strict";
// Questions about a life answered fast: what lived at an event, what lay at an address, which events are a block's.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const indices = new WeakMap();

  // The index of a life, built once (about a second for a million blocks).
  const index = (life) => {
    if (!indices.has(life)) indices.set(life, build(life));
    return indices.get(life);
  };

  const build = (life) => {
    const { blocks, events } = life;
    const count = blocks.base.length;
    const length = events.function.length;
    const axis = address_axis(life);
    const low = new Float64Array(count);
    const high = new Float64Array(count);
    const stop = new Int32Array(count);
    for (let block = 0; block < count; block++) {
      low[block] = axis.place(blocks.base[block]);
      high[block] = axis.end(blocks.base[block], Math.max(1, blocks.usable[block]));
      stop[block] = Math.max(blocks.died[block], blocks.reusable[block]);
    }
    const present = checkpoints(blocks.born, stop, length);
    const queries = {
      axis,
      low, // a block's place on the axis: [low, high)
      high,
      stop, // the event at which a block is neither live nor held back any more
      length,
      held: stop.some((event, block) => event > blocks.died[block]),
      reach: present.reach,
      ...touched(blocks.born, low, high, axis.length),
    };

    // The blocks that live (or, with `held`, are held back) right after an event; -1 is the state before the first.
    queries.live_at = (event, held = false) => {
      const found = [];
      queries.each_live(event, (block) => found.push(block), held);
      return Int32Array.from(found);
    };

    // Shows each of them to `visit`, without making a list.
    queries.each_live = (event, visit, held = false) => {
      event = Math.min(event, length - 1); // what is live at the end died at `length`
      const last = held ? stop : blocks.died;
      const { early, from, to } = present.reach(event, event);
      for (const block of early) if (last[block] > event && blocks.born[block] <= event) visit(block);
      for (let block = from; block < to; block++) if (last[block] > event && blocks.born[block] <= event) visit(block);
    };

    // The block that lies at an address right after an event, the youngest if several do; -1 for none.
    queries.at = (event, address, held = false) => {
      event = Math.min(event, length - 1);
      const last = held ? stop : blocks.died;
      const lies = (block) =>
        blocks.born[block] <= event &&
        blocks.base[block] <= address &&
        address < blocks.base[block] + Math.max(1, blocks.usable[block]);
      const { early, from, to } = present.reach(event, event);
      for (let block = to - 1; block >= from; block--) if (last[block] > event && lies(block)) return block;
      for (let at = early.length - 1; at >= 0; at--) if (last[early[at]] > event && lies(early[at])) return early[at];
      return -1;
    };

    // The numbers of the events that are about a block, rising: its birth, its accesses, its death, and any after that.
    let known = { block: -1, events: null };
    queries.events_of = (block) => {
      if (known.block === block) return known.events;
      const found = [];
      for (let event = Math.max(0, blocks.born[block]); event < length; event++) {
        if (events.block[event] === block || event === blocks.died[block]) found.push(event);
      }
      known = { block, events: Int32Array.from(found) };
      return known.events;
    };
    return queries;
  };

  // At every `step` events, which blocks are there. A range of events is then answered by one checkpoint and the
  // blocks born in the range, which follow one another.
  const checkpoints = (born, stop, length) => {
    const count = born.length;
    let area = 0;
    for (let block = 0; block < count; block++) area += stop[block] - born[block];
    let step = 1024;
    while (area / step > 4e6) step *= 2;
    const order = by_event(stop, length);
    const place = new Int32Array(count);
    const there = new Int32Array(count);
    const kept = [];
    let size = 0;
    let next = 0;
    let gone = 0;
    for (let event = 0; event <= length; event += step) {
      for (; next < count && born[next] <= event; next++) {
        place[next] = size;
        there[size++] = next;
      }
      for (; gone < count && stop[order[gone]] <= event; gone++) {
        const moved = there[--size];
        there[place[order[gone]]] = moved;
        place[moved] = place[order[gone]];
      }
      kept.push({ early: there.slice(0, size).sort(), next });
    }
    // The blocks that may be there at some moment of [first, last]: those in `early`, and from `from` up to `to`.
    const there_at_first = first_after(born, -1);
    const at_first = Int32Array.from({ length: there_at_first }, (_, block) => block);
    const reach = (first, last) => {
      if (first < 0) {
        return { early: at_first, from: there_at_first, to: Math.max(there_at_first, first_after(born, last)) };
      }
      const { early, next } = kept[Math.min(kept.length - 1, Math.max(0, Math.floor(first / step)))];
      return { early, from: next, to: Math.max(next, first_after(born, last)) };
    };
    return { reach };
  };

  // Blocks in the order of their `event`; those of equal events in order of birth. O(blocks + events).
  const by_event = (event, length) => {
    const starts = new Int32Array(length + 2);
    for (let block = 0; block < event.length; block++) starts[Math.min(length, Math.max(0, event[block])) + 1]++;
    for (let at = 1; at < starts.length; at++) starts[at] += starts[at - 1];
    const order = new Int32Array(event.length);
    for (let block = 0; block < event.length; block++) {
      order[starts[Math.min(length, Math.max(0, event[block]))]++] = block;
    }
    return order;
  };

  // The first place in a rising column that holds more than `value`.
  const first_after = (column, value) => {
    let low = 0;
    let high = column.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (column[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  // For each row of the axis, when a block first lay in it. A row that has one is passed over by later blocks in
  // nearly no time, because `onward` leads past it.
  const touched = (born, low, high, length) => {
    const row_length = 2 ** Math.ceil(Math.log2(Math.max(1, length / 16384)));
    const rows = Math.ceil(length / row_length);
    const first = new Int32Array(rows).fill(0x7fffffff);
    const onward = Int32Array.from({ length: rows + 1 }, (_, row) => row);
    const open = (row) => {
      while (onward[row] !== row) row = onward[row] = onward[onward[row]];
      return row;
    };
    for (let block = 0; block < born.length; block++) {
      const last = Math.min(rows, Math.ceil(high[block] / row_length));
      for (let row = open(Math.floor(low[block] / row_length)); row < last; row = open(row)) {
        first[row] = born[block];
        onward[row] = row + 1;
      }
    }
    return { first_touch: first, row_length };
  };

  // All addresses ever touched, end to end, but for the middle of blocks that would drown the others. Units are bytes,
  // but a gap that is left out has `pad` units, whatever its length. `segments` are { address, length, start }: `start`
  // is the place of the segment's first byte.
  const GIANT = 1000; // times as long as all shorter blocks together: then its ends alone are shown
  const address_axis = (life) => {
    const ranges = new Map(); // first page -> one past the last page, so that a million blocks are soon few ranges
    const small = life.blocks.base.length + life.guards.length < 100000;
    const page = small ? 16 : 4096;
    const cover = (address, length) => {
      const first = Math.floor(address / page);
      const last = Math.floor((address + Math.max(1, length) - 1) / page) + 1;
      if ((ranges.get(first) ?? 0) < last) ranges.set(first, last);
    };
    const ends = (address, length, part) => {
      cover(address, Math.min(length, part));
      cover(address + length - Math.min(length, part), Math.min(length, part));
    };
    const { base, usable, low, high } = life.blocks;
    const longest = largest(usable);
    const later = new Set(longest);
    const least = usable[longest[0]];
    for (let block = 0; block < base.length; block++) {
      if (usable[block] < least || !later.has(block)) cover(base[block], usable[block]);
    }
    const bytes_of = (parts) => parts.reduce((sum, { first, last }) => sum + (last - first) * page, 0);
    let rest = bytes_of(merge(ranges));
    const giants = longest.findIndex((block) => {
      if (rest > 0 && usable[block] > GIANT * rest) return true;
      cover(base[block], usable[block]);
      rest += Math.max(1, usable[block]);
      return false;
    });
    const drowning = new Set(giants < 0 ? [] : longest.slice(giants));
    for (const block of drowning) ends(base[block], usable[block], Math.max(64, rest / 8));
    // Bounds that were rounded outward are part of the picture; those of a whole region would drown it.
    for (let block = 0; small && block < base.length; block++) {
      const length = high[block] - low[block];
      if (length <= 0 || length >= 4 * usable[block] + 4096) continue;
      if (drowning.has(block)) ends(low[block], length, 64);
      else cover(low[block], length);
    }
    // Of guards only the ends, which lie beside what they guard: whole pages would drown a small heap.
    const shown = Math.max(32, rest / 16 / Math.max(1, life.guards.length));
    for (const guard of life.guards) ends(guard.base, guard.length, shown);
    for (const mark of life.marks) if (mark.length > 0) cover_mark(mark, rest, cover, ends);

    const merged = merge(ranges);
    const total = bytes_of(merged);
    const widest = Math.max(4 * page, total / 64); // wider gaps are left out
    const kept = [];
    for (const { first, last } of merged) {
      const before = kept.at(-1);
      if (before && (first - before.last) * page <= widest) before.last = last;
      else kept.push({ first, last });
    }

    const bytes = kept.reduce((sum, { first, last }) => sum + (last - first) * page, 0);
    const pad = kept.length > 1 ? Math.min(bytes / 36, bytes / 6 / (kept.length - 1)) : 0;
    const margin = Math.max(2, Math.ceil(bytes / 40)); // at both ends, for what stands on the edges
    let start = margin;
    const segments = kept.map(({ first, last }, number) => {
      const segment = { address: first * page, length: (last - first) * page, start };
      start += segment.length + (number + 1 < kept.length ? pad : 0);
      return segment;
    });
    return { segments, pad, length: start + margin, ...places(segments) };
  };

  // A mark may be about all of a giant.
  const cover_mark = ({ address, length }, rest, cover, ends) => {
    if (length > GIANT * Math.max(4096, rest)) ends(address, length, 64);
    else cover(address, length);
  };

  // Ranges, as a map from their firsts to their lasts, made disjoint and put in order.
  const merge = (ranges) => {
    const merged = [];
    for (const [first, last] of [...ranges].sort((one, other) => one[0] - other[0])) {
      const before = merged.at(-1);
      if (before && first <= before.last) before.last = Math.max(before.last, last);
      else merged.push({ first, last });
    }
    return merged;
  };

  // The longest blocks, the shortest of them first; not all there are, so that some are left to be compared with.
  const largest = (usable) => {
    const found = [];
    for (let block = 0; block < usable.length; block++) {
      if (found.length === 64 && usable[block] <= usable[found[0]]) continue;
      let at = found.length;
      while (at > 0 && usable[found[at - 1]] > usable[block]) at--;
      found.splice(at, 0, block);
      if (found.length > 64) found.shift();
    }
    return found;
  };

  const places = (segments) => {
    let last = 0; // neighbours in time are often neighbours in space
    const search = (key, value) => {
      let low = 0;
      let high = segments.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (segments[middle][key] <= value) low = middle;
        else high = middle - 1;
      }
      return low;
    };
    // The place of an address on the axis; of one in a gap, the edge next to it.
    const place = (address) => {
      let segment = segments[last];
      if (!segment) return 0;
      if (address < segment.address || address >= segment.address + segment.length) {
        last = search("address", address);
        segment = segments[last];
      }
      return segment.start + Math.min(segment.length, Math.max(0, address - segment.address));
    };
    // The address at a place; null in a gap and outside.
    const address = (place) => {
      const segment = segments[search("start", place)];
      const offset = segment ? place - segment.start : -1;
      return offset >= 0 && offset < segment.length ? segment.address + offset : null;
    };
    const segment_at = (place) => search("start", place);
    // The place at which a range ends: its middle may be left out.
    const end = (start, length) => place(start + length - 1) + 1;
    // The last address below a gap and the first above it, for a place in the gap; null elsewhere.
    const gap = (place) => {
      const number = search("start", place);
      const [below, above] = [segments[number], segments[number + 1]];
      if (!below || !above || place < below.start + below.length) return null;
      return { low: below.address + below.length - 1, high: above.address };
    };
    return { place, end, address, segment_at, gap };
  };

  m4.heap = { index, first_after };
})();
