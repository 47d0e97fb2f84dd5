// <rename-form>: the field that renames a session or a project in place; Escape restores the title.
import { addKey } from "./keys.js";

const DOUBLE_CLICK = 250; // milliseconds in which a second click on a title makes it a double click

customElements.define("rename-form", class extends HTMLElement {
  connectedCallback() {
    this.querySelector("[name=title]").select();
    this.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.querySelector("[data-cancel]").click();
    });
  }
});

function rename(place) {
  const button = place?.querySelector("[data-rename]");
  button?.click();
  return Boolean(button);
}

function placeOf(element) {
  return element?.closest("[data-session], [data-project], .session-head");
}

addKey(["r", "F2"], "Rename", "Sessions", () => rename(placeOf(document.activeElement) ?? document.querySelector(".session-head")));

// The first click of a double click must not leave the page, so a click of the mouse on a title that can be renamed
// waits for the second one. Enter and taps open at once.
let waiting;
document.addEventListener("click", (event) => {
  const title = event.target.closest("[data-renamable] > a.title");
  if (!title || event.detail === 0 || event.pointerType !== "mouse") return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  clearTimeout(waiting);
  if (event.detail === 1) waiting = setTimeout(() => location.assign(title.href), DOUBLE_CLICK);
});

document.addEventListener("dblclick", (event) => {
  if (event.target.closest("[data-renamable]")) rename(placeOf(event.target));
});
