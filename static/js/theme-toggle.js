// <theme-toggle>: goes from the system's theme to light to dark, and remembers it.
const THEMES = ["system", "light", "dark"];

customElements.define("theme-toggle", class extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector("button");
    this.button.addEventListener("click", () => this.choose(THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length]));
    this.show();
  }

  get theme() {
    return document.documentElement.dataset.theme ?? "system";
  }

  choose(theme) {
    if (theme === "system") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("theme");
    } else {
      document.documentElement.dataset.theme = theme;
      localStorage.setItem("theme", theme);
    }
    this.show();
  }

  show() {
    this.dataset.theme = this.theme;
    const label = `Theme: ${this.theme}`;
    this.button.setAttribute("aria-label", label);
    this.button.title = label;
  }
});
