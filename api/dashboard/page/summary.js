// What the page shows, read from two answers of the API.

/**
 * The account's usage: { asOf (Unix ms), periods }, the current period first, each with
 * { start, end, meters: [{ meter, name, total, beforeSubscription, accepted, carriedForward }] }; null is not known yet.
 * The current one also has `days`, up to today: [{ date, units: by meter }], and the `path` that they came from.
 */
export async function readSummary(client) {
  const { body, asOf } = await client.get("/api/billing/periods");
  const [current, ...previous] = body.periods.map(readPeriod);
  const path = dailyPath(current, client.now());
  const days = (await client.get(path)).body.days.map(readDay);
  return { asOf: Date.parse(asOf), periods: [{ ...current, path, days }, ...previous] };
}

function dailyPath({ start, end }, now) {
  const day = (ms) => new Date(ms).toISOString().slice(0, 10);
  const last = Math.min(Date.parse(end) - 1, Math.max(now, Date.parse(start)));
  return `/api/billing/usage/daily?start=${day(Date.parse(start))}&end=${day(last)}`;
}

function readPeriod({ start, end, usage }) {
  return { start, end, meters: usage.map(({ displayName, ...meter }) => ({ name: displayName, ...meter })) };
}

function readDay({ date, usage }) {
  return { date, units: Object.fromEntries(usage.map(({ meter, total }) => [meter, total])) };
}
