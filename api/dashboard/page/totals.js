// The current period's totals, one for each meter, in the catalogue's order.

import { byId, html, say } from "./element.js";
import { units } from "./format.js";

/** Shows `meters`: each { name, total }. Numbers change in place. */
export function showTotals(meters) {
  const list = byId("totals");
  if (list.children.length !== meters.length) {
    list.replaceChildren(...meters.map(() => html("div", {}, html("dt"), html("dd"))));
  }
  meters.forEach((meter, index) => {
    const [name, value] = list.children[index].children;
    say(name, meter.name);
    say(value, units(meter.total));
  });
}
