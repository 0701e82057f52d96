// Short words at the edge of the page: what was done, politely; what was refused, at once.

import { byId, make } from "./dom.js";

const DONE_MS = 3500;
const REFUSED_MS = 10000;

export function done(text) {
  add("toasts", text, "toast", DONE_MS);
}

export function refused(text) {
  add("refusals", text, "toast refused", REFUSED_MS);
}

function add(id, text, className, lastsMs) {
  const toast = make("div", className);
  toast.append(make("p", "", text));
  const close = make("button", "", "×");
  close.type = "button";
  close.setAttribute("aria-label", "Dismiss");
  close.addEventListener("click", () => toast.remove());
  toast.append(close);
  byId(id).append(toast);
  setTimeout(() => toast.remove(), lastsMs);
}
