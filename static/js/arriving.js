// How a message of a transcript comes into view, and what was found in it.

// Messages near to the one that comes into view are drawn for the first time then, and push it away; hence again.
// Who is typing in the find box goes on typing.
export function arrive(message, marks = [], frames = 8) {
  marks.slice(0, 1).forEach(unfold);
  if (!document.activeElement.closest("session-find")) message.focus({ preventScroll: true });
  message.scrollIntoView({ block: "start" });
  if (frames) requestAnimationFrame(() => arrive(message, marks, frames - 1));
  else showMark(marks[0]);
}

// Scrolls what is steady back to where it stood. Messages that are not in view have an estimated height until they were
// drawn once; those before it are drawn at once, so that their heights are known before the page is scrolled by their sum.
export function hold(steady, top) {
  const before = [...steady.parentNode.querySelectorAll(".message")].filter(
    (message) => message.compareDocumentPosition(steady) & Node.DOCUMENT_POSITION_FOLLOWING,
  );
  before.forEach((message) => message.toggleAttribute("data-settling", true));
  scrollBy(0, steady.getBoundingClientRect().top - top);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    before.forEach((message) => message.removeAttribute("data-settling"));
  }));
}

export function toEnd(frames = 8) {
  scrollTo(0, document.documentElement.scrollHeight);
  if (frames) requestAnimationFrame(() => toEnd(frames - 1));
}

function unfold(mark) {
  for (let fold = mark.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}

// Makes a match the current one; false if there is none.
export function showMark(mark) {
  document.querySelectorAll("mark[data-current]").forEach((each) => each.removeAttribute("data-current"));
  if (!mark) return false;
  unfold(mark);
  mark.toggleAttribute("data-current", true);
  const { top, bottom } = mark.getBoundingClientRect();
  const line = parseFloat(getComputedStyle(mark.closest(".message")).scrollMarginTop);
  if (top < line || bottom > innerHeight - 60) mark.scrollIntoView({ block: "center" });
  return true;
}
