// What is looked at. It stands in the address, so that reloading, going back and sending a link work.

export const DEFAULT_DAYS = 30;
export const DAYS = [1, 7, 30, 90, 365];
export const STATUSES = ["queued", "in_progress", "completed", "failed", "no_answer", "busy", "cancelled"];
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const HOUR = 3_600_000;

/**
 * Read the filters of an address; what makes no sense is left out.
 * `days` is a number, "all", or "dates" with `start` and `end`.
 */
export function read(search) {
  const query = new URLSearchParams(search);
  const one = (name, fits) => (fits(query.get(name) ?? "") ? query.get(name) : "");
  const filters = {
    agent: one("agent", (text) => ID.test(text)),
    campaign: one("campaign", (text) => ID.test(text)),
    status: one("status", (text) => STATUSES.includes(text)),
    start: one("start", isDate),
    end: one("end", isDate),
    call: one("call", (text) => ID.test(text)),
    days: DEFAULT_DAYS,
  };
  if (filters.start || filters.end) return { ...filters, days: "dates" };
  const days = query.get("days") ?? "";
  if (days === "all") return { ...filters, days };
  if (/^\d{1,4}$/.test(days) && Number(days) >= 1 && Number(days) <= 3650) filters.days = Number(days);
  return filters;
}

/** The address of filters, without what goes without saying. */
export function address(filters) {
  const query = new URLSearchParams();
  for (const name of ["agent", "campaign", "status", "call"]) if (filters[name]) query.set(name, filters[name]);
  if (filters.days === "dates") {
    for (const name of ["start", "end"]) if (filters[name]) query.set(name, filters[name]);
  } else if (filters.days !== DEFAULT_DAYS) {
    query.set("days", String(filters.days));
  }
  const text = query.toString();
  return text ? `/dashboard?${text}` : "/dashboard";
}

/** Whether two filters look at the same calls. */
export function same(one, other) {
  return address({ ...one, call: "" }) === address({ ...other, call: "" });
}

/** The parameters of `/analytics/…`. Dates are days of this browser's time zone. */
export function forAnalytics(filters) {
  const range = filters.days === "dates" ? dates(filters) : filters.days === "all" ? {} : { days: filters.days };
  return { agent_id: filters.agent, campaign_id: filters.campaign, ...range };
}

/** The parameters of `/call-logs`, which counts no days: the same range, from the same full hour on. */
export function forCalls(filters, now = Date.now()) {
  const { days, ...rest } = forAnalytics(filters);
  const start = days ? new Date(Math.floor(now / HOUR) * HOUR - days * 24 * HOUR).toISOString() : rest.start_date;
  return { ...rest, start_date: start, status: filters.status };
}

/** Whether the chart shows hours; it shows days otherwise. */
export function byHour(filters) {
  if (filters.days !== "dates") return filters.days <= 2;
  if (!filters.start || !filters.end) return false;
  return midnight(filters.end) - midnight(filters.start) < 72 * HOUR;
}

/** When a day begins in this browser's time zone: milliseconds since 1970. */
export function midnight(date, later = 0) {
  const [year, month, day] = date.split("-").map(Number);
  return new Date(year, month - 1, day + later).getTime();
}

function dates({ start, end }) {
  const range = {};
  if (start) range.start_date = new Date(midnight(start)).toISOString();
  if (end) range.end_date = new Date(midnight(end, 1) - 1).toISOString();
  return range;
}

function isDate(text) {
  return DATE.test(text) && Number(text.slice(0, 4)) >= 1970 && !Number.isNaN(Date.parse(text));
}
