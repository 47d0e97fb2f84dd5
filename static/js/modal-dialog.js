// <modal-dialog>: its dialog opens when something is put into it and closes when it is emptied.
customElements.define("modal-dialog", class extends HTMLElement {
  connectedCallback() {
    this.dialog = this.querySelector("dialog");
    new MutationObserver(() => this.follow()).observe(this.dialog, { childList: true });
    this.dialog.addEventListener("close", () => this.dialog.replaceChildren());
    this.dialog.addEventListener("click", (event) => {
      if (event.target !== this.dialog && !event.target.closest("[data-close]")) return;
      event.preventDefault();
      this.dialog.close();
    });
  }

  follow() {
    if (this.dialog.childElementCount && !this.dialog.open) this.dialog.showModal();
    if (!this.dialog.childElementCount && this.dialog.open) this.dialog.close();
  }
});
