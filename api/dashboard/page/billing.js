// The page of a signed-in customer, in each of its states: figures, figures that are old, none yet.

import { announce } from "./announce.js";
import { Daily } from "./daily.js";
import { byId, say } from "./element.js";
import { ago, periodName, timeLeft } from "./format.js";
import { showPeriods } from "./periods.js";
import { showTotals } from "./totals.js";

const STALE_MS = 60_000; // all that is published is counted within a second, when all is well
const ANNOUNCE_MS = 60_000; // a screen reader hears of new totals at most this often

const STALE = "Counting is behind: usage since then is not in these numbers yet. Nothing is lost.";
const TROUBLE = {
  not_ready: ["Your totals are being recounted", "They appear here by themselves as soon as they are complete."],
  unreachable: ["The server can’t be reached", "Check your connection. The page keeps trying."],
};
const OTHER_TROUBLE = ["Usage can’t be read at the moment", "The page keeps trying."];

export class Billing {
  #daily = new Daily();
  #clock;
  #asOf = 0; // Unix ms
  #period = null; // the current one
  #drawn = ""; // what the figures were drawn from
  #trouble = "";
  #announced = 0;

  /** `clock` gives the server's time in Unix ms. */
  constructor(clock) {
    this.#clock = clock;
    setInterval(() => this.#tell(), 1000);
  }

  /** Shows a summary: its shape stands in summary.js. */
  show({ asOf, periods }) {
    [this.#asOf, this.#period, this.#trouble] = [asOf, periods[0], ""];
    open("figures");
    const drawn = JSON.stringify([periods, new Date(this.#clock()).getUTCDate()]);
    if (drawn !== this.#drawn) this.#draw(periods);
    this.#drawn = drawn;
    this.#tell();
  }

  /** Says what is wrong. Figures that were shown stay: they are old, and said to be, but never smaller. */
  trouble({ code }) {
    const [title, text] = TROUBLE[code] ?? OTHER_TROUBLE;
    if (this.#drawn) {
      this.#trouble = `${title}. ${text} Until then you see what was counted before.`;
      this.#tell();
      return;
    }
    if (byId("waiting-title").textContent !== title) announce(`${title}. ${text}`);
    say(byId("waiting-title"), title);
    say(byId("waiting-text"), text);
    open("waiting");
  }

  /** Where the API has the days that are shown. */
  dailyPath() {
    return this.#period.path;
  }

  #draw(periods) {
    showTotals(periods[0].meters);
    this.#daily.show(periods[0], this.#clock());
    showPeriods(periods);
    showUsed(periods[0].meters);
    if (!this.#drawn || Date.now() - this.#announced < ANNOUNCE_MS) return;
    announce("Usage was updated.");
    this.#announced = Date.now();
  }

  /** What changes by the mere passing of time. */
  #tell() {
    if (!this.#period) return;
    const { start, end } = this.#period;
    const [from, to, now] = [Date.parse(start), Date.parse(end), this.#clock()];
    byId("elapsed").value = (now - from) / (to - from);
    say(byId("period"), `${periodName(this.#period)} · ${timeLeft(end, now).replaceAll(" ", "\u00a0")}`);
    const stale = now - this.#asOf > STALE_MS;
    byId("freshness").classList.toggle("stale", stale || Boolean(this.#trouble));
    say(byId("freshness"), `As of ${ago(now - this.#asOf)}`);
    notice(this.#trouble || (stale ? STALE : ""));
  }
}

function open(shown) {
  for (const id of ["figures", "waiting"]) byId(id).hidden = id !== shown;
  byId("standing").hidden = byId("figures").hidden;
}

/** Where nothing was used there is nothing to chart. */
function showUsed(meters) {
  const used = meters.some(({ total }) => total > 0);
  byId("empty").hidden = used;
  byId("daily").hidden = !used;
  byId("sent").hidden = !used && !meters.some(({ accepted }) => accepted > 0);
}

function notice(text) {
  const place = byId("notice");
  if (text && text !== place.textContent) announce(text);
  say(place, text);
  place.hidden = !text;
}
