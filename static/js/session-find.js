// <session-find>: the find box of a session. It counts while you type, and moves from match to match.
import { addKey } from "./keys.js";
import { go, marksOf, showMark } from "./transcript-stream.js";

const TYPING = "find"; // in sessionStorage: the page was left from within the box, and is to be gone on in there

function box() {
  return document.querySelector("session-find");
}

customElements.define("session-find", class extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.field = this.querySelector("[name=q]");
    this.marked = this.field.value; // what this page's marks stand for
    this.addEventListener("submit", (event) => this.move("next", event));
    this.addEventListener("click", (event) => {
      const link = event.target.closest("[data-step]");
      if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) this.move(link.dataset.step, event);
    });
    this.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close(event);
    });
    this.steps = null; // asked for while the links of the figures are of another message; null when they are right
    this.addEventListener("htmx:finally:request", () => this.goOn());
    if (sessionStorage.getItem(TYPING)) this.field.focus();
    sessionStorage.removeItem(TYPING);
  }

  open() {
    this.toggleAttribute("data-open", true);
    this.field.focus();
    this.field.select();
  }

  close(event) {
    event.preventDefault();
    if (this.marked) {
      location.assign(this.querySelector("[data-end]").href);
      return;
    }
    this.field.value = "";
    this.form.dispatchEvent(new Event("find:moved"));
    this.removeAttribute("data-open");
    this.field.blur();
  }

  // To another match in the message that is shown, to a message of this page, or to the page of that message.
  move(step, event) {
    if (this.field.value === this.marked && this.moveWithin(step)) {
      event?.preventDefault();
      return true;
    }
    if (this.steps) {
      event?.preventDefault();
      this.steps.push(step);
      return true;
    }
    const link = this.querySelector(`[data-step=${step}]`);
    if (!link || new URL(link.href).searchParams.get("q") !== this.field.value) return false; // the server finds out
    event?.preventDefault();
    const { position } = link.dataset;
    if (this.field.value === this.marked && go(position, link.href)) this.say(position);
    else {
      if (this.contains(document.activeElement)) sessionStorage.setItem(TYPING, "on");
      location.assign(link.href);
    }
    return true;
  }

  moveWithin(step) {
    const marks = marksOf(this.form.elements.at?.value);
    const here = marks.findIndex((mark) => mark.dataset.current !== undefined);
    return here >= 0 && showMark(marks[here + (step === "next" ? 1 : -1)] ?? null) || this.restore(marks[here]);
  }

  // No further match in there: the current one stays so until another message is reached.
  restore(mark) {
    mark?.toggleAttribute("data-current", true);
    return false;
  }

  say(position) {
    const field = this.form.elements.at ?? this.form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: "at" }));
    field.value = position;
    this.steps = [];
    this.form.dispatchEvent(new Event("find:moved"));
  }

  goOn() {
    const steps = this.steps ?? [];
    this.steps = null;
    steps.forEach((step) => this.move(step));
  }
});

document.addEventListener("click", (event) => {
  if (!event.target.closest(".find-link")) return;
  event.preventDefault();
  box().open();
});

addKey("s", "Find in this session", "Reading", () => (box() ? box().open() : false));
addKey("n", "Next match", "Reading", () => box()?.move("next") ?? false);
addKey("N", "Match before", "Reading", () => box()?.move("previous") ?? false);
