// How the page of a session follows: new messages come in at its end, and nothing moves that is being read.
import { announce } from "./announce.js";
import { redrawDays } from "./day-line.js";
import { insert, morphList } from "./morph.js";

const REACH = 30; // messages before the end that are looked at again, for a result comes into the card of its call
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
  if (from === null || Number.isNaN(from)) return location.href;
  const url = new URL(transcript().dataset.home, location.href);
  const query = new URLSearchParams(location.search).get("q");
  url.searchParams.set("from", from);
  if (query) url.searchParams.set("q", query);
  return url.href;
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

// A message that reads as before stays as it was drawn: coloured, unfolded, with all of its output.
function renew(old, fresh) {
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

// Makes the end of the transcript what it now is. Gives how many messages are new; -1 where it was cut or rewritten.
export function follow(fresh) {
  const stream = transcript();
  const other = fresh.querySelector("transcript-stream");
  const known = Number(stream.dataset.total);
  const total = Number(other.dataset.total);
  if (total < known) return -1;
  const from = isFocused() ? null : tail(stream);
  stream.dataset.total = total;
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
