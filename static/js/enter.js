// Hands the code of a launch link in, so that it stands in no address that is sent, kept or logged.
customElements.define("enter-form", class extends HTMLElement {
  connectedCallback() {
    const form = this.querySelector("form");
    if (location.pathname !== form.getAttribute("action")) this.#goOnIfLetIn();
    else if (location.hash.length > 1 && !location.search) this.#use(form, location.hash.slice(1));
  }

  #use(form, code) {
    history.replaceState(null, "", location.pathname);
    form.elements.code.value = code;
    form.requestSubmit();
  }

  // After a link on another site the browser keeps the cookie back, and sends it as soon as this page asks itself.
  async #goOnIfLetIn() {
    const answer = await fetch("/enter/known/");
    if (!answer.ok) return;
    const here = encodeURIComponent(location.pathname + location.search);
    location.replace(`/enter/?next=${here}${location.hash}`);
  }
});
