// Goes by key from difference to difference of compared sessions, and on to the turns before and after this page.
import { announce } from "./announce.js";
import { addKey, keysAreOn } from "./keys.js";

function differs(row) {
  const texts = [...row.querySelectorAll(".compare-text")].map((each) => each.textContent);
  return new Set(texts).size > 1 || row.querySelector(".compare-gap") !== null;
}

// Those to be seen: on the phone the page may show one side alone, which has nothing in some rows.
function differences() {
  return [...document.querySelectorAll(".compare-turns .compare-row")].filter((row) => row.offsetHeight && differs(row));
}

function step(by) {
  const rows = differences();
  if (!rows.length) return false;
  const here = document.activeElement.closest(".compare-turns .compare-row");
  const line = parseFloat(getComputedStyle(rows[0]).scrollMarginTop) + 4; // where a row stands that was gone to
  const isAfter = here
    ? (row) => here.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING
    : (row) => row.getBoundingClientRect().top > line;
  const isBefore = here
    ? (row) => here.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_PRECEDING
    : (row) => row.getBoundingClientRect().top < line - 8;
  const next = by > 0 ? rows.find(isAfter) : rows.findLast(isBefore);
  if (next) arriveAt(next, rows);
  else leave(by);
}

function arriveAt(row, rows) {
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "start" });
  announce(`Difference ${rows.indexOf(row) + 1} of ${rows.length} on this page`);
}

function leave(by) {
  const link = document.querySelector(`.compare-pages a[rel=${by > 0 ? "next" : "prev"}]`);
  if (link) link.focus();
  else announce(by > 0 ? "No more differences" : "No differences before");
}

function hint() {
  const head = keysAreOn() && differences().length && document.querySelector(".compare-turn h2");
  if (!head) return;
  const words = document.createElement("span");
  words.className = "compare-hint";
  words.ariaHidden = "true"; // the help tells it to everybody
  words.append(Object.assign(document.createElement("kbd"), { textContent: "n" }), " next difference");
  head.append(words);
}

addKey("n", "Next difference", "Comparing", () => step(1));
addKey("N", "Difference before", "Comparing", () => step(-1));
hint();
