// How the page of a session follows: new messages come in at its end, what was rewritten is drawn anew, and nothing moves
// that is being read.
import { announce } from "./announce.js";
import { hold } from "./arriving.js";
import { redrawDays } from "./day-line.js";
import { insert, morphList } from "./morph.js";

const REACH = 30; // messages before the end that are looked at again, for a result comes into the card of its call
const MOST_WINDOWS = 10; // of messages that are shown, beyond which what was rewritten is not drawn anew by itself
const SLACK = 40; // pixels below the window in which the end still counts as seen
const VOLATILE = "clock-time, relative-time, copy-text, copy-menu, .output"; // what reads otherwise once it was drawn

export function transcript() {
  return document.querySelector("transcript-stream");
}

function end() {
  return document.getElementById("end");
}

function items(stream) {
  return [...stream.children].filter((each) => each.matches(".message"));
}

function position(item) {
  return Number((item.id ? item : item.querySelector("li[id]"))?.id.slice(1));
}

export function isAtEnd() {
  return Boolean(end()) && end().getBoundingClientRect().top <= innerHeight + SLACK;
}

// From which message on the page asks again; null where it does not reach the end of the session.
function tail(stream) {
  if (!end()) return null;
  const stop = Number(end().dataset.stop);
  return position(items(stream).find((item) => position(item) >= stop - REACH) ?? { querySelector: () => ({ id: `m${stop}` }) });
}

// Whether new messages can come in here, at the end that is loaded; of prompts alone it is another page that shows them.
export function grows() {
  return Boolean(end()) && !isFocused();
}

// The page to ask for: the same head, and the end of the transcript.
export function address() {
  const from = isFocused() ? null : tail(transcript());
  const url = from === null || Number.isNaN(from) ? new URL(location.href) : windowFrom(from);
  url.searchParams.set("held", transcript().dataset.proof);
  return url.href;
}

function windowFrom(position) {
  const url = new URL(transcript().dataset.home, location.href);
  const query = new URLSearchParams(location.search).get("q");
  url.searchParams.set("from", position);
  if (query) url.searchParams.set("q", query);
  return url;
}

function isFocused() {
  return new URLSearchParams(location.search).get("mode") === "focused";
}

function looks(item) {
  const copy = item.cloneNode(true);
  copy.querySelectorAll(VOLATILE).forEach((each) => each.remove());
  const states = [...copy.querySelectorAll("[data-state], .anchor")].map((each) => each.id + (each.dataset.state ?? ""));
  const outputs = item.querySelectorAll(".output").length;
  return [copy.textContent.replace(/\s+/g, " "), outputs, ...states].join("\n");
}

// A message that reads as before stays as it was drawn: coloured, unfolded, with all of its output. So does a link that
// is loading more, for what it loads comes into its place.
function renew(old, fresh) {
  if (old.matches(".htmx-request")) return;
  if (looks(old) === looks(fresh)) {
    if (old.id === "end") old.replaceWith(fresh);
    return;
  }
  const folds = [...fresh.querySelectorAll("details")];
  [...old.querySelectorAll("details")].forEach((fold, at) => { if (folds[at]) folds[at].open = fold.open; });
  if (old.matches("details") && fresh.matches("details")) fresh.open = old.open;
  fresh.toggleAttribute("data-target", old.hasAttribute("data-target"));
  const hadFocus = old.contains(document.activeElement);
  const parent = old.parentNode;
  insert(parent, fresh, old);
  old.remove();
  if (hadFocus) fresh.focus({ preventScroll: true });
}

function behind(nodes, first) {
  const start = nodes.indexOf(first);
  return start < 0 ? [] : nodes.slice(start);
}

function isDay(node) {
  return node.nodeName === "DAY-LINE";
}

// Makes the end of the transcript what it now is. Gives how many messages are new; -1 where others were rewritten.
export function follow(fresh) {
  const stream = transcript();
  const other = fresh.querySelector("transcript-stream");
  const known = Number(stream.dataset.total);
  const total = Number(other.dataset.total);
  if (total < known || other.dataset.rewritten !== undefined) return -1;
  const from = isFocused() ? null : tail(stream);
  remember(stream, other);
  if (!items(stream).length && !isFocused()) stream.replaceChildren(...other.childNodes);
  else if (from !== null && !extend(stream, other, from, total > known)) return -1;
  redrawDays(stream);
  if (total > known) announce(`${total - known} new ${total - known === 1 ? "message" : "messages"}`);
  return total - known;
}

// False where the message that it begins with is not there any more.
function extend(stream, other, from, hasNew) {
  const first = items(other).find((item) => position(item) === from);
  if (!first) return !hasNew && from === Number(end().dataset.stop);
  const withDays = (node) => !new Date().getTimezoneOffset() || !isDay(node);
  const mine = items(stream).find((item) => position(item) === from);
  const olds = mine ? behind([...stream.children], mine).filter(withDays) : [end()];
  const freshes = behind([...other.children], first).filter(withDays);
  stream.querySelectorAll("day-line").forEach((day) => { if (!withDays(day)) day.remove(); });
  morphList(stream, olds, freshes, renew);
  return true;
}

function remember(stream, other) {
  stream.dataset.total = other.dataset.total;
  stream.dataset.proof = other.dataset.proof;
}

// The page with all that is shown here as it now is; null where that is too much, or nothing of it is left.
export async function asItNowIs(get) {
  const shown = items(transcript());
  const first = shown.length ? position(shown[0]) : 0;
  const page = await get(isFocused() ? location.href : windowFrom(first).href);
  const stream = page.querySelector("transcript-stream");
  if (first && first >= Number(stream.dataset.total)) return null;
  for (let windows = 1; endsBefore(stream, shown); windows += 1) {
    const later = stream.querySelector(".fold[data-edge=later]");
    if (!later) break;
    if (windows === MOST_WINDOWS) return null;
    const next = await get(later.getAttribute("hx-get"));
    later.replaceWith(...next.querySelector("transcript-stream").childNodes);
  }
  return page;
}

function endsBefore(stream, shown) {
  const last = items(stream).at(-1);
  return Boolean(last && shown.length) && position(last) < position(shown.at(-1));
}

// Puts that in the place of what is shown. What is being read stays where it is on the screen, if it is still there at
// all, whatever number it has now. Gives how many messages are new.
export function redraw(page) {
  const stream = transcript();
  const other = page.querySelector("transcript-stream");
  const added = Number(other.dataset.total) - Number(stream.dataset.total);
  const reading = items(stream).find((item) => item.getBoundingClientRect().bottom > headLine(item));
  const place = reading && { top: reading.getBoundingClientRect().top, position: position(reading), words: words(reading) };
  remember(stream, other);
  morphList(stream, [...stream.children], [...other.children], renew);
  redrawDays(stream);
  const steady = place && found(items(stream), place);
  if (steady) hold(steady, place.top);
  return Math.max(added, 0);
}

function headLine(item) {
  return parseFloat(getComputedStyle(item).scrollMarginTop);
}

function words(item) {
  const copy = item.cloneNode(true);
  copy.querySelectorAll(`${VOLATILE}, .at, .tools`).forEach((each) => each.remove());
  return copy.textContent.replace(/\s+/g, " ");
}

// The nearest message that says the same, else the one with that number, else the last one before it.
function found(all, place) {
  const distance = (item) => Math.abs(position(item) - place.position);
  const same = all.filter((item) => words(item) === place.words).sort((one, other) => distance(one) - distance(other));
  return same[0] ?? all.findLast((item) => position(item) <= place.position);
}
