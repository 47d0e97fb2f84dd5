// <copy-menu data-url="…/raw/"><button>: offers a message as text, Markdown or JSON, and copies what is chosen; secrets are
// left out, where the menu has the attribute data-secrets unless that is chosen.
import { copy } from "./copy-text.js";

const CHOICES = { text: "Copy text", markdown: "Copy Markdown", json: "Copy JSON" };
const WITH_SECRETS = { text: "Copy text with secrets", json: "Copy JSON with secrets" };

customElements.define("copy-menu", class extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector("button");
    this.button.addEventListener("click", () => this.open());
  }

  open() {
    this.menu ??= this.build();
    const { right, bottom } = this.button.getBoundingClientRect();
    this.menu.showPopover();
    const { width, height } = this.menu.getBoundingClientRect();
    this.menu.style.left = `${Math.max(4, right - width)}px`; // through the object model, which the policy allows
    this.menu.style.top = `${Math.min(bottom + 2, innerHeight - height - 4)}px`;
    this.menu.querySelector("button").focus();
  }

  build() {
    const menu = document.createElement("div");
    menu.popover = "auto";
    menu.className = "copy-choices";
    menu.setAttribute("role", "menu");
    for (const [kind, label] of Object.entries(CHOICES)) menu.append(this.choice(`${kind}&secrets=hidden`, label));
    if (this.dataset.secrets !== undefined)
      for (const [kind, label] of Object.entries(WITH_SECRETS)) menu.append(this.choice(kind, label));
    menu.addEventListener("keydown", (event) => this.move(event));
    this.append(menu);
    return menu;
  }

  choice(kind, label) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.setAttribute("role", "menuitem");
    button.addEventListener("click", () => this.copy(kind, label));
    return button;
  }

  move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...this.menu.children];
    all.at((all.indexOf(document.activeElement) + step) % all.length).focus();
  }

  async copy(kind, label) {
    this.menu.hidePopover();
    this.button.focus();
    const answer = await fetch(`${this.dataset.url}?as=${kind}`);
    if (answer.ok) await copy(await answer.text(), label.replace("Copy ", ""));
  }
});
