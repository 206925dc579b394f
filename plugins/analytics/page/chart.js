// Calls over time: a chart, and the same as a table for who cannot see it.

import { byHour, forAnalytics, midnight } from "./filters.js";
import { count, dayOf, fill, hourOf, make } from "./write.js";

const HEIGHT = 240;
const MOST_DAYS = 3650;
const DAY = 86_400_000;
const ticks = [{ hour: "2-digit", minute: "2-digit" }, { day: "numeric", month: "short" }, { month: "short", year: "numeric" }].map(
  (parts) => new Intl.DateTimeFormat(undefined, parts),
);
const box = document.getElementById("chart");
const readout = document.getElementById("chart-readout");
const table = document.getElementById("chart-table");
let plot = null;
let shown = { hourly: false, rows: [] };
let began = ""; // the first day of everything that there is, once known: asking for ten years each time would be rude

/** Where the chart's figures come from: the path and the parameters. */
export function source(filters) {
  const range = forAnalytics(filters);
  if (byHour(filters)) return ["/analytics/hourly-calls", range];
  if (filters.days === "all") Object.assign(range, began ? { start_date: began } : { days: MOST_DAYS });
  if (filters.days === "dates") {
    const last = filters.end ? midnight(filters.end, 1) : Date.now();
    const first = filters.start ? midnight(filters.start) : 0;
    range.start_date = new Date(Math.max(first, last - MOST_DAYS * DAY)).toISOString();
  }
  return ["/analytics/daily-calls", { ...range, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone }];
}

/** Forget when everything began: other filters look at other calls. */
export function forget() {
  began = "";
}

/** Show rows of `/analytics/hourly-calls` or `/analytics/daily-calls`, of `total` calls in all. */
export function show(filters, rows, total) {
  const hourly = byHour(filters);
  const open = filters.days === "all" || (filters.days === "dates" && !filters.start);
  const first = open ? Math.max(0, rows.findIndex((row) => row.total_calls > 0)) : 0;
  const next = rows.slice(first).map((row) => ({
    at: (hourly ? Date.parse(row.hour) : midnight(row.date)) / 1000,
    total: row.total_calls,
    completed: row.completed_calls,
  }));
  if (filters.days === "all") {
    const complete = next.reduce((sum, row) => sum + row.total, 0) >= total; // else calls came in from before
    began = complete && next.length ? new Date(next[0].at * 1000).toISOString() : "";
  }
  if (plot !== null && hourly === shown.hourly && JSON.stringify(next) === JSON.stringify(shown.rows)) return;
  const redraw = plot === null || hourly !== shown.hourly || next.length !== shown.rows.length;
  shown = { hourly, rows: next };
  if (redraw) draw();
  else plot.setData(columns());
  describe();
}

document.addEventListener("look", () => { if (plot !== null) draw(); });
new ResizeObserver(() => {
  if (plot !== null && box.clientWidth > 0) plot.setSize({ width: box.clientWidth, height: HEIGHT });
}).observe(box);
document.getElementById("chart-details").addEventListener("toggle", tabulate);

function columns() {
  return [shown.rows.map((row) => row.at), shown.rows.map((row) => row.total), shown.rows.map((row) => row.completed)];
}

function draw() {
  plot?.destroy();
  const ink = colour("ink");
  const axis = { stroke: ink, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  const half = shown.hourly ? 1800 : 43_200;
  const bars = globalThis.uPlot.paths.bars({ size: [0.8, 48], align: 0 });
  const series = (name) => ({ fill: colour(name), stroke: colour(name), width: 0, paths: bars, points: { show: false } });
  plot = new globalThis.uPlot(
    {
      width: box.clientWidth || 600,
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: {
        x: { range: (_, low, high) => (low === null ? [0, 1] : [low - half, high + half]) },
        y: { range: (_, low, high) => [0, Math.max(5, (high ?? 0) * 1.08)] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 28, space: 72, values: (_, splits, __, ___, step) => splits.map((at) => tick(at, step)) },
        { ...axis, size: 52, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7], values: (_, splits) => splits.map(count) },
      ],
      series: [{}, series("total"), series("completed")],
      hooks: { setCursor: [read] },
    },
    columns(),
    box,
  );
  tabulate();
}

function read({ cursor }) {
  const row = shown.rows[cursor.idx ?? -1];
  readout.textContent = row === undefined ? summary() : `${when(row)}: ${count(row.total)} calls, ${count(row.completed)} completed`;
}

function describe() {
  box.setAttribute("aria-label", `Bar chart. ${summary()}`);
  readout.textContent = summary();
  tabulate();
}

function summary() {
  if (!shown.rows.length) return "No calls.";
  const most = shown.rows.reduce((one, other) => (other.total > one.total ? other : one));
  if (most.total === 0) return "No calls.";
  return `Most calls: ${when(most)}, ${count(most.total)}, of which ${count(most.completed)} were completed.`;
}

function when(row) {
  return shown.hourly ? hourOf(row.at * 1000) : dayOf(row.at * 1000);
}

// Below the chart: hours where a step is less than a day, but midnight by its date; months where it is more than four weeks.
function tick(at, step) {
  const moment = new Date(at * 1000);
  const kind = step >= 28 * 86_400 ? 2 : step >= 86_400 || moment.getHours() + moment.getMinutes() === 0 ? 1 : 0;
  return ticks[kind].format(moment);
}

function tabulate() {
  if (!document.getElementById("chart-details").open) return;
  const busy = shown.rows.filter((row) => row.total > 0).reverse();
  fill(table, ...busy.map((row) => make("tr", {}, make("th", { scope: "row" }, when(row)), make("td", {}, count(row.total)), make("td", {}, count(row.completed)))));
}

// Colours are asked of elements, since custom properties do not tell which of light-dark() they are.
function colour(name) {
  return getComputedStyle(document.querySelector(`[data-colour="${name}"]`)).color;
}
