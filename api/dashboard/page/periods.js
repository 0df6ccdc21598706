// Billing periods: what was used in each, and what of it has reached Stripe.

import { byId, html, say } from "./element.js";
import { periodName, units } from "./format.js";

/** Shows `periods`, the current one first: each { start, end, meters: [{ name, total, accepted, carriedForward }] }. */
export function showPeriods([current, ...previous]) {
  say(byId("stripe-text"), stripeText(current.meters[0]));
  byId("stripe").replaceChildren(statement(current));
  const place = byId("previous");
  if (!previous.length) place.replaceChildren(html("p", { class: "muted" }, "There is no earlier period to show yet."));
  else showPrevious(place, previous);
}

/** What is known of one meter is known of all. */
function stripeText({ accepted, carriedForward }) {
  if (accepted === null) return "What has reached Stripe is not known yet: it is being read back. Nothing is lost meanwhile.";
  const text = "Usage goes to Stripe, which bills it, a few minutes after it is counted.";
  return carriedForward === null ? `${text} What was carried forward from earlier periods is not known yet.` : text;
}

/** Those that were opened stay open. */
function showPrevious(place, previous) {
  const open = new Set([...place.querySelectorAll("details[open]")].map((each) => each.dataset.start));
  const focused = document.activeElement?.closest("details")?.dataset.start;
  place.replaceChildren(...previous.map((period) => folded(period, open.has(period.start))));
  place.querySelector(`[data-start="${focused}"] summary`)?.focus();
}

function folded(period, open) {
  const used = period.meters.filter(({ total }) => total > 0).map(({ name, total }) => `${units(total)} ${name}`);
  const summary = html("summary", {}, html("span", { class: "name" }, periodName(period)),
    html("span", { class: "muted small" }, inShort(used)));
  return html("details", { "data-start": period.start, ...(open && { open: "" }) }, summary, statement(period));
}

function inShort([first, second, ...more]) {
  if (!first) return "Nothing used";
  if (!second) return first;
  return more.length ? `${first}, ${second} and more` : `${first}, ${second}`;
}

/** Its roles are spelled out since a narrow screen shows each row on two lines, which is no table to some browsers. */
function statement(period) {
  const heads = ["Meter", "Used", "Reached Stripe"];
  return html("table", { class: "statement", role: "table" },
    html("caption", { class: "unseen" }, `Usage and what has reached Stripe, ${periodName(period)}`),
    html("thead", { role: "rowgroup" },
      html("tr", { role: "row" }, ...heads.map((text) => html("th", { scope: "col", role: "columnheader" }, text)))),
    html("tbody", { role: "rowgroup" }, ...period.meters.map(row)));
}

function row({ name, total, beforeSubscription, accepted, carriedForward }) {
  const used = cell(units(total), beforeSubscription && `and ${units(beforeSubscription)} before the subscription`);
  const known = accepted === null ? "Not known yet" : units(accepted);
  const reached = cell(known, carriedForward && `of it ${units(carriedForward)} carried forward`);
  return html("tr", { role: "row" }, html("th", { scope: "row", role: "rowheader" }, name), used, reached);
}

function cell(text, remark) {
  return html("td", { role: "cell" }, text, ...(remark ? [html("span", { class: "muted small" }, remark)] : []));
}
