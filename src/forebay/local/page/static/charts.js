// The live charts: drawn anew from the points with each picture, in place, with a table and a sentence beside each.

import { byId, copy, fillTable, make, setAttribute, setText } from "./dom.js";
import { count, duration, rate, timeOfDay } from "./format.js";
import { CONFIG, layout, look } from "./look.js";

const SPAN_MIN_MS = 60000;
const TABLE_ROWS = 20;

const CHARTS = [
  {
    id: "depth", title: "Queue depth", unit: "messages", shown: count, isStacked: true,
    series: [["in_flight", "in flight", "main"], ["visible", "visible", "second"], ["delayed", "delayed", "quiet"]],
  },
  {
    id: "flow", title: "Arrivals and completions", unit: "jobs per second", shown: rate,
    series: [["completions_per_s", "completions", "main", "fill"], ["arrivals_per_s", "arrivals", "dashed"]],
  },
  {
    id: "tasks", title: "Tasks", unit: "tasks", shown: count, shape: "hv",
    series: [["busy", "busy", "main", "fill"], ["running", "running", "second"], ["desired", "desired", "dashed"]],
  },
  {
    id: "age", title: "Age of the oldest message", unit: "seconds", shown: duration,
    series: [["oldest_age_s", "oldest", "main", "fill"]],
  },
];

export class Charts {
  constructor() {
    this.charts = CHARTS.map((chart) => this.build(chart));
    this.isDrawn = false;
  }

  build(chart) {
    const { element, parts } = copy("t-chart");
    setText(parts.title, chart.title);
    parts.plot.id = `chart-${chart.id}`;
    const values = chart.series.map(([, name, role]) => {
      const item = make("li");
      item.append(make("i", `key key-${role}`), `${name} `);
      const value = make("b");
      item.append(value);
      parts.legend.append(item);
      return value;
    });
    const details = element.querySelector("details");
    const table = make("table");
    const head = table.createTHead().insertRow();
    for (const name of ["Time", ...chart.series.map(([, title]) => title)]) {
      const cell = make("th", "", name);
      cell.scope = "col";
      head.append(cell);
    }
    const caption = make("caption", "", `${chart.title}, ${chart.unit}, the newest first`);
    table.prepend(caption);
    const body = table.createTBody();
    parts.table.append(table);
    parts.table.tabIndex = 0;
    parts.table.setAttribute("role", "region");
    parts.table.setAttribute("aria-label", `${chart.title} as a table`);
    details.querySelector("summary").setAttribute("aria-label", `Table of ${chart.title.toLowerCase()}`);
    details.addEventListener("toggle", () => this.fill(chart, details, body));
    byId("charts").append(element);
    return { chart, parts, values, details, body };
  }

  update(points, plotly) {
    this.points = points;
    const newest = points.newest();
    for (const one of this.charts) {
      const { chart, parts, values } = one;
      const words = chart.series.map(([column, name], number) => {
        const shown = chart.shown(newest[column]);
        setText(values[number], shown);
        return `${name} ${shown}`;
      });
      setAttribute(parts.plot, "aria-label", `${chart.title}, ${chart.unit}: now ${words.join(", ")}`);
      this.fill(chart, one.details, one.body);
      if (plotly) this.draw(plotly, chart, parts.plot);
    }
  }

  fill(chart, details, body) {
    if (!details.open || !this.points) return;
    const rows = this.points.sample(chart.series.map(([column]) => column), TABLE_ROWS);
    fillTable(body, rows.map(({ at, values }) => [timeOfDay(at), ...values.map(chart.shown)]));
  }

  draw(plotly, chart, plot) {
    const { x, values } = this.points.series(chart.series.map(([column]) => column));
    const traces = chart.series.map(([, name, role, fill], number) => ({
      x, y: values[number], name, type: "scatter", mode: "lines", connectgaps: false, hovertemplate: "%{y}",
      ...look(role),
      ...(chart.isStacked ? { stackgroup: "one" } : { fill: fill ? "tozeroy" : "none" }),
      line: { ...look(role).line, shape: chart.shape ?? "linear" },
    }));
    const top = Math.max(1, ...(chart.isStacked ? [0] : values.flat()));
    plotly.react(plot, traces, layout({
      xaxis: { type: "date", range: this.range(), tickformat: "%H:%M:%S", nticks: 4, hoverformat: "%H:%M:%S" },
      yaxis: chart.isStacked ? {} : { range: [0, top * 1.08] },
    }), CONFIG);
  }

  range() {
    const span = this.points.span();
    return span ? [Math.min(span[0], span[1] - SPAN_MIN_MS), span[1]] : undefined;
  }
}
