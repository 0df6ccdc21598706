// The current period day by day: one meter, as a chart or as a table.

import { Chart, dayTable } from "./chart.js";
import { byId, html, say } from "./element.js";
import { dayName, timeOfDay, units } from "./format.js";

const DAY_MS = 86_400_000;

export class Daily {
  #meter = byId("meter");
  #table = byId("chart-table");
  #chart = new Chart(byId("chart"), (day) => this.#caption(day));
  #pointed = null; // the day that the caption is about; null: the whole period
  #period = null;
  #now = 0;

  constructor() {
    this.#meter.addEventListener("change", () => this.#draw());
    byId("as-table").addEventListener("click", () => this.#turn());
  }

  /** Shows `period`: { start, end, meters: [{ meter, name, total }], days: [{ date, units: by meter }] }. */
  show(period, now) {
    if (!this.#meter.options.length) this.#offer(period.meters);
    [this.#period, this.#now] = [period, now];
    say(byId("chart-note"), noteOf(period));
    this.#draw();
  }

  /** All meters, beginning with the first that was used. */
  #offer(meters) {
    this.#meter.append(...meters.map(({ meter, name }) => html("option", { value: meter }, name)));
    this.#meter.value = (meters.find(({ total }) => total > 0) ?? meters[0]).meter;
  }

  #turn() {
    const pressed = this.#table.hidden;
    byId("as-table").setAttribute("aria-pressed", pressed);
    this.#table.hidden = !pressed;
    byId("chart").hidden = pressed;
  }

  #draw() {
    const days = daysOf(this.#period, this.#meter.value, this.#now);
    this.#chart.draw(this.#name(), days);
    this.#table.replaceChildren(dayTable(this.#name(), days));
    this.#caption(days.find(({ date }) => date.getTime() === this.#pointed?.date.getTime()) ?? null);
  }

  #caption(day) {
    this.#pointed = day;
    const chosen = this.#period.meters.find(({ meter }) => meter === this.#meter.value);
    say(byId("chart-value"), units(day ? day.units : chosen.total));
    say(byId("chart-caption"), day ? captionOf(day) : `${chosen.name} in this period`);
  }

  #name() {
    return this.#meter.selectedOptions[0].textContent;
  }
}

/** Every day of the period, also those without usage and those still to come. */
function daysOf({ start, end, days }, meter, now) {
  const known = new Map(days.map((day) => [Date.parse(day.date), day.units[meter] ?? 0]));
  const all = [];
  for (let at = Math.floor(Date.parse(start) / DAY_MS) * DAY_MS; at < Date.parse(end); at += DAY_MS) {
    all.push({ date: new Date(at), units: known.get(at) ?? 0, state: stateOf(at, now) });
  }
  return all;
}

function stateOf(at, now) {
  if (at > now) return "future";
  return at + DAY_MS > now ? "today" : "past";
}

/** Days are whole even where the period is not made of whole days. */
function noteOf({ start }) {
  const from = new Date(start);
  return from % DAY_MS ? `${dayName(from)} is shown whole; the period began at ${timeOfDay(from)}.` : "";
}

function captionOf({ date, state }) {
  if (state === "future") return `${dayName(date)}, still to come`;
  return state === "today" ? `${dayName(date)}, so far` : dayName(date);
}
