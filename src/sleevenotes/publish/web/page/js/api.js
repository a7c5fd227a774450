// The API: every request goes through here. An answer that is none is an `ApiError`, whose `sentence` is for people.

const ROOT = "api/v1"; // beside the page, wherever that is served
const WAIT_S = 2; // before the next try, where the server names no time
const LONGEST_WAIT_S = 20;

export class ApiError extends Error {
  constructor(said, status, retryAfter) {
    super(said.sentence);
    this.name = "ApiError";
    this.kind = said.kind;
    this.said = said;
    this.sentence = said.sentence;
    this.status = status;
    this.retryAfter = retryAfter; // seconds; null where trying again would not help
  }

  /** Whether the same request may do better later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status === 503;
  }
}

/** The address of a part of the API, for a picture's `src`. Parts of the path are escaped by the caller: see `part`. */
export function address(path, query) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined && value !== "") asked.append(name, value);
  }
  const words = asked.toString();
  return `${ROOT}${path}${words ? `?${words}` : ""}`;
}

/** One part of a path, escaped. */
export function part(text) {
  return encodeURIComponent(text);
}

async function request(method, path, { query, body, signal, patience = 0, onWait } = {}) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await once(method, path, { query, body, signal });
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passing || tries >= patience) throw error;
      const wait_s = Math.min(error.retryAfter ?? WAIT_S, LONGEST_WAIT_S);
      onWait?.(error, wait_s);
      await pause(wait_s * 1000, signal);
    }
  }
}

async function once(method, path, { query, body, signal }) {
  const headers = { Accept: "application/json", "X-Sleevenotes": "1" };
  const form = body instanceof FormData;
  if (body !== undefined && !form) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address(path, query), {
      method, headers, signal, body: body === undefined || form ? body : JSON.stringify(body), credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(silence(), 0, null);
  }
  const found = await answer.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (answer.ok && found !== null) return found;
  const after = Number.parseFloat(answer.headers.get("Retry-After"));
  throw new ApiError(found?.error ?? strange(answer.status), answer.status, Number.isNaN(after) ? null : after);
}

function silence() {
  const sentence = "sleevenotes: no answer from the server. It may have been stopped. Look whether `sleevenotes serve` still runs, and try again.";
  return { kind: "offline", sentence };
}

function strange(status) {
  return { kind: "strange", sentence: `sleevenotes: an answer that this page does not know (${status}). Load the page again.` };
}

function pause(wait_ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, wait_ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("no longer wanted", "AbortError"));
    }, { once: true });
  });
}

/**
 * `get(path, options)`, `post(path, body, options)`, `patch(path, body, options)`: the answer's JSON.
 *
 * body: a `FormData`, or what becomes JSON. options: `query` (an object), `signal`, `patience` (how many more tries while the
 * server is busy or silent), `onWait(error, seconds)` (told before each).
 */
export const api = {
  get: (path, options) => request("GET", path, options),
  post: (path, body, options) => request("POST", path, { ...options, body }),
  patch: (path, body, options) => request("PATCH", path, { ...options, body }),
};

/** Whether an error only says that nobody waits for the answer any more. */
export function abandoned(error) {
  return error?.name === "AbortError";
}

/** A picture as a form with its one field. */
export function upload(file, name = file.name) {
  const form = new FormData();
  form.append("file", file, name || "cover");
  return form;
}
