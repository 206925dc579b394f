// The latest calls, and one of them whole, with its transcript and recording.

import { get, getBlob } from "./api.js";
import { forCalls } from "./filters.js";
import { nameOf } from "./figures.js";
import { count, duration, exactMoney, fill, make, preciseTime, size, time, words } from "./write.js";

const PAGE = 25;
const CODECS = { pcm: "PCM", float: "floating point", alaw: "A-law", mulaw: "µ-law" };
const id = (name) => document.getElementById(name);
const dialog = id("call");
let listed = { items: [], total: 0, cursor: null };
let detail = null; // aborts what the open dialog still waits for
let playing = ""; // the address of the recording in memory

/** The parameters of the first page of calls. */
export function firstPage(filters) {
  return { ...forCalls(filters), limit: PAGE };
}

/** Show a first page: in place of what is there, or `joined` to the pages that were asked for since. */
export function showFirst(page, joined, names) {
  const known = new Set(page.items.map((call) => call.id));
  const oldest = page.items.at(-1)?.id ?? "";
  const met = joined && listed.items.some((call) => known.has(call.id));
  const older = met ? listed.items.filter((call) => !known.has(call.id) && call.id < oldest) : [];
  const cursor = older.length ? listed.cursor : page.next_cursor;
  listed = { items: [...page.items, ...older], total: page.total, cursor };
  list(names);
}

/** Show the next page too. */
export async function showMore(filters, names, signal) {
  const before = listed;
  if (before.cursor === null) return;
  const page = await get("/call-logs", { ...forCalls(filters), limit: PAGE, cursor: before.cursor, total: "false" }, signal);
  if (listed.cursor !== before.cursor) return; // the list was made anew meanwhile
  const known = new Set(listed.items.map((call) => call.id));
  listed.items.push(...page.items.filter((call) => !known.has(call.id)));
  listed.cursor = page.next_cursor;
  list(names);
}

/** Forget the calls that are listed. */
export function clear() {
  listed = { items: [], total: 0, cursor: null };
  list(new Map());
}

function list(names) {
  const { items, total, cursor } = listed;
  fill(id("calls"), ...items.map((call) => row(call, names)));
  id("calls-count").textContent = total ? `${count(items.length)} of ${count(total)}` : "";
  id("more").hidden = cursor === null;
  id("no-calls").hidden = items.length > 0;
}

function row(call, names) {
  const open = make("button", { type: "button", class: "link", "data-call": call.id, "data-key": call.id, "aria-label": `Open the call of ${time(call.created_at)} with ${call.phone_number}` }, time(call.created_at));
  const known = (subject) => (subject === null ? "–" : nameOf(names, subject));
  return make(
    "tr",
    { "data-call": call.id },
    make("td", {}, open),
    make("td", {}, call.phone_number),
    make("td", {}, make("span", { class: `status ${call.status}` }, words(call.status))),
    make("td", { class: "number" }, call.duration_seconds === null ? "–" : duration(call.duration_seconds)),
    make("td", { class: "wide" }, call.sentiment === null ? "–" : make("span", {}, make("span", { class: `dot ${call.sentiment}`, "aria-hidden": "true" }), call.sentiment)),
    make("td", { class: "wide" }, known(call.agent_id)),
    make("td", { class: "wide" }, known(call.campaign_id)),
    make("td", { class: "wide number" }, call.cost === null ? "–" : exactMoney(call.cost)),
  );
}

/** Open a call; the dialog's `close` event says when it is closed. */
export async function openCall(callId, names) {
  closeCall();
  detail = new AbortController();
  const { signal } = detail;
  fill(id("call-body"), make("p", { class: "quiet" }, "Loading …"));
  dialog.showModal();
  try {
    const call = await get(`/call-logs/${callId}`, {}, signal);
    fill(id("call-body"), ...parts(call, names, signal));
  } catch (problem) {
    if (problem.name !== "AbortError") fill(id("call-body"), make("p", { role: "alert" }, problem.message));
  }
}

/** Close the call that is open, if one is. */
export function closeCall() {
  if (dialog.open) dialog.close();
  release();
}

dialog.addEventListener("close", release);
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
id("call-close").addEventListener("click", () => dialog.close());

function release() {
  if (dialog.open) return;
  detail?.abort();
  detail = null;
  fill(id("call-body")); // and with it the player, so that it falls silent
  if (playing) URL.revokeObjectURL(playing);
  playing = "";
}

function parts(call, names, signal) {
  const facts = {
    Began: preciseTime(call.created_at),
    "Phone number": call.phone_number,
    Direction: call.direction,
    Status: words(call.status),
    Duration: call.duration_seconds === null ? null : duration(call.duration_seconds),
    Sentiment: call.sentiment,
    Emotions: call.emotions.join(", "),
    "Key phrases": call.key_phrases.join(", "),
    Agent: call.agent_id && nameOf(names, call.agent_id),
    Campaign: call.campaign_id && nameOf(names, call.campaign_id),
    Cost: call.cost === null ? null : exactMoney(call.cost),
    "External id": call.external_id,
    Id: call.id,
  };
  const given = Object.entries(facts).filter(([, value]) => value);
  return [
    call.recording_url === null ? make("p", { class: "quiet" }, "There is no recording.") : recording(call, signal),
    make("dl", {}, ...given.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    ...section("Summary", call.summary),
    ...section("Transcript", call.transcript, "transcript"),
    ...section("Metadata", call.metadata === null ? null : JSON.stringify(call.metadata, null, 2), "transcript"),
  ];
}

function section(title, text, kind = null) {
  return text ? [make("h3", {}, title), make("p", { class: kind }, text)] : [];
}

// The file is fetched when it is wanted, with the token, and played from memory: so that the page needs no other origin.
function recording(call, signal) {
  const button = make("button", { type: "button", class: "primary" }, "Play the recording");
  const about = make("span", { class: "quiet" });
  const box = make("div", { class: "recording" }, button, about);
  get(`/call-recordings/${call.id}`, {}, signal).then(
    (found) => { about.textContent = `${duration(found.duration_seconds)}, ${size(found.size_bytes)}, ${CODECS[found.codec] ?? found.codec}, ${count(found.sample_rate)} Hz`; },
    () => {}, // playing it will tell what is wrong
  );
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const blob = await getBlob(`/call-recordings/${call.id}/download`, signal);
      playing = URL.createObjectURL(blob);
      const audio = make("audio", { controls: true, "aria-label": "Recording of the call" });
      audio.addEventListener("error", () => { about.textContent = "This browser cannot play it; save it instead."; });
      audio.src = playing;
      button.replaceWith(audio);
      box.append(make("a", { href: playing, download: `${call.id}.wav` }, "Save"));
      audio.focus();
      await audio.play().catch(() => {}); // a browser that forbids it leaves the button of the player
    } catch (problem) {
      if (problem.name === "AbortError") return;
      button.disabled = false;
      about.textContent = problem.message;
    }
  });
  return box;
}

