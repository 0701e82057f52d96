// Puts the page together: pictures come in, parts show them, controls go out.

import { Charts } from "./charts.js";
import { redrawComparison, showComparison } from "./comparison.js";
import { actOnTask, showControls, startControls } from "./controls.js";
import { byId, setText, show } from "./dom.js";
import { showFigures, showHeader, summary } from "./figures.js";
import { timeOfDay } from "./format.js";
import { openLogs, startLogs } from "./logs.js";
import { Points } from "./points.js";
import { speak } from "./speak.js";
import { Stream } from "./stream.js";
import { showTables, showTold } from "./tables.js";
import { Tasks } from "./tasks.js";
import { onTheme, startTheme } from "./theme.js";

const charts = new Charts();
const tasks = new Tasks((action, task) => (action === "logs" ? openLogs(task) : actOnTask(action, task)));
let columns = [];
let points = null;
let shownService = "";
let last = null;

function plotly() {
  return window.Plotly ?? null;
}

// The charts' library is large: it comes after the first figures are there, and not at all when it is not installed.
function loadCharts(hasCharts) {
  show(byId("no-charts"), !hasCharts);
  byId("charts").classList.toggle("bare", !hasCharts);
  if (!hasCharts || document.querySelector("script[data-charts]")) return;
  const script = document.createElement("script");
  script.src = "/static/plotly.min.js";
  script.dataset.charts = "";
  script.addEventListener("load", redraw);
  document.head.append(script);
}

function redraw() {
  if (points) charts.update(points, plotly());
  redrawComparison(plotly());
}

function showPicture(picture) {
  last = picture;
  if (picture.is_stopping) showState("stopping", 0);
  const service = picture.services[0];
  showHeader(picture);
  showEmpty(picture, service);
  if (!service) return;
  showFigures(service, points.newest());
  showControls(picture, service);
  tasks.update(service);
  showTold(service);
  showTables(service);
  if (!document.hidden) charts.update(points, plotly());
  speak(summary(service));
}

function showEmpty(picture, service) {
  show(byId("empty"), Boolean(service) && service.queue.sent === 0);
  if (!service) return;
  show(byId("empty-page"), picture.can_send);
  setText(byId("empty-commands"), [
    `export AWS_ENDPOINT_URL_SQS=${picture.endpoint} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local`,
    `export FOREBAY_QUEUE_URL=${service.queue_url}`,
    picture.can_send ? "forebay send 1000 --count 50" : `forebay send '{"key": "value"}' --job NAME`,
  ].join("\n"));
}

const STATES = { connecting: "connecting", trying: "connecting", live: "live", stopping: "stopping", lost: "connection lost", paused: "view paused" };

function showState(state, waitS) {
  byId("connection").dataset.state = state;
  setText(byId("connection-text"), STATES[state]);
  if (state === "live" || state === "paused") speakState("");
  if (state === "lost") {
    speakState(last?.is_stopping ? "forebay local has stopped." : "Connection to forebay local lost.");
    setText(byId("banner-wait"), `Next try in ${waitS} s.`);
  } else if (state === "trying") setText(byId("banner-wait"), "Trying now.");
  const isLost = state === "lost" || state === "trying";
  show(byId("banner"), isLost);
  document.body.classList.toggle("stale", isLost);
  document.body.classList.toggle("paused", state === "paused");
}

function speakState(text) {
  const from = text && last ? ` The values are from ${timeOfDay(last.at_utc)}.` : "";
  setText(byId("banner-text"), text + from);
}

const stream = new Stream({
  state: showState,
  first(frame) {
    columns = frame.columns;
    shownService = frame.picture.services[0]?.name ?? "";
    points = new Points(columns, frame.history[shownService] ?? []);
    loadCharts(frame.has_charts);
    showPicture(frame.picture);
    showComparison(frame.comparison, plotly());
  },
  picture(frame) {
    points.add(frame.points[shownService]);
    showPicture(frame.picture);
    if ("comparison" in frame) showComparison(frame.comparison, plotly());
  },
});

byId("pause").addEventListener("click", (event) => {
  const isPaused = event.currentTarget.getAttribute("aria-pressed") !== "true";
  event.currentTarget.setAttribute("aria-pressed", String(isPaused));
  stream.pause(isPaused);
});
byId("retry").addEventListener("click", () => stream.open());
startTheme(byId("theme"));
onTheme(redraw);
startControls();
startLogs();
stream.open();
