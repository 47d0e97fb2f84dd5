// z: what was done last is taken back, by the toast that still says it or by the journal; a page that shows what has
// changed asks for itself anew, for it may not be told of it.
import { addKey } from "./keys.js";

addKey("z", "Take back what was done last", "Everywhere", () => {
  const button = document.querySelector("#toasts form button");
  const form = document.getElementById("undo-last");
  if (button) button.click();
  else form?.requestSubmit();
  return Boolean(button ?? form);
});

document.addEventListener("htmx:after:swap", () => {
  const mark = document.querySelector("#toasts [data-changed]");
  if (!mark) return;
  mark.remove();
  const shown = document.querySelector("live-page")?.ask().catch(() => location.reload());
  document.dispatchEvent(new CustomEvent("forklore:changed", { detail: { shown } }));
});
