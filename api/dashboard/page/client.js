// Asks the API. The session's cookie says for whom; what has not changed is not sent again.

const TIMEOUT_MS = 20_000; // longer than the API's longest call: 10 s to Stripe

/** An answer that is not what was asked for. `code` is the API's, or "unreachable" where there was no answer. */
export class Problem extends Error {
  constructor(code, status = 0, retryAfterSeconds = 0) {
    super(code);
    this.code = code;
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  get signedOut() {
    return this.status === 401;
  }
}

export class Client {
  #kept = new Map(); // path -> { tag, body }
  #serverMs = 0; // the server's time less this page's, so that a wrong clock here does no harm

  /** The body at `path`. The same object is returned for as long as the server says that nothing has changed. */
  async get(path) {
    const kept = this.#kept.get(path);
    const answer = await this.#ask(path, { headers: kept?.tag ? { "If-None-Match": kept.tag } : {} });
    const asOf = answer.headers.get("X-Usage-As-Of");
    if (answer.status === 304) return { body: kept.body, asOf };
    const body = await read(answer.json());
    this.#kept.set(path, { tag: answer.headers.get("ETag"), body });
    return { body, asOf };
  }

  /** The body at `path`, for once. */
  async fresh(path) {
    const answer = await this.#ask(path, {});
    return read(answer.json());
  }

  /** A file: its bytes, never kept. */
  async download(path) {
    const answer = await this.#ask(path, {});
    return read(answer.blob());
  }

  async signIn(key) {
    await this.#ask("/dashboard/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key }),
    });
  }

  async signOut() {
    await this.#ask("/dashboard/session", { method: "DELETE" });
  }

  /** Unix milliseconds by the server's clock, as its last answer told. */
  now() {
    return Date.now() + this.#serverMs;
  }

  async #ask(path, options) {
    const answer = await reach(path, options);
    const date = Date.parse(answer.headers.get("Date"));
    if (!Number.isNaN(date)) this.#serverMs = date - Date.now();
    if (answer.ok || answer.status === 304) return answer;
    const problem = await answer.json().catch(() => null);
    const seconds = Number(answer.headers.get("Retry-After")) || 0;
    throw new Problem(problem?.code ?? "unknown", answer.status, seconds);
  }
}

function reach(path, options) {
  const all = { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS), ...options };
  return read(fetch(path, all));
}

async function read(pending) {
  try {
    return await pending;
  } catch {
    throw new Problem("unreachable");
  }
}
