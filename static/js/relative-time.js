// <relative-time><time datetime>: the age of a moment, kept current and in the viewer's zone.
// Says what sessions_app/web/formats.py says in UTC.
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const shown = new Set();

function midnight(moment) {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
}

export function age(then, now = new Date()) {
  const seconds = (now - then) / 1000;
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  const days = Math.round((midnight(now) - midnight(then)) / 86400000);
  if (days === 0 || seconds < 6 * 3600) return `${Math.floor(seconds / 3600)} h`;
  if (days === 1) return "yesterday";
  if (days < 7) return DAYS[then.getDay()];
  const day = `${then.getDate()} ${MONTHS[then.getMonth()]}`;
  return then.getFullYear() === now.getFullYear() ? day : `${day} ${then.getFullYear()}`;
}

export function moment(then) {
  const clock = `${String(then.getHours()).padStart(2, "0")}:${String(then.getMinutes()).padStart(2, "0")}`;
  return `${then.getDate()} ${MONTHS[then.getMonth()]} ${then.getFullYear()}, ${clock}`;
}

customElements.define("relative-time", class extends HTMLElement {
  connectedCallback() {
    shown.add(this);
    this.show();
  }

  disconnectedCallback() {
    shown.delete(this);
  }

  show() {
    const time = this.querySelector("time");
    const then = new Date(time?.dateTime);
    if (isNaN(then)) return;
    const text = age(then);
    if (time.textContent !== text) time.textContent = text;
    time.title = moment(then);
  }
});

setInterval(() => shown.forEach((element) => element.show()), 30000);
