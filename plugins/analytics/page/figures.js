// The figures, and the tables of agents and campaigns.

import { address } from "./filters.js";
import { count, duration, figure, fill, make, money, percent } from "./write.js";

const FEELINGS = ["positive", "neutral", "negative"];
const id = (name) => document.getElementById(name);

/** Show `/analytics/calls`. */
export function showStatistics(found) {
  const tiles = {
    "total-calls": [found.total_calls, count(found.total_calls)],
    "completed-calls": [found.completed_calls, count(found.completed_calls)],
    "failed-calls": [found.failed_calls, count(found.failed_calls)],
    "success-rate": [found.success_rate, percent(found.success_rate)],
    "average-duration": [found.average_duration, duration(found.average_duration)],
    "cost-per-call": [found.cost_per_call, money(found.cost_per_call)],
  };
  for (const [name, [value, written]] of Object.entries(tiles)) fill(id(name), figure(value, written));
}

/** Show `/analytics/sentiment`. */
export function showSentiment(found) {
  fill(id("sentiment-bar"), ...FEELINGS.map((name) => {
    const part = make("span", { class: name });
    part.style.flexGrow = String(found[name]);
    return part;
  }));
  fill(id("sentiment"), ...FEELINGS.map((name) => make(
    "tr",
    {},
    make("th", { scope: "row" }, make("span", { class: `dot ${name}`, "aria-hidden": "true" }), name),
    make("td", {}, figure(found[name], count(found[name]))),
    make("td", {}, figure(found[`${name}_percentage`], percent(found[`${name}_percentage`]))),
  )));
}

/** Show `/analytics/top-phrases`. */
export function showPhrases(found) {
  showWords("phrase", found);
}

/** Show `/analytics/emotions`. */
export function showEmotions(found) {
  showWords("emotion", found);
}

function showWords(kind, found) {
  const most = Math.max(1, ...found.map((each) => each.count));
  fill(id(`${kind}s`), ...found.map((each) => {
    const row = make(
      "tr",
      {},
      make("th", { scope: "row" }, make("span", {}, each[kind]), make("span", { class: "bar", "aria-hidden": "true" })),
      make("td", {}, figure(each.count, count(each.count))),
      make("td", {}, figure(each.frequency, percent(each.frequency))),
    );
    row.querySelector(".bar").style.width = `${(100 * each.count) / most}%`;
    return row;
  }));
  id(`no-${kind}s`).hidden = found.length > 0;
}

/** Show `/analytics/agent-performance` or `/analytics/campaign-stats`: `kind` is "agent" or "campaign". */
export function showGroup(kind, found, filters, names) {
  fill(id(`${kind}s`), ...found.map((each) => {
    const subject = each[`${kind}_id`];
    const chosen = filters[kind] === subject;
    const href = address({ ...filters, [kind]: chosen ? "" : subject, call: "" });
    const known = FEELINGS.reduce((sum, name) => sum + each[name], 0);
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, make("a", { href, "data-key": `${kind}-${subject}`, "data-filter": true, "aria-current": chosen ? "true" : null }, nameOf(names, subject))),
      make("td", {}, figure(each.total_calls, count(each.total_calls))),
      make("td", {}, figure(each.success_rate, percent(each.success_rate))),
      make("td", {}, figure(each.average_duration, duration(each.average_duration))),
      make("td", {}, figure(each.cost_per_call, money(each.cost_per_call))),
      make("td", {}, known ? percent((100 * each.positive) / known) : "–"),
    );
  }));
  id(`no-${kind}s`).hidden = found.length > 0;
}

/** A name of an agent or a campaign, or the end of its id where it is not known (it was deleted, say). */
export function nameOf(names, subject) {
  return names.get(subject) ?? `…${subject.slice(-8)}`;
}
