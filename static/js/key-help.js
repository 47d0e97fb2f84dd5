// <key-help>: shows the table of keys, and the switch that turns single keys off.
import { addKey, keysAreOn, keyTable, switchKeys } from "./keys.js";
import { liveIsOn, switchLive } from "./live-switch.js";

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

function row({ keys, text }) {
  const line = element("div", "", { class: "key-row" });
  const names = element("dt");
  keys.forEach((key) => names.append(element("kbd", key.replace("Arrow", ""))));
  line.append(names, element("dd", text));
  return line;
}

function list(place) {
  const section = element("section");
  const rows = element("dl", "", { class: "key-list" });
  rows.append(...keyTable().filter((each) => each.place === place).map(row));
  section.append(element("h2", place), rows);
  return section;
}

function toggle(words, isOn, turn) {
  const label = element("label", "", { class: "rule" });
  const box = element("input", "", { type: "checkbox", class: "check" });
  box.checked = isOn();
  box.addEventListener("change", () => turn(box.checked));
  label.append(box, words);
  return label;
}

function show() {
  const close = element("button", "Close", { class: "button", type: "button", "data-close": "", autofocus: "" });
  const foot = element("p", "", { class: "line" });
  close.classList.add("push");
  foot.append(toggle("Single keys act", keysAreOn, switchKeys), toggle("Pages follow what is written", liveIsOn, switchLive), close);
  const places = [...new Set(keyTable().map((each) => each.place))];
  document.getElementById("modal").replaceChildren(element("h1", "Keys", { id: "modal-title" }), ...places.map(list), foot);
}

customElements.define("key-help", class extends HTMLElement {
  connectedCallback() {
    this.querySelector("button").addEventListener("click", show);
  }
});

addKey("?", "Show these keys", "Everywhere", show);
