// The cards of plugins. Whatever a card's route answers is shown as text: nothing of it becomes markup or an address.

import { get, session } from "./api.js";
import { forAnalytics } from "./filters.js";
import { count, figure, fill, make, sentence } from "./write.js";

const EVERY = 60; // seconds for which a card is good: each costs a request of the user's rate limit
const MOST_ROWS = 50;
const MOST_COLUMNS = 12;
const MOST_TEXT = 300;
const NOTHING = "–";
const id = (name) => document.getElementById(name);
let cards = [];
let until = 0; // when the cards are asked for again by themselves

/** Learn which cards there are. */
export async function learnCards(signal) {
  cards = await get("/dashboard/cards", {}, signal);
  id("cards").hidden = cards.length === 0;
  fill(id("cards"), ...cards.map((card) => id(`card-${card.key}`) ?? section(card)));
}

/** Fill the cards, where what is on them is too old or `anew` about other calls; one that fails says so by itself. */
export async function showCards(filters, signal, anew) {
  if (!anew && Date.now() < until) return;
  until = Date.now() + EVERY * 1000;
  await Promise.all(cards.map((card) => showCard(card, filters, signal)));
}

/** Have the cards asked for again with the next refresh. */
export function expireCards() {
  until = 0;
}

/** Forget what is on the cards. */
export function clearCards() {
  cards = [];
  until = 0;
  fill(id("cards"));
}

function section(card) {
  return make(
    "section",
    { id: `card-${card.key}`, class: "card", "aria-labelledby": `card-${card.key}-title`, "aria-busy": "true" },
    make("h2", { id: `card-${card.key}-title` }, card.title),
    make("div", { class: "content" }),
  );
}

async function showCard(card, filters, signal) {
  const place = id(`card-${card.key}`);
  try {
    const given = Object.entries(forAnalytics(filters)).filter(([name]) => card.filters.includes(name));
    const found = await get(card.path, Object.fromEntries(given), signal);
    if (!signal.aborted) fill(place.querySelector(".content"), ...SHOW[card.kind](found, card));
  } catch (problem) {
    if (signal.aborted || problem.name === "AbortError" || session() === null) {
      until = 0;
      return;
    }
    fill(place.querySelector(".content"), make("p", { class: "problem" }, text(problem.message)));
  }
  place.setAttribute("aria-busy", "false");
}

const SHOW = { figure: showFigure, table: showTable, bars: showBars };

function showFigure(found) {
  const unit = isObject(found) && typeof found.unit === "string" ? make("span", { class: "unit" }, text(found.unit)) : null;
  return [make("p", { class: "value" }, value(isObject(found) ? found.value : found), unit && " ", unit)];
}

function showTable(found, card) {
  const rows = Array.isArray(found) ? found.filter(isObject) : [];
  if (rows.length === 0) return [empty()];
  const columns = Object.keys(rows[0]).slice(0, MOST_COLUMNS);
  const cell = (row, name) => (Object.hasOwn(row, name) ? value(row[name]) : NOTHING);
  const head = make("tr", {}, ...columns.map((name) => make("th", { scope: "col" }, sentence(text(name)))));
  const body = rows.slice(0, MOST_ROWS).map((row) => make(
    "tr",
    {},
    ...columns.map((name, place) => (place === 0 ? make("th", { scope: "row" }, cell(row, name)) : make("td", {}, cell(row, name)))),
  ));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return [make("div", { class: "scroll", role: "region", "aria-labelledby": `card-${card.key}-title`, tabindex: 0 }, table)];
}

function showBars(found, card) {
  const rows = (Array.isArray(found) ? found.filter(isObject) : []).slice(0, MOST_ROWS);
  if (rows.length === 0) return [empty()];
  const most = Math.max(...rows.map(length), 0);
  const body = rows.map((row) => {
    const bar = make("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${most ? (100 * length(row)) / most : 0}%`;
    return make("tr", {}, make("th", { scope: "row" }, make("span", {}, text(row.label)), bar), make("td", {}, value(row.value)));
  });
  return [make("table", { class: "compact", "aria-labelledby": `card-${card.key}-title` }, make("tbody", {}, ...body))];
}

function length(row) {
  return Number.isFinite(row.value) ? Math.max(0, row.value) : 0;
}

function value(found) {
  return Number.isFinite(found) ? figure(found, count(found)) : text(found);
}

function text(found) {
  if (found === null || found === undefined || found === "") return NOTHING;
  const written = typeof found === "object" ? JSON.stringify(found) : String(found);
  return written.length > MOST_TEXT ? `${written.slice(0, MOST_TEXT)}…` : written;
}

function isObject(found) {
  return typeof found === "object" && found !== null && !Array.isArray(found);
}

function empty() {
  return make("p", { class: "quiet" }, "Nothing to show.");
}
