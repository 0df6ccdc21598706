// The form that turns a key into a session. The key leaves the page with the request and stays nowhere.

import { byId, say } from "./element.js";

// Without a prototype: the code may come from the address of the page.
const NOTICES = {
  __proto__: null,
  invalid_session: "Your session has ended. Sign in again to go on.",
};
const ERRORS = {
  __proto__: null,
  malformed_api_key: "This isn’t a complete API key. Copy it again, from tk_live_ to its last character.",
  invalid_api_key: "This key is unknown or was revoked. Use another key of your account.",
  not_ready: "Keys are being read in at the moment. Try again in a few seconds.",
  store_unavailable: "Signing in isn’t possible at the moment. Try again in a few seconds.",
  cookie_refused: "This browser doesn’t keep the session. Allow cookies of this page and try again.",
  unreachable: "The server can’t be reached. Check your connection and try again.",
};

export class SignIn {
  #input = byId("key");
  #error = byId("key-error");
  #busy = false;
  #entered = false;

  /** `enter` trades a key for a session or throws a Problem; `entered` is called once there is one. */
  constructor(enter, entered) {
    byId("sign-in-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(enter, entered);
    });
  }

  /** Shows the form, and the problem that led here. */
  show(problem) {
    const notice = NOTICES[problem.code] ?? "";
    const place = byId("sign-in-notice");
    say(place, notice);
    place.hidden = !notice;
    byId("sign-in").hidden = false;
    this.#say(notice ? "" : this.#reason(problem));
    this.#input.focus();
  }

  hide() {
    byId("sign-in").hidden = true;
  }

  async #submit(enter, entered) {
    if (this.#busy) return;
    this.#mark(true);
    this.#say("");
    try {
      await enter(this.#input.value.trim());
      this.#input.value = "";
      this.#entered = true;
      entered();
    } catch (problem) {
      this.#say(reason(problem));
      this.#input.select();
      this.#input.focus();
    } finally {
      this.#mark(false);
    }
  }

  /** Without a session nobody has tried yet, or the browser did not keep it. */
  #reason(problem) {
    if (problem.code !== "missing_api_key") return reason(problem);
    return this.#entered ? ERRORS.cookie_refused : "";
  }

  #mark(busy) {
    this.#busy = busy;
    byId("sign-in-form").querySelector("button").setAttribute("aria-disabled", busy);
  }

  #say(error) {
    say(this.#error, error);
    this.#input.setAttribute("aria-invalid", Boolean(error));
  }
}

function reason(problem) {
  if (problem.code === "too_many_attempts") return `Too many attempts. Try again ${waitOf(problem.retryAfterSeconds)}.`;
  return ERRORS[problem.code] ?? "Signing in failed. Try again in a moment.";
}

function waitOf(seconds) {
  if (!seconds) return "in a few minutes";
  return seconds < 90 ? `in ${seconds} seconds` : `in ${Math.ceil(seconds / 60)} minutes`;
}
