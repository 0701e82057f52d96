// The hand on the cloud: each control is one POST, and each refusal is shown in the server's own words.

import { KeyedList, byId, make, setAttribute, setText, show } from "./dom.js";
import { count, duration, rate } from "./format.js";
import { done, refused } from "./toasts.js";

const FAULTS = { hole: "Network hole", throttle: "Throttling", refusal: "Protection refused" };

export async function ask(control, values = {}) {
  try {
    const answer = await fetch(`/do/${control}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values),
    });
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return { result: said.result };
    refused(said.error ?? `The control failed (${answer.status}).`);
  } catch {
    refused("No answer from forebay local. Is it still running?");
  }
  return null;
}

async function askAndTell(control, values, tell) {
  const answer = await ask(control, values);
  if (answer) done(tell(answer.result));
}

const send = (jobs, ms) => askAndTell("send", { count: jobs, job_ms: ms }, (taken) => `${count(taken)} jobs sent.`);

function onSubmit(id, then) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = event.target.elements;
    const values = {};
    for (const field of fields) if (field.name) values[field.name] = field.valueAsNumber;
    then(values, event.submitter);
  });
}

export function startControls() {
  onSubmit("send", ({ count: jobs, job_ms: ms }) => send(jobs, ms));
  for (const button of document.querySelectorAll("[data-spike]")) {
    const [jobs, ms] = button.dataset.spike.split(":").map(Number);
    button.addEventListener("click", () => send(jobs, ms));
  }
  onSubmit("rate", (values) => askAndTell("set_rate", values, () => `${rate(values.per_s)} jobs a second from now on.`));
  byId("rate-stop").addEventListener("click", () => askAndTell("set_rate", { per_s: 0, job_ms: 0 }, () => "The steady stream has stopped."));
  onSubmit("desired", (values) => askAndTell("set_desired", values, () => `Desired count ${values.count}; the autoscaler is off.`));
  byId("scaled").addEventListener("click", (event) => {
    const isOn = event.currentTarget.getAttribute("aria-checked") !== "true";
    askAndTell("set_scaled", { is_scaled: isOn }, () => `The autoscaler is ${isOn ? "on" : "off"}.`);
  });
  byId("deploy").addEventListener("click", () => askAndTell("deploy", {}, (revision) => `Revision ${revision} is being deployed.`));
  onSubmit("faults", (values, button) => {
    const fault = button?.dataset.fault ?? "hole";
    askAndTell(fault, values, () => `${button?.textContent ?? "Fault"} for ${duration(values.seconds)}.`);
  });
  byId("clear-faults").addEventListener("click", () => askAndTell("clear_faults", {}, () => "No fault is being made."));
  onSubmit("compare", (values) => askAndTell("compare", values, () => "The comparison begins."));
}

export async function actOnTask(action, task) {
  const id = task.task_id.slice(0, 8);
  const told = {
    stop_task: `Task ${id} is being stopped: SIGTERM, then SIGKILL.`,
    kill: `Task ${id} was killed with SIGKILL.`,
    interrupt_spot: `Task ${id} has its Spot notice.`,
    freeze: `Task ${id} ${task.is_frozen ? "goes on" : "is held still"}.`,
  };
  const values = { task_id: task.task_id, ...(action === "freeze" ? { is_frozen: !task.is_frozen } : {}) };
  await askAndTell(action, values, () => told[action]);
}

const faults = new KeyedList(byId("fault-list"), () => {
  const element = make("li");
  return {
    element,
    update: (fault) => setText(element, `${FAULTS[fault.name] ?? fault.name}, ${duration(Math.max(0, fault.left_s))} left`),
  };
});

// Shows on the controls what is the case.
export function showControls(picture, service) {
  faults.update(picture.faults, (fault) => fault.name);
  show(byId("no-send"), !picture.can_send);
  for (const part of document.querySelectorAll("[data-needs-send]")) {
    for (const field of part.querySelectorAll("button, input")) field.disabled = !picture.can_send;
  }
  show(byId("rate-now"), picture.rate_per_s > 0);
  setText(byId("rate-now"), `${rate(picture.rate_per_s)}/s now`);
  setAttribute(byId("scaled"), "aria-checked", String(service.is_scaled));
  setText(byId("scaled-now"), service.is_scaled
    ? `${count(service.count_min)} to ${count(service.count_max)}, scaled` : "set by hand");
  const desired = byId("desired").elements.count;
  if (document.activeElement !== desired && desired.dataset.shown !== String(service.desired)) {
    desired.value = desired.dataset.shown = String(service.desired);
  }
}
