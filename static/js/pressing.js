// A press is never lost: where the page is laid out anew between press and release, what was pressed moves away from under
// the pointer, and the browser gives the click to what both places have in common, which does nothing with it.
const CONTROLS = "a[href], button, summary";
const STILL = 6; // pixels by which a pointer may move in a click
const TAP = 100; // milliseconds after its release in which a touch becomes a click
const LONGEST = 10_000; // milliseconds for which others wait for a release

let press = null; // on which control the pointer went down, and where
const waiting = [];

addEventListener("pointerdown", (event) => {
  end();
  if (event.isPrimary && event.button === 0) press = { control: event.target.closest?.(CONTROLS), x: event.clientX, y: event.clientY };
}, true);

addEventListener("pointerup", () => {
  const here = press;
  setTimeout(() => { if (press === here) end(); }, TAP);
}, true);

addEventListener("pointercancel", end, true);

addEventListener("click", (event) => {
  const { control, x, y } = press ?? {};
  end();
  if (!control?.isConnected || !event.isTrusted || control.contains(event.target)) return;
  if (Math.hypot(event.clientX - x, event.clientY - y) > STILL) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  control.dispatchEvent(new PointerEvent("click", event));
}, true);

function end() {
  press = null;
  setTimeout(() => waiting.splice(0).forEach((go) => go())); // after the click, which is still on its way
}

// Until no pointer is down: to draw anew under one would take away what is being pressed or selected.
export function released() {
  return press ? new Promise((go) => { waiting.push(go); setTimeout(go, LONGEST); }) : Promise.resolve();
}
