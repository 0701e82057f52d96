// A polite summary for a screen reader: at most every ten seconds, and only when it has changed.

import { byId, setText } from "./dom.js";

const EVERY_MS = 10000;
let spokenAt = -EVERY_MS;

export function speak(text) {
  const now = performance.now();
  if (now - spokenAt < EVERY_MS || byId("spoken").textContent === text) return;
  spokenAt = now;
  setText(byId("spoken"), text);
}
