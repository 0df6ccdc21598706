// The daily usage as a file. It is fetched and handed over, so that what goes wrong can be said on the page.

import { Action } from "./action.js";
import { byId, html } from "./element.js";

/** Makes the button save what is at `path()` as CSV. */
export function offerCsv(client, path, signedOut) {
  const act = async () => hand(await client.download(fileOf(path())), nameOf(path()));
  const otherwise = "The file can’t be made at the moment. Try again in a few seconds.";
  new Action(byId("csv"), byId("csv-error"), { act, otherwise, signedOut });
}

/** The same figures have an address as a file. */
function fileOf(path) {
  return path.replace("/daily?", "/daily.csv?");
}

/** "usage-2026-06-01-to-2026-06-20.csv". */
function nameOf(path) {
  const asked = new URLSearchParams(path.split("?")[1]);
  return `usage-${asked.get("start")}-to-${asked.get("end")}.csv`;
}

function hand(file, name) {
  const address = URL.createObjectURL(file);
  html("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address)); // once the browser has taken it
}
