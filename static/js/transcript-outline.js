// <transcript-outline>: goes to a prompt within the page where it is loaded, and marks the one that is being read.
import { go } from "./transcript-stream.js";

customElements.define("transcript-outline", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", (event) => this.follow(event));
    this.onscroll = () => { this.frame ??= requestAnimationFrame(() => this.mark()); };
    addEventListener("scroll", this.onscroll, { passive: true });
    this.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  disconnectedCallback() {
    removeEventListener("scroll", this.onscroll);
  }

  follow(event) {
    const link = event.target.closest("[data-position]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !go(link.dataset.position, link.href)) return;
    event.preventDefault();
  }

  mark() {
    this.frame = null;
    const read = [...document.querySelectorAll("#m0, .message[data-role=person]")]
      .findLast((message) => message.getBoundingClientRect().top < innerHeight / 3);
    const position = Number(read?.id.slice(1) ?? -1);
    const links = [...this.querySelectorAll("[data-position]")];
    const current = links.findLast((link) => Number(link.dataset.position) <= position);
    if (!current || current.ariaCurrent) return;
    links.forEach((link) => link.removeAttribute("aria-current"));
    current.setAttribute("aria-current", "true");
    const { top, bottom } = current.getBoundingClientRect();
    if (top < 150 || bottom > innerHeight) current.scrollIntoView({ block: "nearest" });
  }
});
