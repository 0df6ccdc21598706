// Makes and changes what is on the page, and only where it differs: nothing flickers, no focus is lost.

const SVG = "http://www.w3.org/2000/svg";

/** The element of this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A new element with these attributes and children (elements or text). */
export function html(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  set(made, attributes);
  made.append(...children);
  return made;
}

/** The same for a drawing. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  set(made, attributes);
  made.append(...children);
  return made;
}

/** Sets attributes. */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}

/** Sets the text. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
