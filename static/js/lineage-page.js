// <lineage-page>: goes from one state of a lineage to another without leaving the page, so that focus and place stay;
// moves by arrow keys from a session to its parent (left), first child (right), the rows beside it, and with Shift to
// its siblings; keeps which sessions were ticked while their rows are out of sight; and tells beside the tree of the one
// in whose row somebody is.
import { addKey } from "./keys.js";
import { morph } from "./morph.js";
import { moment } from "./relative-time.js";

const PAUSE = 350; // milliseconds after which a slider that is moved by keys is taken to have arrived
const SETTLED = 120; // milliseconds after which somebody stays in a row
const MOST = 4; // sessions that are compared

customElements.define("lineage-page", class extends HTMLElement {
  connectedCallback() {
    this.chosen = new Set();
    this.addEventListener("click", (event) => { this.follow(event); this.tell(event); });
    this.addEventListener("focusin", (event) => this.tell(event));
    this.addEventListener("keydown", (event) => this.move(event));
    this.addEventListener("input", (event) => { if (event.target.name === "step") this.show(event.target); });
    this.addEventListener("change", (event) => this.change(event));
    this.addEventListener("submit", (event) => this.submit(event));
    addEventListener("popstate", () => this.go(location.href, false));
    addEventListener("pageshow", () => this.choose());
  }

  follow(event) {
    const link = event.target.closest("a[data-part]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
    event.preventDefault();
    this.go(link.href);
  }

  // Of a row that is in focus, or was clicked beside its links.
  tell(event) {
    const row = event.target.closest(".lanes tr[id]");
    if (!row || (event.type === "click" && event.target.closest("a, button, label"))) return;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.about(row), SETTLED);
  }

  async about(row) {
    const id = row.querySelector("a.title")?.pathname.match(/[0-9a-f-]{36}/)?.[0];
    if (!id || this.querySelector(".about").dataset.row === row.id) return;
    const url = new URL(location.href);
    url.hash = "";
    url.searchParams.set("about", id);
    const kept = url.href;
    url.searchParams.set("as", "about");
    const answer = await fetch(url, { headers: { "Live-Refresh": "1" } }).catch(() => null);
    if (!answer?.ok || !row.isConnected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".about");
    if (!fresh) return;
    this.told = id;
    history.replaceState(history.state, "", kept);
    this.querySelector(".about").replaceWith(fresh);
    this.mark();
  }

  // The row of which is told.
  mark() {
    const id = this.querySelector(".about").dataset.row;
    for (const row of this.querySelectorAll(".lanes tr[id]")) row.toggleAttribute("data-chosen", row.id === id);
  }

  async go(url, isNew = true) {
    url = this.told ? withParameter(url, "about", this.told) : url;
    const asked = this.asked = new AbortController();
    let fresh;
    try {
      const answer = await fetch(url, { headers: { Accept: "text/html", "Live-Refresh": "1" }, signal: asked.signal });
      if (!answer.ok) throw new Error(answer.statusText);
      fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      url = answer.redirected ? answer.url + new URL(url, location.href).hash : url;
    } catch {
      if (asked === this.asked) location.assign(url);
      return;
    }
    if (asked !== this.asked) return; // another one was asked for since
    if (isNew) history.pushState(null, "", url);
    for (const part of this.querySelectorAll("[data-live]")) {
      const other = fresh.querySelector(`lineage-page [data-live="${part.dataset.live}"]`);
      if (other) morph(part, other);
    }
    this.mark();
    const slider = this.querySelector("[name=step]");
    if (slider) slider.value = slider.defaultValue;
    this.choose();
    const row = this.querySelector(`tr[id="${new URL(url, location.href).hash.slice(1)}"]`);
    row?.querySelector("a.title").focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  change(event) {
    const field = event.target;
    if (field.name === "session") {
      if (field.checked) this.chosen.add(field.value);
      else this.chosen.delete(field.value);
      this.choose();
    }
    if (field.name === "step") {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.go(this.addressOf(field.form)), PAUSE);
    }
  }

  // What the forms keep of the state may have changed since the page was made.
  submit(event) {
    if (event.target.matches(".as-of")) {
      event.preventDefault();
      this.go(this.addressOf(event.target));
    } else if (event.target.role === "search") {
      event.preventDefault();
      location.assign(this.addressOf(event.target));
    }
  }

  addressOf(form) {
    const asked = new URLSearchParams(location.search);
    const { step, q, only } = form.elements;
    asked.delete("from");
    if (step) {
      asked.delete("at");
      asked.set("step", step.value);
    } else {
      asked.set("q", q.value);
      if (only.checked) asked.set("only", only.value);
      else asked.delete("only");
    }
    return `${location.pathname}?${asked}`;
  }

  // The moment that a slider stands at, while it is moved.
  show(slider) {
    const first = new Date(slider.dataset.first).getTime();
    const part = slider.value / slider.max;
    const words = part === 1 ? "now" : moment(new Date(first + (new Date(slider.dataset.last).getTime() - first) * part));
    this.querySelector("[data-moment]").textContent = words;
    slider.setAttribute("aria-valuetext", words);
    for (const end of ["x1", "x2"]) this.querySelector("line.now").setAttribute(end, `${100 * part}%`);
  }

  choose() {
    const form = this.querySelector("#choice");
    form.querySelectorAll("input").forEach((each) => each.remove());
    const seen = new Set();
    for (const box of this.querySelectorAll("input[name=session]")) {
      seen.add(box.value);
      box.checked = this.chosen.has(box.value);
      box.disabled = !box.checked && this.chosen.size >= MOST;
    }
    for (const id of this.chosen) {
      if (!seen.has(id)) form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "session", value: id }));
    }
    const button = form.querySelector("button");
    button.disabled = this.chosen.size < 2;
    button.querySelector("[data-label]").textContent = this.chosen.size ? `Compare ${this.chosen.size}` : "Compare";
  }

  move(event) {
    const row = event.target.closest(".lanes tr[id]");
    if (!row || event.ctrlKey || event.altKey || event.metaKey || !event.key.startsWith("Arrow")) return;
    const next = this.next(row, event.key, event.shiftKey);
    if (!next) return;
    event.preventDefault();
    if (typeof next === "string") this.go(next);
    else next.querySelector("a.title").focus();
  }

  // A row, or the address of the window in which it is.
  next(row, key, isSibling) {
    const rows = [...this.querySelectorAll(".lanes tr[id]")];
    const at = rows.indexOf(row);
    const { parent, up, down } = row.dataset;
    if (key === "ArrowLeft") return up ? windowAt(up) : rows.find((each) => each.id === parent);
    if (key === "ArrowRight") return down ? windowAt(down) : rows.find((each) => each.dataset.parent === row.id);
    const step = key === "ArrowUp" ? -1 : 1;
    if (!isSibling) return rows[at + step];
    return (step < 0 ? rows.slice(0, at).reverse() : rows.slice(at + 1)).find((each) => each.dataset.parent === parent);
  }
});

