// The session, and requests that carry its token. Everything else asks through `get`.

const KEY = "voicera.session";
const MOST_EARLY = 60; // seconds before its end at which an access token is renewed
const tabs = new BroadcastChannel(KEY);
let renewing = null;
let ended = () => {};

/** An answer that is not a good one. `wait` is how many seconds to wait before asking again, 0 where not said. */
export class ApiError extends Error {
  constructor(status, code, message, details, wait) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
    this.wait = wait;
  }
}

/** Call `callback` with a sentence when the session has ended. */
export function onEnd(callback) {
  ended = callback;
}

/** The session of this tab, or null. */
export function session() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** Log in; throws ApiError. */
export async function logIn(email, password) {
  const response = await send("/auth/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  const { data } = await response.json();
  keep(data, data.user.email);
}

/** End the session, here and at the server. */
export async function logOut() {
  try {
    await sendWithToken("/auth/logout", { method: "POST" });
  } catch {
    // then it ends when its tokens do
  }
  end("");
}

/** GET what stands under `data` of the answer; throws ApiError. Parameters without a value are left out. */
export async function get(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  const response = await sendWithToken(query ? `${path}?${query}` : path, { signal });
  return (await response.json()).data;
}

/** GET a file; throws ApiError. */
export async function getBlob(path, signal = undefined) {
  return (await sendWithToken(path, { signal })).blob();
}

function keep(tokens, email) {
  const { token, refresh_token, expires_in } = tokens;
  const early = Math.min(MOST_EARLY, expires_in / 10);
  const held = { token, refresh_token, email, renew_at: Date.now() + (expires_in - early) * 1000 };
  sessionStorage.setItem(KEY, JSON.stringify(held));
  return held;
}

function end(message) {
  if (session() === null) return;
  sessionStorage.removeItem(KEY);
  ended(message);
}

async function send(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "omit", cache: "no-store", ...options });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new ApiError(0, "", "The server cannot be reached.", "", 0);
  }
  if (response.ok) return response;
  const error = await response.json().then((body) => body.error, () => null);
  const { code = "", message = `The server answered ${response.status}.`, details = "" } = error ?? {};
  throw new ApiError(response.status, code, message, details, Number(response.headers.get("Retry-After")) || 0);
}

async function sendWithToken(path, options = {}) {
  let held = session();
  if (held === null) throw new ApiError(401, "", "You are logged out.", "", 0);
  if (Date.now() > held.renew_at) held = await renewed(held.token);
  try {
    return await send(path, withToken(held.token, options));
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    if (problem.code !== "AUTH_002") {
      end("Your session has ended. Log in again.");
      throw problem;
    }
    held = await renewed(held.token);
    return send(path, withToken(held.token, options));
  }
}

function withToken(token, options) {
  return { ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` } };
}

// A refresh token is good for one use, so requests that need a new token share one renewal, and so do tabs that
// were duplicated and therefore hold the same session.
function renewed(used) {
  renewing ??= alone(() => renew(used)).finally(() => { renewing = null; });
  return renewing;
}

function alone(work) {
  return navigator.locks ? navigator.locks.request(KEY, work) : work(); // only secure contexts have locks
}

async function renew(used) {
  const held = session();
  if (held === null) throw new ApiError(401, "", "You are logged out.", "", 0);
  if (held.token !== used) return held; // it was renewed while this waited
  try {
    const response = await send("/auth/refresh-token", withToken(held.refresh_token, { method: "POST" }));
    const { data } = await response.json();
    tabs.postMessage({ used, tokens: data });
    return keep(data, held.email);
  } catch (problem) {
    if (problem.status === 401) end("Your session has ended. Log in again.");
    throw problem;
  }
}

tabs.addEventListener("message", ({ data }) => {
  const held = session();
  if (held !== null && held.token === data.used) keep(data.tokens, held.email);
});
