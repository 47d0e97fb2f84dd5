// Whether pages follow what is written; remembered.
const SWITCH = "live"; // in localStorage: "off" switches it off
export const SWITCHED = "live:switched"; // an event of the document

export function liveIsOn() {
  return localStorage.getItem(SWITCH) !== "off";
}

export function switchLive(on) {
  if (on) localStorage.removeItem(SWITCH);
  else localStorage.setItem(SWITCH, "off");
  document.dispatchEvent(new Event(SWITCHED));
}
