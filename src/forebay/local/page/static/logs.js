// The log of one task, in a dialogue that is brought up to date while it is open.

import { byId, setText } from "./dom.js";
import { shortId } from "./format.js";

const EVERY_MS = 1000;
let timer = 0;
let shown = "";

async function load(taskId) {
  if (shown !== taskId) return;
  const lines = byId("logs-lines");
  try {
    const answer = await fetch(`/logs/${encodeURIComponent(taskId)}`);
    const said = await answer.json();
    if (shown !== taskId) return;
    const isAtEnd = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 8;
    setText(lines, answer.ok ? said.lines.join("\n") : "");
    setText(byId("logs-note"), answer.ok ? `The last ${said.lines.length} lines.` : said.error);
    if (isAtEnd) lines.scrollTop = lines.scrollHeight;
  } catch {
    setText(byId("logs-note"), "No answer from forebay local.");
  }
  timer = setTimeout(() => load(taskId), EVERY_MS);
}

export function openLogs(task) {
  shown = task.task_id;
  setText(byId("h-logs"), `Log of task ${shortId(task.task_id)}`);
  setText(byId("logs-lines"), "");
  byId("logs").showModal();
  load(shown);
}

export function startLogs() {
  byId("logs-close").addEventListener("click", () => byId("logs").close());
  byId("logs").addEventListener("close", () => {
    shown = "";
    clearTimeout(timer);
  });
}
