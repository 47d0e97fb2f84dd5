// <day-line><time datetime>: where another day begins. The server draws the days of UTC; in another zone they begin
// elsewhere, so the lines are drawn anew from the times of the messages.
const FORMAT = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric" });

function words(then) {
  return FORMAT.format(then).replace(",", "");
}

function line(then) {
  const element = document.createElement("day-line");
  element.className = "day";
  const time = document.createElement("time");
  time.dateTime = then.toISOString();
  element.append(time);
  return element;
}

export function redrawDays(stream) {
  if (!new Date().getTimezoneOffset()) return;
  stream.querySelectorAll("day-line").forEach((each) => each.remove());
  let day = "";
  for (const message of stream.querySelectorAll(".message")) {
    const then = new Date(message.querySelector("clock-time time")?.dateTime ?? NaN);
    if (isNaN(then) || words(then) === day) continue;
    day = words(then);
    message.before(line(then));
  }
}

customElements.define("day-line", class extends HTMLElement {
  connectedCallback() {
    const time = this.querySelector("time");
    time.textContent = words(new Date(time.dateTime));
  }
});
