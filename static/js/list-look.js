// <list-look>: how close the rows of lists stand and which columns they have, shown at once; the server remembers it.
import { announce } from "./announce.js";

const root = document.documentElement;

function setOrDrop(name, value) {
  if (value) root.dataset[name] = value;
  else delete root.dataset[name];
}

customElements.define("list-look", class extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.form.addEventListener("change", () => this.show());
    this.form.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  show() {
    const density = this.form.elements.density.value;
    const boxes = [...this.form.querySelectorAll("[type=checkbox]")];
    const hidden = boxes.filter((box) => !box.checked);
    setOrDrop("density", density === "compact" && density);
    setOrDrop("without", hidden.map((box) => box.value).join(" "));
    const names = hidden.map((box) => box.parentElement.textContent.trim().toLowerCase());
    announce(`${density === "compact" ? "Compact" : "Comfortable"} rows, ${names.length ? `without ${names.join(", ")}` : "all columns"}`);
  }

  close() {
    const menu = this.closest("details");
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
