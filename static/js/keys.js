// The one table of keys. A module that handles a key adds it here, and the help shows what is in the table.
const SWITCH = "keys"; // in localStorage: "off" switches single keys off
const table = [];

// key: what KeyboardEvent.key says, or several of them; "g s" is one after the other; text: what it does; place: heading in the help;
// run(event): returns false if it had nothing to do.
export function addKey(key, text, place, run) {
  table.push({ keys: [key].flat(), text, place, run });
}

export function keyTable() {
  return table;
}

export function keysAreOn() {
  return localStorage.getItem(SWITCH) !== "off";
}

export function switchKeys(on) {
  if (on) localStorage.removeItem(SWITCH);
  else localStorage.setItem(SWITCH, "off");
}

function isTyping(target) {
  return target.closest?.("input, textarea, select, [contenteditable]") && !target.closest("[type=checkbox], [type=radio]");
}

const SECOND = 1500; // milliseconds in which the second key of two is waited for
let first = "";

function pressed(key) {
  const before = first;
  first = "";
  if (before) return `${before} ${key}`;
  if (table.some(({ keys }) => keys.some((each) => each.startsWith(`${key} `)))) {
    first = key;
    setTimeout(() => { if (first === key) first = ""; }, SECOND);
  }
  return key;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const single = event.key.length === 1 || first;
  if (single && !keysAreOn()) return;
  const key = pressed(event.key);
  for (const { keys, run } of table) {
    if (keys.includes(key) && run(event) !== false) {
      event.preventDefault();
      return;
    }
  }
});

addKey("/", "Search", "Everywhere", () => {
  const field = [...document.querySelectorAll("[data-find]")].find((each) => each.offsetParent);
  if (!field) return false;
  field.focus();
  field.select();
});

// Where the links of the top lead to, so that what a page does not offer has no key there.
const PLACES = { s: "Sessions", p: "Projects", c: "Clean-up", t: "Trash", e: "Settings" };
for (const [key, name] of Object.entries(PLACES)) {
  const link = () => [...document.querySelectorAll(".places a")].find((each) => (each.ariaLabel ?? each.textContent).trim() === name);
  if (document.readyState === "loading" || link()) addKey(`g ${key}`, `Go to ${name}`, "Everywhere", () => link()?.click() ?? Boolean(link()));
}
