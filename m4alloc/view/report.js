"use strict";
// Light or dark: the system's choice until the reader presses the button.
(() => {
  const button = document.getElementById("theme");
  if (!button) return;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
})();

// A chart with numbers behind it shows them under the pointer, or under the arrow keys when it has the focus.
for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const chart = JSON.parse(figure.dataset.chart);
  const svg = figure.querySelector("svg");
  const readout = document.createElement("div");
  readout.className = "readout";
  figure.append(readout);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  line.setAttribute("class", "axis");
  line.setAttribute("y1", chart.top);
  line.setAttribute("y2", chart.bottom);
  line.style.display = "none";
  svg.append(line);
  let index = 0;

  const across = (x) => chart.left + ((x - chart.low) / (chart.high - chart.low)) * (chart.right - chart.left);

  const show = (next) => {
    index = Math.max(0, Math.min(chart.xs.length - 1, next));
    const x = across(chart.xs[index]);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    line.style.display = "";
    readout.replaceChildren();
    const title = document.createElement("b");
    title.textContent = `${chart.axis} ${chart.names[index]}`;
    readout.append(title);
    for (const row of chart.rows) {
      const entry = document.createElement("div");
      const patch = document.createElement("i");
      patch.style.background = `var(--${row.role})`;
      entry.append(patch, `${row.label}: ${row.values[index]}`);
      readout.append(entry);
    }
    readout.style.display = "block";
    const scale = svg.clientWidth / svg.viewBox.baseVal.width;
    const left = x * scale + 12;
    const fits = left + readout.offsetWidth < svg.clientWidth;
    readout.style.left = `${fits ? left : x * scale - readout.offsetWidth - 12}px`;
    readout.style.top = `${(chart.top + 10) * scale}px`;
  };

  const hide = () => {
    line.style.display = "none";
    readout.style.display = "none";
  };

  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    if (x < chart.left || x > chart.right) return hide();
    // The xs rise: find the nearest by halving.
    let low = 0;
    let high = chart.xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (across(chart.xs[middle]) < x) low = middle;
      else high = middle;
    }
    show(x - across(chart.xs[low]) < across(chart.xs[high]) - x ? low : high);
  });
  svg.addEventListener("pointerleave", hide);
  figure.addEventListener("blur", hide);
  figure.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -25, PageDown: 25, Home: -1e9, End: 1e9 };
    if (event.key in steps) {
      show(index + steps[event.key]);
      event.preventDefault();
    } else if (event.key === "Escape") hide();
  });
}
