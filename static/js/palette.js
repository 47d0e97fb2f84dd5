// Ctrl-K: one box from which every key's deed, every place and every project at hand can be reached by typing.
import { addKey, keyTable } from "./keys.js";

const MOST = 12; // choices shown at once

function deeds() {
  return keyTable().filter(({ place }) => place !== "Palette").map(({ text, keys, run }) => ({ text, hint: keys[0], go: (event) => run(event) }));
}

function links(selector, prefix) {
  return [...document.querySelectorAll(selector)].map((link) => ({
    text: prefix + (link.querySelector(".name") ?? link).textContent.trim(),
    hint: "",
    go: () => link.click(),
  }));
}

function search(words) {
  const form = document.querySelector("form.finder");
  return { text: `Search for “${words}”`, hint: "", go: () => location.assign(`${form.action}?q=${encodeURIComponent(words)}`) };
}

function matching(all, typed) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter(({ text }) => words.every((word) => text.toLowerCase().includes(word)));
}

class Palette {
  constructor(back) {
    this.back = back; // what had the focus, for which the deeds are
    this.all = [...deeds(), ...links(".rail .project[title]", "Project ")];
    this.box = document.createElement("div");
    this.box.className = "palette";
    this.box.innerHTML = `<h1 class="hidden-text" id="modal-title">What to do</h1>
<input role="combobox" aria-expanded="true" aria-controls="palette-choices" aria-label="What to do" autocomplete="off" spellcheck="false" placeholder="What to do, or where to go" autofocus>
<ul id="palette-choices" role="listbox" aria-label="Choices"></ul>`;
    this.input = this.box.querySelector("input");
    this.list = this.box.querySelector("ul");
    this.input.addEventListener("input", () => this.draw(0));
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("click", (event) => {
      const choice = event.target.closest("li");
      if (choice) this.choose([...this.list.children].indexOf(choice), event);
    });
    document.getElementById("modal").replaceChildren(this.box);
    this.draw(0);
  }

  draw(at) {
    const typed = this.input.value.trim();
    this.shown = matching(this.all, typed).slice(0, MOST);
    if (typed) this.shown.push(search(typed));
    this.at = Math.min(Math.max(at, 0), this.shown.length - 1);
    this.list.replaceChildren(...this.shown.map((choice, index) => this.line(choice, index)));
    this.input.setAttribute("aria-activedescendant", `palette-${this.at}`);
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  line({ text, hint }, index) {
    const line = document.createElement("li");
    line.id = `palette-${index}`;
    line.setAttribute("role", "option");
    line.setAttribute("aria-selected", String(index === this.at));
    line.append(text);
    if (hint) {
      const key = document.createElement("kbd");
      key.textContent = hint.replace("Arrow", "");
      line.append(key);
    }
    return line;
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.draw((this.at + step + this.shown.length) % this.shown.length);
    else if (event.key === "Enter" && !event.isComposing) this.choose(this.at, event);
    else return;
    event.preventDefault();
  }

  choose(index, event) {
    const choice = this.shown[index];
    document.getElementById("modal").close();
    this.back?.focus?.();
    choice?.go(event);
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  const modal = document.getElementById("modal");
  if (modal.open) modal.close();
  else new Palette(document.activeElement);
});
addKey("Ctrl-K", "Do or find anything", "Palette", () => false); // listened for above, also while typing
