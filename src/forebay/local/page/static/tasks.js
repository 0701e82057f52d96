// The tasks as cards. A card is updated in place: focus stays on a button while the figures change around it.

import { KeyedList, byId, copy, setAttribute, setText, show } from "./dom.js";
import { clock, count, shortId } from "./format.js";

const ICONS = { stopping: "draining" };

export class Tasks {
  constructor(act) {
    const card = () => this.card(act);
    this.live = new KeyedList(byId("tasks"), card);
    this.stopped = new KeyedList(byId("stopped"), card);
  }

  update(service) {
    const live = service.tasks.filter((task) => task.state !== "stopped");
    const stopped = service.tasks.filter((task) => task.state === "stopped");
    this.slots = service.slots;
    const hadFocus = document.activeElement?.closest?.(".task")?.dataset.taskId;
    this.live.update(live, (task) => task.task_id);
    this.stopped.update(stopped, (task) => task.task_id);
    show(byId("stopped-part"), stopped.length > 0);
    if (hadFocus && document.activeElement === document.body) {
      // Its card went to the stopped ones: the person who stopped it goes on from there.
      document.querySelector(`[data-task-id="${CSS.escape(hadFocus)}"] [data-do=logs]`)?.focus();
    }
    show(byId("no-tasks"), live.length === 0);
    setText(byId("no-tasks"), service.desired
      ? "The first task is on its way."
      : "No task runs, and none is wanted: the service has scaled to zero. Jobs will bring tasks.");
    const elsewhere = live.filter((task) => task.is_protected).length;
    setText(byId("tasks-note"), live.length
      ? `${count(live.length)} of at most ${count(service.count_max)}, ${count(elsewhere)} protected, ${count(service.slots)} slots each` : "");
  }

  card(act) {
    const { element, parts } = copy("t-task");
    let now = null;
    element.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-do]");
      if (button && now) act(button.dataset.do, now);
    });
    const buttons = [...element.querySelectorAll("button")];
    return {
      element,
      update: (task) => {
        const isFirst = now === null;
        now = task;
        const id = shortId(task.task_id);
        if (isFirst) {
          element.dataset.taskId = task.task_id;
          setText(parts.name, id);
          for (const button of buttons) button.setAttribute("aria-label", `${button.textContent} task ${id}`);
        }
        fill(element, parts, task, this.slots, buttons);
      },
    };
  }
}

function fill(element, parts, task, slots, buttons) {
  const isStopped = task.state === "stopped";
  const isBad = isStopped && task.exit_code !== 0;
  const look = task.is_frozen && !isStopped ? "frozen" : isBad ? "crashed" : task.state;
  setAttribute(element, "data-look", look);
  setAttribute(parts.icon, "href", `#i-${ICONS[look] ?? look}`);
  setText(parts.state, words(task));
  show(parts.shield, task.is_protected);
  setText(parts.held, task.is_protected
    ? `protected${task.protected_left_s === null ? "" : `, ${clock(task.protected_left_s)} left`}` : "");
  show(parts.bar, !isStopped);
  parts.bar.firstElementChild.style.width = `${Math.min(100, (100 * task.running_jobs) / Math.max(1, slots))}%`;
  setText(parts.running, isStopped ? "" : count(task.running_jobs));
  setText(parts.of, isStopped ? "" : `of ${count(slots)} slots ·`);
  setText(parts.done, count(task.done_jobs));
  setText(parts.failed, count(task.failed_jobs));
  parts.failed.classList.toggle("bad", task.failed_jobs > 0);
  setText(parts.minor, [task.pid === null ? "" : `pid ${task.pid}`, `revision ${task.revision}`, clock(task.age_s)]
    .filter(Boolean).join(" · "));
  const why = [task.stopped_reason, task.stop_code].filter(Boolean).join(" · ");
  setText(parts.reason, why);
  show(parts.reason, why !== "");
  for (const button of buttons) {
    show(button, !isStopped || button.dataset.do === "logs");
    if (button.dataset.do === "freeze") {
      const verb = task.is_frozen ? "Thaw" : "Freeze";
      setText(button, verb);
      setAttribute(button, "aria-label", `${verb} task ${shortId(task.task_id)}`);
    }
  }
}

function words(task) {
  if (task.state === "stopped") return task.exit_code === null ? "stopped" : `stopped, exit ${task.exit_code}`;
  return task.is_frozen ? `${task.state}, frozen` : task.state;
}
