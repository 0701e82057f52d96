// The article's two opening pictures, drawn from what really happened: the same spike, worked at once and smoothed.
//
// Rules kept here and nowhere else:
// 1. Both charts have the same axes, so that areas can be compared by eye.
// 2. Filled is work; hatched is capacity that is there and idle; the light line is jobs that wait.

import { byId, make, setAttribute, setText, show } from "./dom.js";
import { count, duration, share } from "./format.js";
import { CONFIG, layout } from "./look.js";
import { colour } from "./theme.js";

const FACTS = [["tasks", "Tasks"], ["compute", "Compute used"], ["share", "Of it at work"], ["finished", "Finished after"]];
const sides = {};
let shown = null;

function build(name) {
  const element = make("figure", "side");
  const title = make("h3");
  const legend = make("ul", "legend");
  for (const [key, text] of [["main", "slots at work"], ["idle", "idle capacity"], ["capacity", "slots there are"], ["dashed", "jobs waiting (right axis)"]]) {
    const item = make("li");
    item.append(make("i", `key key-${key}`), text);
    legend.append(item);
  }
  const caption = make("figcaption");
  caption.append(title, legend);
  const plot = make("div", "plot");
  plot.id = `spike-${name}`;
  plot.setAttribute("role", "img");
  const facts = make("dl", "pairs");
  const values = {};
  for (const [key, text] of FACTS) {
    const pair = make("div");
    values[key] = make("dd");
    pair.append(make("dt", "", text), values[key]);
    facts.append(pair);
  }
  element.append(caption, plot, facts);
  byId("sides").append(element);
  return { title, plot, values };
}

export function showComparison(comparison, plotly) {
  shown = comparison;
  show(byId("sides"), comparison !== null);
  show(byId("verdict"), comparison !== null && comparison.state === "done");
  if (!comparison) return;
  setText(byId("spike-state"), {
    starting: "The tasks of both sides are starting.",
    running: `${count(comparison.jobs)} jobs of ${duration(comparison.job_ms / 1000)}: running.`,
    done: `${count(comparison.jobs)} jobs of ${duration(comparison.job_ms / 1000)}: done.`,
  }[comparison.state]);
  for (const name of ["at_once", "smoothed"]) {
    sides[name] ??= build(name);
    showSide(sides[name], comparison[name], comparison.jobs);
  }
  setText(byId("verdict"), verdict(comparison));
  if (plotly) draw(comparison, plotly);
}

export function redrawComparison(plotly) {
  if (shown && plotly) draw(shown, plotly);
}

function showSide({ title, plot, values }, side, jobs) {
  const used = share(side.busy_slot_seconds, side.task_seconds * side.slots);
  const finished = side.finished_after_s === null ? `${count(side.done)} of ${count(jobs)} done` : duration(side.finished_after_s);
  setText(title, side.title);
  setText(values.tasks, `${count(side.tasks)} × ${count(side.slots)} slots`);
  setText(values.compute, `${count(side.task_seconds)} task-seconds`);
  setText(values.share, used);
  setText(values.finished, finished);
  setAttribute(plot, "aria-label", `${side.title}: ${side.tasks} tasks of ${side.slots} slots, ${count(side.task_seconds)} task-seconds`
    + ` of compute, ${used} of it at work. ${side.finished_after_s === null ? "Not finished: " : "Finished after "}${finished}.`);
}

function verdict({ jobs, at_once: many, smoothed: few }) {
  if (many.finished_after_s === null || few.finished_after_s === null || !few.task_seconds || !many.finished_after_s) {
    return "The comparison ended before both sides had finished.";
  }
  const ratio = (a, b) => (a / b).toFixed(1);
  return `The same ${count(jobs)} jobs took ${ratio(many.task_seconds, few.task_seconds)} times the compute when worked at once, `
    + `${count(many.task_seconds)} task-seconds instead of ${count(few.task_seconds)}, and were done `
    + `${ratio(few.finished_after_s, many.finished_after_s)} times sooner. Through the queue, `
    + `${share(few.busy_slot_seconds, few.task_seconds * few.slots)} of the capacity was at work instead of `
    + `${share(many.busy_slot_seconds, many.task_seconds * many.slots)}.`;
}

function draw(comparison, plotly) {
  const both = [comparison.at_once, comparison.smoothed];
  const end = Math.max(5, ...both.flatMap((side) => side.points.map(([at]) => at)));
  const slots = Math.max(1, ...both.flatMap((side) => side.points.map(([, there]) => there)));
  const waiting = Math.max(1, ...both.flatMap((side) => side.waiting.map(([, jobs]) => jobs)));
  for (const name of ["at_once", "smoothed"]) {
    plotly.react(sides[name].plot, traces(comparison[name]), layout({
      margin: { l: 40, r: 40, t: 8, b: 36 },
      xaxis: { range: [0, end], title: { text: "seconds since the spike", font: { size: 11 }, standoff: 4 } },
      yaxis: { range: [0, slots * 1.1] },
      yaxis2: { range: [0, waiting * 1.1], overlaying: "y", side: "right", tickmode: "auto", nticks: 5, rangemode: "tozero" },
    }), CONFIG);
  }
}

function traces(side) {
  const x = side.points.map(([at]) => at);
  const line = { shape: "hv" };
  return [
    {
      x, y: side.points.map(([, , busy]) => busy), name: "slots at work", mode: "lines", fill: "tozeroy",
      fillcolor: colour("accent"), line: { ...line, color: colour("accent"), width: 0 }, hovertemplate: "%{y}",
    },
    {
      x, y: side.points.map(([, there]) => there), name: "slots there are", mode: "lines", fill: "tonexty",
      fillcolor: colour("fill-quiet"), fillpattern: { shape: "/", fgcolor: colour("hatch"), bgcolor: "rgba(0,0,0,0)", size: 7, solidity: 0.18 },
      line: { ...line, color: colour("ink"), width: 1.8 }, hovertemplate: "%{y}",
    },
    {
      x: side.waiting.map(([at]) => at), y: side.waiting.map(([, jobs]) => jobs), name: "jobs waiting", mode: "lines",
      yaxis: "y2", line: { color: colour("quiet"), width: 1.5, dash: "dot" }, hovertemplate: "%{y}",
    },
  ];
}
