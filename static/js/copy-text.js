// <copy-text data-text="…"><button>: copies a text; with data-is-address it is made a whole address first.
import { announce } from "./announce.js";

export async function copy(text, what) {
  await navigator.clipboard.writeText(text);
  announce(`${what} copied`);
}

customElements.define("copy-text", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", () => this.copy());
  }

  async copy() {
    const { text, isAddress } = this.dataset;
    const label = this.querySelector("[data-label]");
    const before = label.textContent;
    await copy(isAddress === undefined ? text : new URL(text, location).href, before.replace("Copy ", ""));
    label.textContent = "Copied";
    this.dataset.copied = "";
    setTimeout(() => {
      label.textContent = before;
      delete this.dataset.copied;
    }, 1500);
  }
});
