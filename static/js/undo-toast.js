// <undo-toast data-seconds>: leaves after its time, which stands still while it is hovered or holds the focus.
customElements.define("undo-toast", class extends HTMLElement {
  connectedCallback() {
    this.left = Number(this.dataset.seconds) * 1000; // milliseconds
    this.addEventListener("pointerenter", () => this.pause());
    this.addEventListener("pointerleave", () => this.resume());
    this.addEventListener("focusin", () => this.pause());
    this.addEventListener("focusout", () => this.resume());
    this.querySelector("[data-close]").addEventListener("click", () => this.remove());
    this.resume();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
  }

  pause() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.left -= Date.now() - this.since;
    this.dataset.state = "paused";
  }

  resume() {
    if (this.timer || this.matches(":hover, :focus-within")) return;
    this.since = Date.now();
    this.timer = setTimeout(() => this.remove(), Math.max(this.left, 0));
    this.dataset.state = "running";
  }
});
