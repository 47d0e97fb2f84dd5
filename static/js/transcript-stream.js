// <transcript-stream>: keeps the reader's place while messages come in above, and moves through them by key.
import { announce } from "./announce.js";
import { arrive, hold, showMark, toEnd } from "./arriving.js";
import { redrawDays } from "./day-line.js";
import { addKey } from "./keys.js";

export { showMark };

const PROMPT = ".message[data-role=person]";

function stream() {
  return document.querySelector("transcript-stream");
}

// What was found in the message at a position. A result stands in the card of its call, and in the item of that message.
export function marksOf(position) {
  const item = document.getElementById(`m${position}`)?.closest(".message");
  const owner = (mark) => mark.closest("[data-of]")?.dataset.of ?? mark.closest("li[id], article[id]")?.id.slice(1);
  return [...(item?.querySelectorAll("mark") ?? [])].filter((mark) => owner(mark) === String(position));
}

function highlight(...messages) {
  document.querySelectorAll(".message[data-target]").forEach((each) => each.removeAttribute("data-target"));
  messages.forEach((message) => message.toggleAttribute("data-target", true));
}

function positionOf(message) {
  return Number(message.id.slice(1));
}

// The messages of this page whose first positions are within a range.
function between(first, last) {
  return [...stream().querySelectorAll(".message")].filter((each) => positionOf(each) >= first && positionOf(each) <= last);
}

// Several messages as one link: …/m/41/#m41-45.
function showRange() {
  const [, first, last] = /^#m(\d+)-(\d+)$/.exec(location.hash) ?? [];
  const messages = first ? between(Number(first), Number(last)) : [];
  if (!messages.length) return false;
  highlight(...messages);
  arrive(messages[0]);
  return true;
}

// Goes to a match in a message of this page; false if that is not loaded, or the part of it that matches is left out.
export function go(position, address) {
  const marks = marksOf(position);
  if (!marks.length) return false;
  const message = marks[0].closest(".message");
  location.hash = `m${position}`; // also closes the prompts, which are a target on the phone
  history.replaceState(null, "", address);
  highlight(message);
  arrive(message, marks);
  return true;
}

function step(selector, by) {
  if (!stream()) return false;
  const all = [...stream().querySelectorAll(".message")].filter((each) => each.checkVisibility());
  const line = parseFloat(getComputedStyle(all[0] ?? stream()).scrollMarginTop) + 4;
  const focused = all.indexOf(document.activeElement.closest(".message"));
  const here = focused >= 0 ? focused : all.findLastIndex((each) => each.getBoundingClientRect().top <= line);
  const fits = (each) => each.matches(selector);
  const next = by > 0 ? all.slice(here + 1).find(fits) : all.slice(0, Math.max(here, 0)).findLast(fits);
  if (next) arrive(next);
  else stream().querySelector(`.fold[data-edge=${by > 0 ? "later" : "earlier"}]`)?.focus();
}

addKey("j", "Next message", "Reading", () => step(".message", 1));
addKey("k", "Message before", "Reading", () => step(".message", -1));
addKey("J", "Next prompt", "Reading", () => step(PROMPT, 1));
addKey("K", "Prompt before", "Reading", () => step(PROMPT, -1));
addKey("p", "Parent", "Reading", () => {
  const address = stream()?.dataset.parent;
  if (!address) return false;
  location.assign(address);
});
customElements.define("transcript-stream", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("htmx:before:swap", (event) => this.remember(event.target));
    document.addEventListener("htmx:after:swap", this.keep);
    this.addEventListener("click", (event) => this.follow(event));
    redrawDays(this);
    const target = document.getElementById(`m${this.dataset.target}`);
    if (location.hash === "#end") toEnd();
    if (!showRange() && target && !location.hash) arrive(target.closest(".message"), marksOf(this.dataset.target));
  }

  disconnectedCallback() {
    document.removeEventListener("htmx:after:swap", this.keep);
  }

  // The number of a message is its address: no new page, for it is here already.
  follow(event) {
    const link = event.target.closest(".at");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const here = positionOf(link.closest(".message"));
    const from = event.shiftKey && stream().querySelector(".message[data-target]");
    const [first, last] = from ? [positionOf(from), here].sort((one, other) => one - other) : [here, here];
    const address = stream().querySelector(`#m${first} .at`)?.href ?? link.href;
    history.replaceState(null, "", first < last ? `${address}#m${first}-${last}` : link.href);
    highlight(...between(first, last));
    if (first < last) announce(`Messages ${first} to ${last} are in the address`);
  }

  remember(link) {
    const edge = link.dataset?.edge;
    if (!edge) return;
    const steady = edge === "earlier" ? link.nextElementSibling : link.previousElementSibling;
    this.kept = { edge, steady, top: steady?.getBoundingClientRect().top, hadFocus: document.activeElement === link };
  }

  // What stood below the link stays where it was on the screen, whatever came in above it.
  keep = () => {
    if (!this.kept) return;
    const { edge, steady, top, hadFocus } = this.kept;
    this.kept = null;
    redrawDays(this);
    const added = edge === "earlier" ? steady?.previousElementSibling : steady?.nextElementSibling;
    if (edge === "earlier" && steady) hold(steady, top);
    announce(edge === "earlier" ? "Earlier messages loaded" : "Later messages loaded");
    if (hadFocus) added?.closest(".message")?.focus({ preventScroll: true });
  };
});
