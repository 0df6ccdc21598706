// What a screen reader is told by the way.

import { byId } from "./element.js";

/** Says it politely; the same words twice are said twice. */
export function announce(text) {
  const place = byId("announcement");
  place.textContent = "";
  setTimeout(() => (place.textContent = text), 50);
}
