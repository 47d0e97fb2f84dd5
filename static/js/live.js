// <live-page data-since data-lists data-session data-tree>: is told over a WebSocket which sessions changed, and has the
// page ask for itself anew. A hint carries nothing that is shown, so that one that is lost loses nothing: who was cut off
// says up to where it was told.
import { arrive, toEnd } from "./arriving.js";
import { address, asItNowIs, follow, grows, isAtEnd, redraw, transcript } from "./live-transcript.js";
import { liveIsOn, SWITCHED } from "./live-switch.js";
import { morph } from "./morph.js";
import { released } from "./pressing.js";

const FIRST_WAIT = 250; // milliseconds until it tries again, doubled each time
const LONGEST_WAIT = 10_000;
const CALM = 3; // times as long as a page took to come, until it is asked for again: a busy server is asked less often
const LEAST_CALM = 200; // milliseconds
const HIDDEN = 60_000; // milliseconds after which a page that nobody looks at closes its socket
const TOLD = 6000; // milliseconds for which it is said that a transcript was drawn anew
const MOST_ROWS = 500; // of a list that is asked for anew
const NOBODY = 4401; // what the server closes with when who had the page has it no longer

async function get(url) {
  // What is told once is for the page that the person goes to, and not for one that renews itself behind it.
  const answer = await fetch(url, { headers: { Accept: "text/html", "Live-Refresh": "1" } });
  if (!answer.ok) throw Object.assign(new Error(`The server answered ${answer.status}.`), { status: answer.status });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function rowsOf(page) {
  return page.querySelectorAll("session-list tbody > tr:not([hidden], .more-row)").length;
}

// A list of which more was shown than its first page comes with as many rows.
async function withMoreRows(fresh, wanted) {
  while (rowsOf(fresh) < wanted) {
    const more = fresh.querySelector("#more");
    if (!more) return;
    const next = await get(more.querySelector("a").href);
    more.replaceWith(...next.querySelectorAll("session-list tbody > tr"));
  }
}

customElements.define("live-page", class extends HTMLElement {
  connectedCallback() {
    this.since = this.dataset.since;
    this.failures = 0;
    this.state = this.appendChild(document.createElement("span"));
    this.state.role = "status";
    document.addEventListener(SWITCHED, () => this.start());
    document.addEventListener("visibilitychange", () => this.look());
    addEventListener("pagehide", () => this.stop()); // an open socket would keep the browser from going back at once
    addEventListener("pageshow", (event) => { if (event.persisted) this.start(); });
    addEventListener("online", () => { if (this.socket === null) this.connect(); });
    addEventListener("scroll", () => this.read(), { passive: true });
    this.swaps = 0; // what the person did to the page since it was opened
    document.addEventListener("htmx:after:swap", () => { this.swaps += 1; });
    this.start();
  }

  start() {
    this.stop();
    if (liveIsOn()) this.connect();
  }

  stop() {
    clearTimeout(this.retry);
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
    this.say("");
  }

  connect() {
    clearTimeout(this.retry);
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live/`);
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify(this.watched()));
    socket.onmessage = (event) => { if (this.socket === socket) this.told(JSON.parse(event.data)); };
    socket.onclose = (event) => { if (this.socket === socket) this.cut(event.code); };
  }

  watched() {
    const { lists, session, tree } = this.dataset;
    return { lists: lists !== undefined, session: session ?? null, tree: tree ?? null, since: this.since };
  }

  told({ since, sessions, resync }) {
    this.failures = 0;
    this.since = since;
    this.say("", "on");
    if (resync || sessions.length || this.isStale) this.refresh();
  }

  cut(code) {
    this.socket = null;
    if (code === NOBODY) {
      this.say("You are no longer let in.", "bad");
      return;
    }
    this.say("Reconnecting…", "cut");
    const wait = Math.min(FIRST_WAIT * 2 ** this.failures, LONGEST_WAIT);
    this.failures += 1;
    if (this.failures > 3) this.refresh(); // sockets may be what does not get through; pages may
    this.retry = setTimeout(() => this.connect(), wait * (0.5 + Math.random() / 2));
  }

  // A page that nobody looks at asks for nothing, and after a while is told nothing; it catches up when it is looked at.
  look() {
    clearTimeout(this.unseen);
    if (document.hidden) this.unseen = setTimeout(() => this.stop(), HIDDEN);
    else if (this.socket === undefined) this.start();
    else if (this.isStale) this.refresh();
  }

  async refresh() {
    this.isStale = true;
    if (this.isAsking || document.hidden) return;
    this.isAsking = true;
    while (this.isStale && !document.hidden && liveIsOn()) {
      this.isStale = false;
      const began = performance.now();
      try {
        await this.ask();
      } catch (error) {
        this.isStale = !error.status; // asked again with the next hint, or when it is connected again
        if (error.status === 404) this.offer("This is no longer here", location.href);
        break;
      }
      await new Promise((done) => { setTimeout(done, Math.max(LEAST_CALM, CALM * (performance.now() - began))); });
    }
    this.isAsking = false;
  }

  async ask() {
    if (transcript()) {
      await this.askForTranscript();
      return;
    }
    if (rowsOf(document) > MOST_ROWS) {
      this.offer("The list has changed", location.href);
      return;
    }
    const { swaps } = this;
    const fresh = await get(location.href);
    await withMoreRows(fresh, rowsOf(document));
    await released();
    if (swaps !== this.swaps) { // it is older than what the person has done meanwhile
      this.isStale = true;
      return;
    }
    this.renew(fresh);
    if (fresh.querySelector("[data-live=list]") && !document.querySelector("[data-live=list]")) this.offer("Sessions have come in", location.href);
  }

  async askForTranscript() {
    const wasAtEnd = isAtEnd();
    const last = document.querySelector("transcript-stream > .message:nth-last-child(1 of .message)")?.id || "end";
    const fresh = await get(address());
    await released();
    const added = follow(fresh);
    this.renew(fresh);
    if (added < 0) await this.redraw(wasAtEnd, last);
    else if (added > 0) this.count(added, wasAtEnd, last);
  }

  async redraw(wasAtEnd, last) {
    const fresh = await asItNowIs(get);
    await released();
    if (!fresh) {
      this.offer("This session was rewritten", location.href);
      return;
    }
    this.forget();
    const added = redraw(fresh);
    this.tell("Rewritten: shown as it is now");
    if (added > 0) this.count(added, wasAtEnd, last);
  }

  renew(fresh) {
    if (document.title !== fresh.title) document.title = fresh.title;
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (other && !other.querySelector("[data-cut]")) morph(part, other);
    }
  }

  // New messages that are out of view are counted, and gone to by a click or by the wish to follow.
  count(added, wasAtEnd, last) {
    if (wasAtEnd && this.follows && grows()) {
      this.scrollToEnd();
      return;
    }
    if (grows() && isAtEnd()) return;
    this.fresh = (this.fresh ?? 0) + added;
    this.firstNew ??= document.querySelector(`#${last} ~ .message`);
    const words = `${this.fresh.toLocaleString("en")} new ${this.fresh === 1 ? "message" : "messages"}`;
    if (!grows()) {
      this.offer(words, document.getElementById("end") ? location.href : `${transcript().dataset.home}?from=end#end`);
      return;
    }
    this.offer(words, "#end", () => this.goToNew());
    this.offerToFollow();
  }

  goToNew() {
    const target = this.firstNew;
    this.forget();
    if (target?.isConnected && target.matches(".message")) arrive(target);
    else this.scrollToEnd();
  }

  scrollToEnd() {
    this.forget();
    toEnd();
  }

  read() {
    if (this.fresh && grows() && isAtEnd()) this.forget();
  }

  forget() {
    this.fresh = this.firstNew = null;
    this.pill?.remove();
  }

  offer(words, address, act) {
    this.pill?.remove();
    this.pill = document.createElement("a");
    this.pill.className = "live-pill";
    this.pill.href = address;
    this.pill.textContent = act || address.includes("#") ? `${words} ↓` : `${words}: show`;
    this.pill.addEventListener("click", (event) => {
      event.preventDefault();
      if (act) act();
      else if (address === location.href) location.reload();
      else location.assign(address);
    });
    this.prepend(this.pill);
  }

  offerToFollow() {
    if (this.toggle) return;
    this.toggle = document.createElement("button");
    this.toggle.type = "button";
    this.toggle.className = "live-pill";
    this.toggle.textContent = "Follow";
    this.toggle.title = "Stay at the end while messages come in";
    this.toggle.ariaPressed = "false";
    this.toggle.addEventListener("click", () => {
      this.follows = !this.follows;
      this.toggle.ariaPressed = String(this.follows);
      if (this.follows) this.scrollToEnd();
    });
    this.append(this.toggle);
  }

  // Says it for a while, if nothing else is to be said before.
  tell(text) {
    this.say(text, this.dataset.state);
    clearTimeout(this.telling);
    this.telling = setTimeout(() => { if (this.state.textContent === text) this.say("", this.dataset.state); }, TOLD);
  }

  say(text, state = "") {
    if (this.state.textContent !== text) this.state.textContent = text;
    this.dataset.state = state;
  }
});
