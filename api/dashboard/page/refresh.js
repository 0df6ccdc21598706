// Asks again and again while the page can be seen: the pace when all is well, longer pauses while it is not.

const PACE_MS = 10_000;
const LONGEST_PAUSE_MS = 60_000;

export class Refresh {
  #load;
  #timer = 0;
  #round = 0; // a round that a later one has overtaken says nothing
  #failures = 0;
  #running = false;

  /** `load` throws a Problem, after showing it, when it could not load. */
  constructor(load) {
    this.#load = load;
    document.addEventListener("visibilitychange", () => this.#running && this.#next(0));
  }

  start() {
    this.#running = true;
    this.#failures = 0;
    this.#next(0);
  }

  stop() {
    this.#running = false;
    this.#round += 1;
    clearTimeout(this.#timer);
  }

  #next(ms) {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.#turn(), ms);
  }

  async #turn() {
    const round = ++this.#round;
    const current = () => round === this.#round;
    let pause = PACE_MS;
    try {
      await this.#load(current);
      this.#failures = 0;
    } catch (problem) {
      pause = pauseAfter(problem, this.#failures++);
    }
    if (current()) this.#next(pause);
  }
}

/** As long as the server asks for, at first; twice as long after each failure. */
function pauseAfter(problem, failures) {
  const first = (problem.retryAfterSeconds || 2) * 1000;
  return Math.min(first * 2 ** Math.min(failures, 5), LONGEST_PAUSE_MS);
}
