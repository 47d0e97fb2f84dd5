// <session-list>: moving through its rows by key, and where the focus goes when rows come or go.
import { announce } from "./announce.js";
import { addKey } from "./keys.js";

const HEADING = ".title, [data-jump]";

function rows(list) {
  return [...list.querySelectorAll("[data-session]:not([hidden]), [data-project], .hit")].filter((row) => row.checkVisibility());
}

function focusRow(row) {
  const heading = row?.querySelector(HEADING) ?? row?.querySelector("input");
  heading?.focus();
  heading?.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const list = document.querySelector("session-list, .results, .projects");
  if (!list) return false;
  const all = rows(list);
  const here = all.findIndex((row) => row.contains(document.activeElement));
  focusRow(all[here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + step, 0), all.length - 1)]);
  return all.length > 0;
}

addKey(["j", "ArrowDown"], "Next row", "Lists", (event) => (event.key === "j" || inList() ? move(1) : false));
addKey(["k", "ArrowUp"], "Row before", "Lists", (event) => (event.key === "k" || inList() ? move(-1) : false));
addKey("Enter", "Open the row", "Lists", () => false); // the browser's own, for the title of a row is a link
addKey("#", "Move to the trash", "Sessions", () => {
  const selected = document.querySelector('[form="selection"]:checked') && document.querySelector('.bulk [value="trash"]');
  const button = selected || document.activeElement.closest("[data-session]")?.querySelector("[data-trash] button");
  button?.click();
  return Boolean(button);
});

function inList() {
  return Boolean(document.activeElement.closest("session-list, .results, .projects"));
}

customElements.define("session-list", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("htmx:before:request", (event) => this.remember(event.target));
    document.addEventListener("htmx:after:swap", this.follow);
  }

  disconnectedCallback() {
    document.removeEventListener("htmx:after:swap", this.follow);
  }

  remember(source) {
    const row = source.closest("tr");
    const all = rows(this);
    this.leaving = row;
    this.next = all[all.indexOf(row) + 1] ?? all[all.indexOf(row) - 1];
    this.count = all.length;
  }

  // The row that had the focus is gone: trashed, restored or purged, or the "more" row that became rows.
  follow = () => {
    if (!this.leaving || (this.leaving.isConnected && !this.leaving.hidden)) return;
    const added = rows(this).length - this.count;
    if (added > 0) announce(`${added} more sessions`);
    if (document.activeElement === document.body) focusRow(added > 0 ? rows(this)[this.count] : this.next);
    this.leaving = null;
  };
});
