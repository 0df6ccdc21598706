// The current period's totals, one for each meter, in the catalogue's order.

import { byId, html, say, set } from "./element.js";
import { fittingUnits, units } from "./format.js";

/** Shows `meters`: each { name, total }. Numbers change in place; a shortened one shows the whole of it when asked. */
export function showTotals(meters) {
  const list = byId("totals");
  if (list.children.length !== meters.length) {
    list.replaceChildren(...meters.map(() => html("div", {}, html("dt"), html("dd"))));
  }
  meters.forEach((meter, index) => {
    const [name, value] = list.children[index].children;
    say(name, meter.name);
    showTotal(value, units(meter.total), fittingUnits(meter.total));
  });
}

/** The whole number is in reach: on hovering by its title, by focus or a tap in place of the short form. */
function showTotal(place, whole, fitting) {
  if (whole === fitting) {
    say(place, whole);
    return;
  }
  const short = place.querySelector(".shortened") ?? html("button", { class: "shortened", type: "button" }, html("span"), html("span"));
  if (!short.isConnected) place.replaceChildren(short);
  set(short, { title: whole, "aria-label": whole });
  say(short.firstElementChild, fitting);
  say(short.lastElementChild, whole);
}