function withParameter(address, name, value) {
  const url = new URL(address, location.href);
  url.searchParams.set(name, value);
  return url.href;
}

// The address of the window that begins at a row: "64#mark".
function windowAt(place) {
  const [from, mark] = place.split("#");
  const asked = new URLSearchParams(location.search);
  asked.set("from", from);
  return `${location.pathname}?${asked}#${mark}`;
}

const rowOf = (selector) => document.activeElement?.closest(".lanes tr[id]") ?? document.querySelector(selector);
const page = () => document.querySelector("lineage-page");

addKey(["ArrowLeft", "p"], "Parent", "Lineage", () => step("ArrowLeft"));
addKey("ArrowRight", "First fork", "Lineage", () => step("ArrowRight"));
addKey(["ArrowUp", "k"], "Row before", "Lineage", () => step("ArrowUp"));
addKey(["ArrowDown", "j"], "Next row", "Lineage", () => step("ArrowDown"));
addKey("Shift", "With ↑ and ↓: the fork beside it", "Lineage", () => false); // listened for in the rows
addKey("x", "Tick to compare", "Lineage", () => {
  const box = rowOf("tr[aria-current]")?.querySelector("input[name=session]");
  box?.click();
  return Boolean(box);
});

function step(key) {
  const row = rowOf("tr[aria-current]") ?? document.querySelector(".lanes tr[id]");
  if (!row || (key.startsWith("Arrow") && !row.contains(document.activeElement) && document.activeElement !== document.body)) return false;
  const next = row.contains(document.activeElement) ? page().next(row, key, false) : row;
  if (!next) return false;
  if (typeof next === "string") page().go(next);
  else next.querySelector("a.title").focus();
  return true;
}
