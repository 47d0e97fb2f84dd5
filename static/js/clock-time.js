// <clock-time><time datetime>: the time of day of a message in the viewer's zone; the server writes it in UTC.
import { moment } from "./relative-time.js";

customElements.define("clock-time", class extends HTMLElement {
  connectedCallback() {
    const time = this.querySelector("time");
    const then = new Date(time?.dateTime);
    if (isNaN(then)) return;
    time.textContent = `${String(then.getHours()).padStart(2, "0")}:${String(then.getMinutes()).padStart(2, "0")}`;
    time.title = moment(then);
  }
});
