// The page: what is shown when, what keeps it fresh, and what goes into the address.

import { get, logIn, logOut, onEnd, session } from "./api.js";
import * as calls from "./calls.js";
import { clearCards, expireCards, learnCards, showCards } from "./cards.js";
import * as chart from "./chart.js";
import { showEmotions, showGroup, showPhrases, showSentiment, showStatistics } from "./figures.js";
import { DAYS, address, forAnalytics, read, same, STATUSES } from "./filters.js";
import { clockOf, fill, make, sentence } from "./write.js";

const EVERY = 15; // seconds from one refresh to the next: 8 requests, of the 100 a minute that a user has
const NAMES_EVERY = 300; // seconds for which the names of agents and campaigns are good
const MOST_NAMES = 200;
const id = (name) => document.getElementById(name);
const controls = { agent: id("agent"), campaign: id("campaign"), days: id("days"), start: id("start"), end: id("end"), status: id("status") };
let filters = read(location.search);
let names = { of: new Map(), until: 0 };
let loading = null;
let timer = 0;
let due = 0; // when the next refresh may come by itself
let stale = false; // what is shown is about other calls than those wanted

// --- Log in and out

id("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  id("login-message").textContent = "";
  form.elements.submit.disabled = true;
  try {
    await logIn(form.elements.email.value.trim(), form.elements.password.value);
    form.elements.password.value = "";
    start();
  } catch (problem) {
    id("login-message").textContent = problem.wait ? `${problem.message}. Try again in ${problem.wait} s.` : problem.message;
    form.elements.password.select();
  } finally {
    form.elements.submit.disabled = false;
  }
});

id("logout").addEventListener("click", logOut);

onEnd((message) => {
  stop();
  calls.closeCall();
  calls.clear();
  clearCards();
  names = { of: new Map(), until: 0 };
  id("login-message").textContent = message;
  show();
});

function show() {
  const held = session();
  id("login-view").hidden = held !== null;
  id("view").hidden = held === null;
  id("account").hidden = held === null;
  id("who").textContent = held?.email ?? "";
  document.title = held === null ? "Log in · VoiceERA" : "Dashboard · VoiceERA";
  if (held === null) id("email").focus();
}

function start() {
  show();
  if (session() === null) return;
  sync();
  refresh({ anew: true });
  if (filters.call) showCall();
}

// --- What is looked at

function go(next, { replace = false } = {}) {
  const to = address(next);
  if (to !== location.pathname + location.search) {
    if (replace) history.replaceState(history.state, "", to);
    else history.pushState({ opened: next.call !== "" }, "", to);
  }
  const other = !same(filters, next);
  const call = next.call !== filters.call;
  filters = next;
  sync();
  if (other) {
    chart.forget();
    refresh({ anew: true });
  }
  if (call) showCall();
}

addEventListener("popstate", () => { if (session() === null) filters = read(location.search); else go(read(location.search), { replace: true }); });

for (const control of Object.values(controls)) control.addEventListener("change", choose);
id("filters").addEventListener("submit", (event) => event.preventDefault());

function choose(event) {
  const next = { ...filters, agent: controls.agent.value, campaign: controls.campaign.value, status: controls.status.value };
  const days = controls.days.value;
  id("dates").hidden = days !== "dates";
  if (days === "dates") Object.assign(next, { start: controls.start.value, end: controls.end.value });
  else Object.assign(next, { start: "", end: "", days: days === "all" ? days : Number(days) });
  if (days === "dates" && !next.start && !next.end) {
    if (event.target === controls.days) controls.start.focus();
    return; // until there is a date, nothing is asked
  }
  go(days === "dates" ? { ...next, days } : next);
}

// The controls say what the address says.
function sync() {
  controls.agent.value = option(controls.agent, filters.agent);
  controls.campaign.value = option(controls.campaign, filters.campaign);
  controls.status.value = filters.status;
  controls.days.value = option(controls.days, String(filters.days), `Last ${filters.days} days`);
  controls.start.value = filters.start;
  controls.end.value = filters.end;
  id("dates").hidden = filters.days !== "dates";
  id("reset").hidden = address({ ...filters, call: "" }) === "/dashboard";
}

function option(select, value, text = `…${value.slice(-8)}`) {
  if (![...select.options].some((each) => each.value === value)) select.append(make("option", { value }, text));
  return value;
}

fill(controls.days, ...DAYS.map((days) => make("option", { value: days }, days === 1 ? "Last 24 hours" : `Last ${days} days`)), make("option", { value: "all" }, "Everything"), make("option", { value: "dates" }, "From … to …"));
fill(controls.status, make("option", { value: "" }, "Every status"), ...STATUSES.map((name) => make("option", { value: name }, sentence(name))));

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-filter]");
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  go(read(new URL(link.href).search));
});

// --- A call

id("calls").addEventListener("click", (event) => {
  const callId = event.target.closest("[data-call]")?.dataset.call;
  if (callId && !String(getSelection())) go({ ...filters, call: callId });
});

id("call").addEventListener("close", () => {
  if (!filters.call) return;
  if (history.state?.opened) history.back();
  else go({ ...filters, call: "" }, { replace: true });
});

function showCall() {
  if (filters.call) calls.openCall(filters.call, names.of);
  else calls.closeCall();
}

