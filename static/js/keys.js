// The one table of keys. A module that handles a key adds it here, and the help shows what is in the table.
const SWITCH = "keys"; // in localStorage: "off" switches single keys off
const table = [];

// key: what KeyboardEvent.key says, or several of them; text: what it does; place: heading in the help;
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

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const single = event.key.length === 1;
  if (single && !keysAreOn()) return;
  for (const { keys, run } of table) {
    if (keys.includes(event.key) && run(event) !== false) {
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
