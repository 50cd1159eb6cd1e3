"use strict";
// The page of a counterexample: the run as a score (who moves, what is true), its steps, and the state at one of them.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const RAIL = 58; // Pixels: the numbers, the dots, and the arc that closes the cycle.
  const ROW = 20;
  const MONITOR =
    "the machine that reads the run and knows no more than it has read; ✗: violated for good, ✓: holds for good";
  const TRUTHS = { 1: "true", 0: "false", "?": "open: it depends on how the run goes on" };

  // Where the player is: a state, and how often the cycle has been gone round.
  const player = (run) => {
    const last = run.values.length - 1;
    const here = { at: 0, turn: 0 };
    const closed = run.back !== null;
    return {
      here,
      go(at, turn = 0) {
        here.at = Math.max(0, Math.min(last, at));
        here.turn = closed && here.at >= run.back ? turn : 0;
      },
      next() {
        if (here.at < last) here.at += 1;
        else if (closed) [here.at, here.turn] = [run.back, here.turn + 1];
        else return false;
        return true;
      },
      previous() {
        if (closed && here.at === run.back && here.turn > 0) [here.at, here.turn] = [last, here.turn - 1];
        else here.at = Math.max(0, here.at - 1);
      },
    };
  };

  // The state before: round the cycle it is the last one. -1 at the beginning.
  const before = (run, at, turn = 0) => (turn > 0 && at === run.back ? run.values.length - 1 : at - 1);

  const changed = (run, from, at, cell) => from >= 0 && run.values[at][cell] !== run.values[from][cell];

  const in_cycle = (run, at) => run.back !== null && at >= run.back;

  const who = (run, step) => (step.process >= 0 ? run.processes[step.process] : "");

  // What the run shows, in one sentence.
  const sentence = (run) => {
    const steps = m4.parts.plural(run.steps.length, "step");
    const fault = run.steps.at(-1)?.fault;
    if (fault) return `The last of ${steps} fails: the model has no meaning after it, and no property holds.`;
    if (run.back === null) return `However this run of ${steps} goes on, the property is violated: a bad prefix.`;
    if (!run.formula) return `After ${m4.parts.plural(run.back, "step")} no process can move any more.`;
    const length = m4.parts.plural(run.values.length - run.back, "step");
    const start = run.back > 0 ? `After ${m4.parts.plural(run.back, "step")}` : "From its beginning";
    const shape = `${start} this run goes round ${length} for ever`;
    const broken = run.monitor?.turns.flat().some((state) => run.monitor.states[state] === "violated for good");
    return broken ? `${shape}.` : `${shape}: no single step breaks the property, the whole does.`;
  };

  const heading = (run) => {
    const { make } = m4.parts;
    const constants = Object.entries(run.constants).map(([name, value]) => `, ${name} = ${value}`);
    return make(
      "header",
      { class: "lasso-head" },
      make("h1", {}, run.title),
      make("p", {}, sentence(run)),
      make(
        "dl",
        {},
        run.formula ? [make("dt", {}, "claim"), make("dd", {}, make("code", {}, run.formula))] : null,
        run.model ? [make("dt", {}, "model"), make("dd", {}, run.model, constants)] : null,
        run.replay ? [make("dt", {}, "replay"), make("dd", {}, make("code", {}, run.replay))] : null,
      ),
    );
  };

  // The score: one column a state, one row for each process, proposition, part of the formula, and the monitor.
  class Score {
    constructor(run, go) {
      this.run = run;
      this.states = run.values.length;
      this.width = Math.max(9, Math.min(96, Math.floor(800 / (this.states + 1))));
      this.radius = Math.min(6, this.width / 2.6);
      this.every = [1, 2, 5, 10].find((count) => count * this.width >= 22) ?? 10; // states with a number
      this.rows = [
        ...run.processes.map((name, index) => ({ name, draw: (y) => this.lane(index, y), note: `${name}: its steps` })),
        ...run.propositions.map((name) => ({ name, code: true, draw: (y) => this.proposition(name, y) })),
        ...run.truths.map(({ formula, values }, index) => ({
          name: formula,
          code: true,
          whole: index === run.truths.length - 1,
          draw: (y) => this.truth(values, y, formula),
        })),
      ];
      if (run.monitor) this.rows.push({ name: "monitor's state", note: MONITOR, draw: (y) => this.monitor(y) });
      this.element = this.build(go);
    }

    x(at) {
      return (at + 0.5) * this.width;
    }

    build(go) {
      const { make, draw } = m4.parts;
      const { run } = this;
      const height = RAIL + this.rows.length * ROW + 4;
      const width = (this.states + 1) * this.width;
      const svg = draw("svg", { width, height, role: "img", "aria-label": "the run, a column a state" });
      if (run.back !== null) {
        const left = run.back * this.width;
        const box = { x: left + 1, y: 1, width: width - this.width - left - 2, height: height - 2, rx: 5 };
        svg.append(draw("rect", { ...box, class: "for-ever" }));
      }
      this.column = draw("rect", { y: 1, width: this.width, height: height - 2, rx: 4, class: "here" });
      svg.append(this.column, ...this.rail());
      this.rows.forEach((row, index) => {
        const y = RAIL + index * ROW;
        if (index % 2 === 0) svg.append(draw("rect", { x: 0, y, width, height: ROW, class: "band" }));
        svg.append(...row.draw(y + ROW / 2));
      });
      svg.addEventListener("click", (event) => {
        go(Math.floor((event.clientX - svg.getBoundingClientRect().left) / this.width));
      });
      this.scroll = make("div", { class: "score-run", tabindex: 0, "aria-label": "the run" }, svg);
      const names = this.rows.map((row) =>
        make(
          "div",
          { class: row.whole ? "whole" : "", title: row.note ?? row.name },
          row.code ? make("code", {}, row.name) : row.name,
        ),
      );
      return make("div", { class: "score" }, make("div", { class: "score-names" }, names), this.scroll);
    }

    square(at, y) {
      const { radius } = this;
      return { x: this.x(at) - radius, y: y - radius, width: 2 * radius, height: 2 * radius };
    }

    rail() {
      const { draw } = m4.parts;
      const { run } = this;
      const last = this.states - 1;
      const y = RAIL - 14;
      const parts = [];
      for (let at = 0; at < last; at += 1) {
        const line = { x1: this.x(at), x2: this.x(at + 1), y1: y, y2: y };
        parts.push(draw("line", { ...line, class: in_cycle(run, at) ? "cycle" : "prefix" }));
      }
      if (run.back !== null) {
        const [from, to] = [this.x(last), this.x(run.back)];
        const bend = run.back === last ? 14 : 0;
        const d = `M${from + bend / 2} ${y - 5}C${from + bend} 13 ${to - bend} 13 ${to - bend / 2} ${y - 9}`;
        parts.push(draw("path", { d, class: "cycle" }));
        const [tip, top] = [to - bend / 2, y - 6];
        parts.push(draw("path", { d: `M${tip - 4} ${top - 7}L${tip + 4} ${top - 7}L${tip} ${top}Z`, class: "head" }));
        parts.push(draw("text", { x: (from + to) / 2, y: 13, class: "cycle label" }, "for ever"));
      }
      for (let at = 0; at <= last; at += 1) {
        const ends = run.back === null && at === last;
        const place = ends ? this.square(at, y) : { cx: this.x(at), cy: y, r: this.radius };
        const kind = ends ? "end" : in_cycle(run, at) ? "cycle" : "prefix";
        parts.push(draw(ends ? "rect" : "circle", { ...place, class: `dot ${kind}` }));
        if (at % this.every === 0 || ends)
          parts.push(draw("text", { x: this.x(at), y: RAIL + 1, class: "number" }, String(at)));
      }
      return parts;
    }

    lane(process, y) {
      const { draw } = m4.parts;
      const gap = Math.min(3, this.width / 8);
      return this.run.steps.flatMap((step, index) => {
        if (step.process !== process) return [];
        const place = { x: this.x(index) + gap, y: y - 5, width: this.width - 2 * gap, height: 10, rx: gap };
        const tip = draw("title", {}, `step ${index + 1}: ${step.text}`);
        return [draw("rect", { ...place, class: `process-${process % 6}` }, tip)];
      });
    }

    proposition(name, y) {
      const values = this.run.letters.map((letter) => (letter.includes(name) ? "1" : "0"));
      return this.truth(values, y, name);
    }

    truth(values, y, name) {
      const { draw } = m4.parts;
      return [...values].map((value, at) => {
        const tip = draw("title", {}, `state ${at}: ${name} is ${TRUTHS[value]}`);
        if (value === "?") return draw("text", { x: this.x(at), y: y + 4, class: "open" }, "?", tip);
        if (value === "0") return draw("circle", { cx: this.x(at), cy: y, r: 1.8, class: "false" }, tip);
        return draw("rect", { ...this.square(at, y), class: "true" }, tip);
      });
    }

    monitor(y) {
      const { draw } = m4.parts;
      const { states } = this.run.monitor;
      this.monitored = this.run.letters.map((_, at) => draw("text", { x: this.x(at), y: y + 4, class: "monitor" }));
      this.names = states.map((verdict, state) =>
        verdict === "open" ? `${state}` : verdict === "violated for good" ? "✗" : "✓",
      );
      return this.monitored;
    }

    show({ at, turn }) {
      this.column.setAttribute("x", at * this.width);
      const { monitor } = this.run;
      const row = monitor?.turns[Math.min(turn, monitor.turns.length - 1)];
      this.monitored?.forEach((text, place) => {
        text.textContent = this.names[row[place]];
        text.classList.toggle("bad", monitor.states[row[place]] === "violated for good");
      });
      const left = at * this.width - this.scroll.clientWidth / 2;
      if (this.scroll.scrollWidth > this.scroll.clientWidth) this.scroll.scrollTo({ left });
    }
  }

  const cell_name = (name) => (name.endsWith("@") ? "at" : name);

  // A step's row: who, what, and only the cells that it changed.
  const step_row = (run, at, go) => {
    const { make } = m4.parts;
    const step = at > 0 ? run.steps[at - 1] : null;
    const name = step ? who(run, step) : "";
    const chip = name ? make("span", { class: `chip process-${step.process % 6}` }) : null;
    const what = step ? make("code", {}, step.text) : "the run begins";
    const row = make(
      "tr",
      { class: in_cycle(run, at) && at > run.back ? "cycle" : "", onclick: () => go(at) },
      make(
        "td",
        { class: "num" },
        m4.parts.link(String(at), () => go(at), { "aria-label": `go to state ${at}` }),
      ),
      make("td", { class: "whole" }, chip, name),
      make("td", { class: "does" }, what, step?.fault ? make("b", { class: "bad" }, ` fails: ${step.fault}`) : null),
      make("td", {}, changes(run, at)),
      make("td", { class: "true-here" }, run.letters[at].join(" ")),
    );
    return row;
  };

  const changes = (run, at) => {
    const { make } = m4.parts;
    const found = [];
    let owner = "";
    run.cells.forEach((cell, index) => {
      if (cell.endsWith("@")) owner = `${cell.slice(0, -1)} `;
      if (!changed(run, at - 1, at, index)) return;
      const of_other = owner && run.steps[at - 1].process >= 0 && owner.trim() !== who(run, run.steps[at - 1]);
      const name = `${of_other ? owner : ""}${cell_name(cell)}`;
      const [old, now] = [run.values[at - 1][index], run.values[at][index]];
      found.push(make("span", { class: "change" }, `${name} `, make("s", {}, old), " → ", make("b", {}, now)));
    });
    return found;
  };

  const table = (run, go) => {
    const { make } = m4.parts;
    const head = ["state", "who", "does", "changes", "true now"].map((name) => make("th", { scope: "col" }, name));
    const rows = [];
    const divider = (text) => make("tr", { class: "divider" }, make("td", { colspan: 5 }, text));
    const body = make("tbody");
    run.values.forEach((_, at) => {
      rows.push(step_row(run, at, go));
      body.append(rows[at]);
      if (at === run.back) body.append(divider(`from state ${at} on, for ever`));
    });
    if (run.back !== null) {
      const step = run.steps.at(-1);
      body.append(divider([`${who(run, step)} `, make("code", {}, step.text), ` ↩ back to state ${run.back}`]));
    } else body.append(divider("here the run ends"));
    return {
      rows,
      element: make("div", { class: "steps" }, make("table", {}, make("thead", {}, make("tr", {}, head)), body)),
    };
  };

  // The whole state: the shared cells, then each process with its own; what the last step changed stands out.
  const whole_state = (run, { at, turn }) => {
    const { make } = m4.parts;
    const groups = [{ name: "shared", cells: [] }];
    run.cells.forEach((cell, index) => {
      if (cell.endsWith("@")) groups.push({ name: cell.slice(0, -1), cells: [] });
      groups.at(-1).cells.push(index);
    });
    const from = before(run, at, turn);
    const one = (index) => {
      const now = changed(run, from, at, index);
      const old = now ? [make("s", {}, run.values[from][index]), " → "] : [];
      return [
        make("dt", {}, cell_name(run.cells[index])),
        make("dd", { class: now ? "changed" : "" }, old, run.values[at][index]),
      ];
    };
    const boxes = groups
      .filter((group) => group.cells.length)
      .map((group) => make("section", {}, make("h3", {}, group.name), make("dl", {}, group.cells.map(one))));
    const turns = turn > 0 ? `, turn ${turn + 1} of the cycle` : "";
    return [make("h2", {}, `State ${at}${turns}`), ...boxes];
  };

  const open = (element, run) => {
    const { make } = m4.parts;
    const moves = player(run);
    let timer = 0;
    const state = make("div", { class: "state", tabindex: -1 });
    const said = make("p", { class: "said", role: "status", "aria-live": "polite" });
    const play = make("button", { type: "button", onclick: () => toggle() }, "▶ play (space)");
    const go = (at, turn = 0) => {
      moves.go(at, turn);
      show();
    };
    const score = new Score(run, (at) => go(at));
    const steps = table(run, go);

    const show = () => {
      const { at, turn } = moves.here;
      score.show(moves.here);
      steps.rows.forEach((row, index) => {
        row.classList.toggle("here", index === at);
        if (index === at) row.setAttribute("aria-current", "step");
        else row.removeAttribute("aria-current");
      });
      const box = steps.element;
      const row = steps.rows[at];
      // Scrolled by hand: scrollIntoView would move the page as well.
      if (row.offsetTop < box.scrollTop + 40) box.scrollTop = row.offsetTop - 60;
      else if (row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight) {
        box.scrollTop = row.offsetTop + row.offsetHeight - box.clientHeight + 40;
      }
      state.replaceChildren(...whole_state(run, moves.here));
      const step = run.steps[before(run, at, turn)];
      said.textContent = `state ${at} of ${run.values.length - 1}${step ? `: ${who(run, step)} ${step.text}` : ""}`;
      m4.parts.keep_link(`state=${at}`);
    };

    const toggle = () => {
      if (timer) clearInterval(timer);
      timer = timer ? 0 : setInterval(() => (moves.next() ? show() : toggle()), 700);
      play.textContent = timer ? "❚❚ pause (space)" : "▶ play (space)";
    };

    const step = (forward) => {
      if (forward) moves.next();
      else moves.previous();
      show();
    };
    const last = run.values.length - 1;
    const keys = {
      ArrowRight: () => step(true),
      ArrowDown: () => step(true),
      ArrowLeft: () => step(false),
      ArrowUp: () => step(false),
      Home: () => go(0),
      End: () => go(last),
      " ": toggle,
      t: theme,
    };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
      if (event.key === " " && event.target.tagName === "BUTTON") return;
      keys[event.key]();
      event.preventDefault();
    });
    const button = (text, name, action) =>
      make("button", { type: "button", "aria-label": name, title: name, onclick: action }, text);
    const bar = make(
      "div",
      { class: "transport", role: "toolbar", "aria-label": "stepping" },
      button("|◀", "to the first state (Home)", keys.Home),
      button("◀", "one step back (left arrow)", keys.ArrowLeft),
      play,
      button("▶", "one step on (right arrow)", keys.ArrowRight),
      run.back === null
        ? button("▶|", "to the last state (End)", keys.End)
        : button("↺", "to where the cycle begins", () => go(run.back)),
      said,
      make("p", { class: "key" }, key(run)),
      button("◐", "light or dark (t)", theme),
    );
    const below = make("div", { class: "below" }, steps.element, state);
    element.append(heading(run), score.element, bar, below);
    go(Number(/state=(\d+)/.exec(location.hash)?.[1] ?? 0));
    m4.lasso.now = moves.here;
  };

  const key = (run) => {
    const signs = run.propositions.length ? ["■ true", "· false"] : [];
    if (run.truths.some((part) => part.values.includes("?"))) signs.push("? depends on what follows");
    if (run.truths.length) signs.push("formulas are read from that state on");
    else if (run.formula) signs.push("too long a run to say where the formula is true");
    return signs.join("   ");
  };

  const theme = () => {
    const { dataset } = document.documentElement;
    const dark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    dataset.theme = dark ? "light" : "dark";
  };

  m4.lasso = { open };
  const data = document.getElementById("lasso-data");
  if (data) open(document.getElementById("lasso"), JSON.parse(data.textContent));
})();
