// Makes a part of the page what the server now says it is, touching only what differs: what is being edited, unfolded or
// focused stays so.
const EDITED = "rename-form, session-find, .session-head .switch";
const AGES = "relative-time, clock-time"; // which say the time of the server in words of their own
const OURS = new Set(["open", "data-htmx-powered", "data-settling", "data-current"]); // which no server writes

function key(node) {
  return node.id || node.dataset?.session || node.dataset?.node;
}

function isEdited(element) {
  const field = document.activeElement;
  return element.matches(EDITED) || (element.matches("form") && element.contains(field) && field.matches("input:not([type=hidden]), textarea, select"));
}

function moment(element) {
  return element.querySelector("time")?.dateTime;
}

function attributes(old, fresh) {
  const isReading = old.matches("transcript-outline a");
  for (const { name, value } of [...fresh.attributes]) {
    if (isReading && name === "aria-current") continue; // where the reader is, the page knows best
    if (!OURS.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !OURS.has(name) && !(isReading && name === "aria-current")) old.removeAttribute(name);
  }
}

function fits(old, fresh) {
  return old.nodeName === fresh.nodeName && key(old) === key(fresh);
}

export function insert(parent, node, before) {
  parent.insertBefore(node, before);
  if (node instanceof Element) window.htmx?.process(node);
}

// Puts the fresh nodes where these old ones stand, which follow each other in their parent; `update` makes an old one
// what a fresh one is that has the same key.
export function morphList(parent, olds, freshes, update = morph) {
  const after = olds.length ? olds.at(-1).nextSibling : null;
  const byKey = new Map(olds.filter(key).map((old) => [key(old), old]));
  const kept = new Set(freshes.filter(key).map((fresh) => byKey.get(key(fresh))));
  const rest = olds.filter((old) => !kept.has(old));
  let place = olds[0] ?? after;
  for (const fresh of freshes) {
    const keyed = key(fresh) && byKey.get(key(fresh));
    const found = keyed ?? (key(fresh) ? null : rest.find((old) => fits(old, fresh)));
    if (!found) {
      insert(parent, fresh, place);
      continue;
    }
    if (!keyed) rest.splice(0, rest.indexOf(found) + 1).forEach((old) => { if (old !== found) gone(old); });
    while (place && place !== after && (!place.parentNode || place.parentNode !== parent)) place = found;
    if (found === place) place = place.nextSibling;
    else if (parent.moveBefore) parent.moveBefore(found, place); // which keeps the focus
    else parent.insertBefore(found, place);
    update(found, fresh);
  }
  rest.forEach(gone);

  function gone(old) {
    if (old.hidden) return; // a row that was moved to the trash here waits for Undo in its place
    if (old === place) place = place.nextSibling;
    old.remove();
  }
}

export function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.isEqualNode(fresh) || isEdited(old)) return;
  if (old.nodeName !== fresh.nodeName || (old.matches(AGES) && moment(old) !== moment(fresh))) {
    old.replaceWith(fresh);
    window.htmx?.process(fresh);
    return;
  }
  if (old.matches(AGES)) return;
  attributes(old, fresh);
  morphList(old, [...old.childNodes], [...fresh.childNodes]);
}
