// Numbers and dates as people read them: numbers by the reader's locale, dates in the page's language, days in UTC.

const LANGUAGE = navigator.language.startsWith("en") ? navigator.language : "en";
const DAY_MS = 86_400_000;

const number = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(LANGUAGE);
const date = (options) => new Intl.DateTimeFormat(LANGUAGE, { timeZone: "UTC", ...options });
const longDate = date({ day: "numeric", month: "long", year: "numeric" });
const weekday = date({ weekday: "short", day: "numeric", month: "short" });
const dayMonth = date({ day: "numeric", month: "short" });
const time = date({ hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

export const units = (count) => number.format(count);
export const shortUnits = (count) => compact.format(count);

const LONG = 100_000_000; // from nine digits on a number does not fit beside its name on a phone
const shortened = new Intl.NumberFormat(undefined, { notation: "compact", minimumFractionDigits: 2, maximumFractionDigits: 2, roundingMode: "trunc" });

/** A total where there is little room: the whole number, or a short form of it, never rounded up. */
export const fittingUnits = (count) => (count < LONG ? number.format(count) : shortened.format(count));
export const dayName = (day) => weekday.format(day);
export const timeOfDay = (moment) => time.format(moment);
export const shortDay = (day) => dayMonth.format(day);

/** "1 – 30 June 2026", the last day included; "15 May – 15 June 2026, 10:00 UTC" where it is not made of whole days. */
export function periodName({ start, end }) {
  const [from, to] = [new Date(start), new Date(end)];
  if (from % DAY_MS === 0 && to % DAY_MS === 0) return longDate.formatRange(from, new Date(to - 1));
  return `${longDate.formatRange(from, to)}, ${time.format(from)}`;
}

/** "10 days left", for a period that ends at `end`; `now` in Unix milliseconds. */
export function timeLeft(end, now) {
  const ms = Math.max(new Date(end) - now, 0);
  if (ms < DAY_MS) return "less than a day left";
  const days = Math.ceil(ms / DAY_MS);
  return days === 1 ? "1 day left" : `${days} days left`;
}

/** "12 seconds ago". */
export function ago(ms) {
  const seconds = Math.max(Math.round(ms / 1000), 0);
  if (seconds < 2) return "just now";
  if (seconds < 60) return relative.format(-seconds, "second");
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 172_800) return relative.format(-Math.floor(seconds / 3600), "hour");
  return relative.format(-Math.floor(seconds / 86_400), "day");
}
