"use strict";
// Pieces of a page made from data. Text is always set as text, never as markup.
(() => {
  const m4 = (globalThis.m4 ??= {});
  const SVG = "http://www.w3.org/2000/svg";

  const fill = (element, properties, children) => {
    for (const [name, value] of Object.entries(properties)) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  };

  // An HTML element: attributes, listeners as onclick and so on, and children (strings become text).
  const make = (name, properties = {}, ...children) => fill(document.createElement(name), properties, children);

  // The same in SVG.
  const draw = (name, properties = {}, ...children) => fill(document.createElementNS(SVG, name), properties, children);

  // A button that looks like a link: it moves the view, it does not leave the page.
  const link = (text, action, properties = {}) =>
    make("button", { type: "button", class: "go", onclick: action, ...properties }, text);

  // Writes what the page shows into its address. A page inside another's text has none that may be written.
  const keep_link = (hash) => {
    if (location.protocol !== "about:") history.replaceState(null, "", `#${hash}`);
  };

  // Replaces what an element holds; what had the focus gets it again, found by its data-key.
  const fill_again = (element, ...children) => {
    const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const { scrollTop } = element;
    fill(element, {}, [element.replaceChildren(), ...children]);
    element.scrollTop = scrollTop;
    if (key !== undefined) [...element.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key)?.focus();
  };

  const count = (value) => Math.round(value).toLocaleString("en-GB");
  const plural = (value, noun, nouns = `${noun}s`) => `${count(value)} ${value === 1 ? noun : nouns}`;

  const share = (value) => `${(100 * value).toFixed(value >= 0.0995 ? 0 : 1)}\u00a0%`;

  m4.parts = { fill: fill_again, make, draw, link, keep_link, count, plural, share };
})();
