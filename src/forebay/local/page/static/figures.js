// The header and the headline figures.

import { byId, setText, show } from "./dom.js";
import { clock, count, duration, rate } from "./format.js";

export function showHeader(picture) {
  setText(byId("endpoint"), picture.endpoint);
  setText(byId("up"), clock(picture.up_s));
  setText(byId("lapse"), `× ${count(picture.time_lapse)}`);
  show(byId("lapse-fact"), picture.time_lapse !== 1);
}

export function showFigures(service, point) {
  const queue = service.queue;
  setText(byId("f-depth"), count(queue.visible + queue.in_flight + queue.delayed));
  setText(byId("f-depth-note"), `${count(queue.visible)} visible, ${count(queue.in_flight)} in flight`
    + (queue.delayed ? `, ${count(queue.delayed)} delayed` : "") + (queue.dead ? `, ${count(queue.dead)} dead` : ""));
  setText(byId("f-age"), duration(queue.oldest_age_s));
  setText(byId("f-age-note"), service.wait.p99_s === null ? "" : `99 % waited under ${duration(service.wait.p99_s)}`);
  setText(byId("f-arrivals"), `${rate(point.arrivals_per_s)}/s`);
  setText(byId("f-arrivals-note"), `${count(queue.sent)} sent`);
  setText(byId("f-completions"), `${rate(point.completions_per_s)}/s`);
  setText(byId("f-completions-note"), `${count(queue.deleted)} done`);
  setText(byId("f-tasks"), `${count(service.running)} / ${count(service.desired)}`);
  setText(byId("f-tasks-note"), service.pending ? `${count(service.pending)} pending` : "running / desired");
  setText(byId("f-protected"), count(service.protected));
  setText(byId("f-protected-note"), `${count(point.busy)} at work`);
}

// What a listener is told now and then.
export function summary(service) {
  const queue = service.queue;
  const busy = service.tasks.filter((task) => task.running_jobs > 0).length;
  return `${count(queue.visible)} messages wait, ${count(queue.in_flight)} in flight. `
    + `${service.running} of ${service.desired} tasks run, ${busy} at work, ${service.protected} protected.`;
}
