// A button that asks the server for something, once at a time, and says kindly when it is not to be had.

import { say } from "./element.js";

export class Action {
  #button;
  #place;
  #act;
  #busy = false;

  /**
   * `act` does it, or throws a Problem; `errors` says by the problem's code what to tell, `otherwise` for the rest.
   * `signedOut` is told of a session that has ended.
   */
  constructor(button, place, { act, errors = {}, otherwise, signedOut }) {
    [this.#button, this.#place, this.#act] = [button, place, act];
    button.addEventListener("click", () => this.#run((problem) => {
      if (problem.signedOut) signedOut(problem);
      else say(place, errors[problem.code] ?? otherwise);
    }));
  }

  async #run(failed) {
    if (this.#busy) return;
    this.#mark(true);
    say(this.#place, "");
    try {
      await this.#act();
    } catch (problem) {
      failed(problem);
    } finally {
      this.#mark(false);
    }
  }

  #mark(busy) {
    this.#busy = busy;
    this.#button.setAttribute("aria-disabled", busy);
  }
}
