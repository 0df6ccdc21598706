// A bar for each day of the period, drawn to the width there is. One tab stop; the arrow keys go from day to day.

import { say, set, svg, html } from "./element.js";
import { dayName, shortDay, shortUnits, units } from "./format.js";

const HEIGHT = 224;
const LEFT = 48; // for the scale's numbers
const TOP = 8;
const BOTTOM = 26; // for the dates
const LABEL_WIDTH = 64;
const KEYS = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

export class Chart {
  #drawing = svg("svg", { role: "group" });
  #grid = svg("g", { "aria-hidden": "true" });
  #bars = svg("g");
  #days = [];
  #shown; // called with the day that is pointed at, or null

  constructor(place, shown) {
    this.#shown = shown;
    this.#drawing.append(this.#grid, this.#bars);
    place.append(this.#drawing);
    // Not on the drawing: one that listens to the focus becomes a tab stop itself in Chromium.
    place.addEventListener("keydown", (event) => this.#key(event));
    for (const type of ["pointerover", "focusin"]) place.addEventListener(type, (event) => this.#point(event));
    for (const type of ["pointerleave", "focusout"]) place.addEventListener(type, () => this.#shown(null));
    new ResizeObserver(() => this.#place()).observe(place);
  }

  /** Draws `days`: each { date, units, state }, state being "past", "today" or "future". */
  draw(name, days) {
    set(this.#drawing, { "aria-label": `${name} by day. Arrow keys go from day to day.` });
    if (days.length !== this.#days.length) this.#bars.replaceChildren(...days.map(makeDay));
    this.#days = days;
    this.#label();
    this.#place();
  }

  #label() {
    const groups = [...this.#bars.children];
    groups.forEach((group, index) => {
      const day = this.#days[index];
      const text = day.state === "future" ? "still to come" : units(day.units);
      set(group, { "aria-label": `${dayName(day.date)}${day.state === "today" ? ", so far" : ""}: ${text}` });
      group.classList.toggle("today", day.state === "today");
    });
    if (!groups.some((group) => group.getAttribute("tabindex") === "0")) groups[0]?.setAttribute("tabindex", "0");
  }

  #place() {
    const width = this.#drawing.clientWidth;
    if (!width || !this.#days.length) return;
    set(this.#drawing, { viewBox: `0 0 ${width} ${HEIGHT}` });
    const top = ceiling(Math.max(...this.#days.map((day) => day.units)));
    const slot = (width - LEFT) / this.#days.length;
    const y = (count) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - count / top);
    [...this.#bars.children].forEach((group, index) => placeDay(group, this.#days[index], LEFT + slot * index, slot, y));
    this.#grid.replaceChildren(...scale(top, width, y), ...dates(this.#days, slot));
  }

  #point(event) {
    const index = [...this.#bars.children].indexOf(event.target.closest(".day"));
    this.#shown(this.#days[index] ?? null);
  }

  #key(event) {
    const step = KEYS[event.key];
    const groups = [...this.#bars.children];
    const at = groups.indexOf(event.target.closest(".day"));
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const to = Math.min(Math.max(at + step, 0), groups.length - 1);
    groups[at].setAttribute("tabindex", "-1");
    groups[to].setAttribute("tabindex", "0");
    groups[to].focus();
  }
}

/** The same numbers as a table. */
export function dayTable(name, days) {
  const past = days.filter((day) => day.state !== "future");
  return html("table", {},
    html("caption", { class: "unseen" }, `${name} by day`),
    html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "Day (UTC)"), html("th", { scope: "col" }, name))),
    html("tbody", {}, ...past.map((day) => {
      const label = day.state === "today" ? `${dayName(day.date)}, so far` : dayName(day.date);
      return html("tr", {}, html("th", { scope: "row" }, label), html("td", {}, units(day.units)));
    })),
  );
}

function makeDay() {
  return svg("g", { class: "day", role: "img", tabindex: "-1" },
    svg("rect", { class: "slot", rx: 4 }), svg("rect", { class: "bar", rx: 2 }));
}

function placeDay(group, day, x, slot, y) {
  const [back, bar] = group.children;
  const gap = Math.min(slot * 0.28, 10);
  const height = day.units ? Math.max(y(0) - y(day.units), 2) : 0; // what was used can be seen, however little
  set(back, { x, y: TOP, width: slot, height: HEIGHT - TOP - BOTTOM });
  set(bar, { x: x + gap / 2, y: y(0) - height, width: Math.max(slot - gap, 1), height });
}

function scale(top, width, y) {
  return [0, top / 2, top].flatMap((count) => {
    const label = svg("text", { x: LEFT - 10, y: y(count) + 4, "text-anchor": "end" });
    say(label, shortUnits(count));
    return [svg("line", { class: "grid", x1: LEFT, x2: width, y1: y(count), y2: y(count) }), label];
  });
}

function dates(days, slot) {
  const every = Math.max(Math.ceil(LABEL_WIDTH / slot), 1);
  return days.flatMap((day, index) => {
    if (index % every || index + every / 2 > days.length) return [];
    const label = svg("text", { x: LEFT + slot * (index + 0.5), y: HEIGHT - 6, "text-anchor": "middle" });
    say(label, shortDay(day.date));
    return [label];
  });
}

/** The top of the scale: an even number of one significant figure or 1.2, 1.6 …, so that its half is round as well. */
function ceiling(most) {
  if (most <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].find((each) => each * power >= most);
  return step * power;
}