id("more").addEventListener("click", async () => {
  id("more").disabled = true;
  try {
    await calls.showMore(filters, names.of, loading?.signal);
  } catch (problem) {
    if (problem.name !== "AbortError") tell(problem);
  } finally {
    id("more").disabled = false;
  }
});

// --- Keeping it fresh

function stop() {
  clearTimeout(timer);
  loading?.abort();
  loading = null;
}

function later(seconds) {
  clearTimeout(timer);
  due = Date.now() + seconds * 1000;
  timer = setTimeout(refreshIfDue, seconds * 1000);
}

// A page that nobody sees asks for nothing; seen again, it catches up.
function refreshIfDue() {
  if (!document.hidden && session() !== null && Date.now() >= due) refresh();
}

document.addEventListener("visibilitychange", refreshIfDue);
id("refresh").addEventListener("click", () => {
  expireCards();
  refresh();
});

// `anew`: what is shown is about other calls, and marked so until it is not. Otherwise the pages of the list stay.
async function refresh({ anew = false } = {}) {
  if (session() === null) return;
  stop();
  loading = new AbortController();
  const { signal } = loading;
  const wanted = filters;
  stale ||= anew;
  id("view").setAttribute("aria-busy", String(stale));
  try {
    await learnNames(signal);
    const [statistics, ...rest] = await ask(wanted, signal);
    if (signal.aborted) return;
    showAll(statistics, rest, wanted);
    showCards(wanted, signal, stale); // which the page does not wait for
    await welcome(statistics, signal);
    stale = false;
    id("view").setAttribute("aria-busy", "false");
    id("updated").textContent = `Updated ${clockOf(Date.now())}`;
    if (id("message").textContent) id("message").textContent = "";
    later(EVERY);
  } catch (problem) {
    if (problem.name === "AbortError" || session() === null) return;
    stop(); // the other requests need not be answered any more
    tell(problem);
    later(Math.max(EVERY, problem.wait));
  }
}

function ask(wanted, signal) {
  const range = forAnalytics(wanted);
  const [path, parameters] = chart.source(wanted);
  return Promise.all([
    get("/analytics/calls", range, signal),
    get("/analytics/sentiment", range, signal),
    get("/analytics/top-phrases", { ...range, limit: 10 }, signal),
    get("/analytics/emotions", { ...range, limit: 5 }, signal),
    get(path, parameters, signal),
    get("/analytics/agent-performance", { ...range, limit: 10 }, signal),
    get("/analytics/campaign-stats", { ...range, limit: 10 }, signal),
    get("/call-logs", calls.firstPage(wanted), signal),
  ]);
}

function showAll(statistics, [sentiment, phrases, emotions, series, agents, campaigns, page], wanted) {
  showStatistics(statistics);
  showSentiment(sentiment);
  showPhrases(phrases);
  showEmotions(emotions);
  chart.show(wanted, series, statistics.total_calls);
  showGroup("agent", agents, wanted, names.of);
  showGroup("campaign", campaigns, wanted, names.of);
  calls.showFirst(page, !stale, names.of);
}

// Without calls: either there are none at all, and it says how to push one, or the filters leave none.
async function welcome(statistics, signal) {
  const nothing = statistics.total_calls === 0;
  const none = nothing && (await get("/call-logs", { limit: 1 }, signal)).total === 0;
  id("welcome").hidden = !none;
  id("figures").hidden = none;
  id("nothing").hidden = !nothing || none;
}

async function learnNames(signal) {
  if (Date.now() < names.until) return;
  const [agents, campaigns] = await Promise.all([
    ...["/agents", "/campaigns"].map((path) => listNames(path, signal)),
    learnCards(signal),
  ]);
  const of = new Map([...agents.items, ...campaigns.items].map((each) => [each.id, each.name]));
  names = { of, until: Date.now() + NAMES_EVERY * 1000 };
  offer(controls.agent, "Every agent", agents.items);
  offer(controls.campaign, "Every campaign", campaigns.items);
  sync();
}

// The plugins of agents and campaigns can be taken away; then there are no names.
function listNames(path, signal) {
  return get(path, { limit: MOST_NAMES }, signal).catch((problem) => {
    if (problem.status === 404) return { items: [] };
    throw problem;
  });
}

function offer(select, all, items) {
  const sorted = [...items].sort((one, other) => one.name.localeCompare(other.name));
  fill(select, make("option", { value: "" }, all), ...sorted.map((each) => make("option", { value: each.id }, each.name)));
}

function tell(problem) {
  const wait = Math.max(EVERY, problem.wait);
  const after = problem.status === 429 ? `That was more than the rate limit allows; it goes on in ${wait} s.` : `${problem.message} Trying again in ${wait} s.`;
  id("message").textContent = after;
}

id("example").textContent = [
  `TOKEN=$(curl -s ${location.origin}/auth/login -H 'Content-Type: application/json' \\`,
  `  -d '{"email": "…", "password": "…"}' | sed 's/.*"token":"\\([^"]*\\)".*/\\1/')`,
  `curl ${location.origin}/call-logs -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\`,
  `  -d '{"phone_number": "+1234567890", "status": "completed", "duration_seconds": 120, "sentiment": "positive"}'`,
].join("\n");

start();
