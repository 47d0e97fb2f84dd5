// Where the focus goes when the row that had it leaves the list of projects: to the one that took its place.
let place = -1;

function rows() {
  return [...document.querySelectorAll("[data-project]")];
}

document.addEventListener("focusin", (event) => {
  const row = event.target.closest("[data-project]");
  if (row) place = rows().indexOf(row);
  else if (!event.target.closest("#modal")) place = -1;
});
document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest("[data-project], #modal")) place = -1;
});

new MutationObserver(() => {
  const all = rows();
  if (place >= 0 && all.length && document.activeElement === document.body) all[Math.min(place, all.length - 1)].querySelector(".title")?.focus();
}).observe(document.getElementById("main"), { childList: true, subtree: true });
