// <query-words>: underlines in the query what was not understood, beneath the letters of the field itself.
customElements.define("query-words", class extends HTMLElement {
  connectedCallback() {
    this.field = this.closest("form").querySelector("[name=q]");
    this.field.addEventListener("input", this.cut);
    this.field.addEventListener("scroll", this.follow);
    this.cut();
  }

  disconnectedCallback() {
    this.field.removeEventListener("input", this.cut);
    this.field.removeEventListener("scroll", this.follow);
  }

  // The lines stay beneath what was not changed since; the answer brings the others.
  cut = () => {
    const { value } = this.field;
    let length = 0;
    for (const piece of [...this.childNodes]) {
      length += piece.textContent.length;
      if (value.slice(length - piece.textContent.length, length) !== piece.textContent) {
        while (piece.nextSibling) piece.nextSibling.remove();
        piece.remove();
        break;
      }
    }
    this.follow();
  };

  // A field scrolls its text by itself.
  follow = () => {
    this.parentElement.scrollLeft = this.field.scrollLeft;
  };
});
