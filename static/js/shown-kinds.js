// <shown-kinds>: leaves out tool calls, thinking or notices, in every transcript until they are wanted again.
import { announce } from "./announce.js";

const root = document.documentElement;

customElements.define("shown-kinds", class extends HTMLElement {
  connectedCallback() {
    const hidden = (root.dataset.hide ?? "").split(" ");
    for (const box of this.boxes) box.checked = !hidden.includes(box.value);
    this.addEventListener("change", () => this.choose());
    this.show();
  }

  get boxes() {
    return [...this.querySelectorAll("input")];
  }

  choose() {
    const hidden = this.boxes.filter((box) => !box.checked).map((box) => box.value);
    if (hidden.length) root.dataset.hide = hidden.join(" ");
    else delete root.dataset.hide;
    localStorage.setItem("hidden-kinds", hidden.join(" "));
    this.show();
    announce(this.words);
  }

  get words() {
    const hidden = this.boxes.filter((box) => !box.checked).map((box) => box.parentElement.textContent.trim().toLowerCase());
    return hidden.length ? `Without ${hidden.join(", ")}` : "All kinds";
  }

  show() {
    this.querySelector("[data-label]").textContent = this.words;
    this.toggleAttribute("data-some", this.words !== "All kinds");
  }
});
