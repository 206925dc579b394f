// How things are written: elements whose text is text, and numbers and times as this browser's language has them.

const whole = new Intl.NumberFormat();
const rate = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const cost = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const fine = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 6 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const precise = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
const hour = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export const count = (value) => whole.format(value);
export const percent = (value) => `${rate.format(value)} %`;
export const money = (value) => cost.format(value);
export const exactMoney = (value) => fine.format(value);
export const time = (value) => moment.format(new Date(value));
export const preciseTime = (value) => precise.format(new Date(value));
export const dayOf = (value) => day.format(new Date(value));
export const hourOf = (value) => hour.format(new Date(value));
export const clockOf = (value) => clock.format(new Date(value));
export const words = (name) => name.replaceAll("_", " ");
export const sentence = (name) => words(name).replace(/^./, (letter) => letter.toUpperCase());

/** Seconds as minutes and seconds, and hours where there are some. */
export function duration(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Bytes in kB or MB. */
export function size(bytes) {
  const [value, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : [bytes / 1e6, "MB"];
  return `${rate.format(value)} ${unit}`;
}

/** Make an element. Children are elements, or text, which stays text; attributes that are null are left out. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return element;
}

/** A number with its exact value beside what is written: `<data>` (HTML, section 4.5.13). */
export function figure(value, written) {
  return make("data", { value }, written);
}

/** Put other children into an element; what had the focus keeps it, if it is there again under its `data-key`. */
export function fill(element, ...children) {
  const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  if (key !== undefined) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}
