// The connection: pictures as they come, and an honest word when they do not.
//
// Rules kept here and nowhere else:
// 1. Lost means: the stream broke, or nothing came for SILENCE_MS. It is told at once, with the time of the last picture.
// 2. Tries are repeated after 1, 2, 4, 8 and then every 10 seconds, and at once when asked.
// 3. Paused, nothing is kept: going on begins with a fresh first picture, which brings the past along.
// 4. A page that has been out of sight for HIDDEN_MS lets go of the server, which then draws nothing.

const SILENCE_MS = 5000;
const HIDDEN_MS = 60000;
const WAITS_S = [1, 2, 4, 8, 10];

export class Stream {
  constructor(handlers) {
    this.handlers = handlers; // first(frame), picture(frame), state(name, secondsToNextTry)
    this.isPaused = false;
    this.failures = 0;
    this.source = null;
    this.timer = 0;
    this.watch = 0;
    document.addEventListener("visibilitychange", () => this.seen());
    addEventListener("pagehide", () => this.letGo());
    addEventListener("pageshow", (event) => { if (event.persisted) this.open(); });
  }

  open() {
    this.letGo();
    this.handlers.state(this.failures ? "trying" : "connecting", 0);
    const source = new EventSource("/events");
    this.source = source;
    this.awaitWord();
    source.addEventListener("first", (event) => this.take("first", event));
    source.addEventListener("picture", (event) => this.take("picture", event));
    source.addEventListener("error", () => this.lose());
  }

  take(kind, event) {
    this.failures = 0;
    this.awaitWord();
    if (kind === "first") this.handlers.state(this.isPaused ? "paused" : "live", 0);
    if (this.isPaused) return;
    this.handlers[kind](JSON.parse(event.data));
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    if (isPaused) this.handlers.state("paused", 0);
    else this.open();
  }

  lose() {
    this.letGo();
    const wait = WAITS_S[Math.min(this.failures, WAITS_S.length - 1)];
    this.failures += 1;
    this.count(wait);
  }

  count(left) {
    if (left <= 0) {
      this.open();
      return;
    }
    this.handlers.state("lost", left);
    this.timer = setTimeout(() => this.count(left - 1), 1000);
  }

  awaitWord() {
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.lose(), SILENCE_MS);
  }

  letGo() {
    clearTimeout(this.timer);
    clearTimeout(this.watch);
    if (this.source) this.source.close();
    this.source = null;
  }

  seen() {
    clearTimeout(this.away);
    if (document.hidden) this.away = setTimeout(() => this.letGo(), HIDDEN_MS);
    else if (!this.source) this.open();
  }
}
