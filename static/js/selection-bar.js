// <selection-bar>: how much of the list is ticked. Ticks alone show and send its form (selection.css); this adds ranges,
// keys, the tick of the head, and words.
import { announce } from "./announce.js";
import { addKey } from "./keys.js";

function boxes() {
  return [...document.querySelectorAll('session-list [form="selection"]')].filter((box) => !box.closest("[hidden]"));
}

function bar() {
  return document.querySelector("selection-bar");
}

function boxHere() {
  return document.activeElement.closest("[data-session]")?.querySelector('[form="selection"]');
}

customElements.define("selection-bar", class extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.all = this.querySelector("[name=all]");
    this.words = "";
    this.last = null; // the box from which a range goes
    this.left = null; // that of a row which is trashed by itself
    document.addEventListener("click", this.click);
    document.addEventListener("change", this.change);
    document.addEventListener("forklore:changed", this.done);
    this.form.addEventListener("reset", (event) => { event.preventDefault(); this.clear(); });
    this.watcher = new MutationObserver(() => this.say());
    const list = document.querySelector("[data-live=list]");
    if (list) this.watcher.observe(list, { childList: true, subtree: true });
    this.say(); // the browser may have kept ticks over a reload
  }

  disconnectedCallback() {
    document.removeEventListener("click", this.click);
    document.removeEventListener("change", this.change);
    document.removeEventListener("forklore:changed", this.done);
    this.watcher.disconnect();
  }

  click = (event) => {
    const box = event.target.closest?.('[form="selection"]');
    const trash = event.target.closest?.("[data-trash]");
    if (trash) this.left = trash.closest("[data-session]").querySelector('[form="selection"]');
    if (!box) return;
    if (event.shiftKey) this.range(box, box.checked);
    this.last = box;
  };

  change = (event) => {
    if (event.target === this.all) this.tick(boxes(), this.all.checked);
    else if (event.target.matches("[data-all]")) this.tick(boxes(), event.target.checked);
    else if (!event.target.matches('[form="selection"]')) return;
    if (event.target !== this.all && boxes().some((box) => !box.checked)) this.all.checked = false;
    this.say();
  };

  // The bar goes, and the focus to the first row that was ticked or trashed, or to the one that follows if that is gone.
  done = async ({ detail: { shown } }) => {
    const rows = boxes();
    const isLeft = (box) => box.checked || box === this.left;
    const first = rows.findIndex(isLeft);
    const places = first < 0 ? [] : [rows[first], rows.slice(first).find((box) => !isLeft(box)), rows.findLast((box) => !isLeft(box))];
    this.left = null;
    this.clear();
    await shown;
    if (document.activeElement !== document.body && !document.activeElement.closest(".bulk, .modal")) return;
    places.find((box) => box?.isConnected)?.closest("[data-session]").querySelector(".title")?.focus();
  };

  // Both ends, and what stands between them, become what the second one was made.
  range(box, checked) {
    const rows = boxes();
    const [from, to] = [rows.indexOf(this.last), rows.indexOf(box)];
    if (from >= 0 && to >= 0) this.tick(rows.slice(Math.min(from, to), Math.max(from, to) + 1), checked);
  }

  tick(some, checked) {
    some.forEach((box) => { box.checked = checked; });
  }

  toggle(box, isRange) {
    box.checked = isRange || !box.checked;
    if (isRange) this.range(box, true);
    if (!box.checked) this.all.checked = false;
    this.last = box;
    this.say();
  }

  clear() {
    this.all.checked = false;
    this.tick(boxes(), false);
    this.say();
  }

  say() {
    const rows = boxes();
    if (this.all.checked) this.tick(rows, true); // those that came since
    const count = rows.filter((box) => box.checked).length;
    const shown = document.querySelector("session-list")?.dataset;
    const total = Number(shown?.total ?? 0).toLocaleString("en");
    if (shown?.list) this.form.elements.list.value = shown.list; // which a filter may have changed
    const words = this.all.checked ? `${total} selected` : count ? `${count.toLocaleString("en")} selected` : "";
    const head = document.querySelector("[data-all]");
    if (head) {
      head.checked = count > 0 && count === rows.length;
      head.indeterminate = count > 0 && count < rows.length;
    }
    this.querySelector("[data-total]").textContent = total;
    if (words === this.words) return;
    this.words = words;
    this.querySelector("[data-sum]").textContent = words || "Selected";
    announce(words || "Nothing selected");
  }
});

addKey("x", "Select the row", "Lists", () => {
  const box = boxHere();
  if (box) bar()?.toggle(box, false);
  return Boolean(box);
});
addKey("X", "Select the rows up to here", "Lists", () => {
  const box = boxHere();
  if (box) bar()?.toggle(box, true);
  return Boolean(box);
});
addKey("Escape", "Clear the selection", "Lists", () => {
  if (!boxes().some((box) => box.checked)) return false;
  bar()?.clear();
});
