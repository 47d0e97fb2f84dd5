// <rich-text>: colours the blocks of code in it, once they come near to the viewport. The highlighter is loaded for the
// first of them; without it the code reads as it stands.
const LIMIT = 50_000; // characters of a block; longer ones stay plain
let highlighter;

function load() {
  highlighter ??= import("../vendor/highlight/highlight.min.js").then((module) => module.default);
  return highlighter;
}

async function colour(code) {
  const language = [...code.classList].find((name) => name.startsWith("language-"))?.slice(9);
  const library = await load();
  if (!library.getLanguage(language) || code.querySelector("mark")) return;
  code.innerHTML = library.highlight(code.textContent, { language, ignoreIllegals: true }).value; // it escapes the text
}

const nearby = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    nearby.unobserve(target);
    colour(target);
  }
}, { rootMargin: "400px" });

customElements.define("rich-text", class extends HTMLElement {
  connectedCallback() {
    for (const code of this.querySelectorAll("pre > code[class]")) {
      if (code.textContent.length <= LIMIT) nearby.observe(code);
    }
  }
});
