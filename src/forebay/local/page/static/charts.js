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
    const tops = chart.isStacked ? stacked(values) : values;
    const traces = [...fills(chart, x, values), ...lines(chart, x, tops, values)];
    const top = Math.max(1, ...tops.flat());
    plotly.react(plot, traces, layout({
      xaxis: { type: "date", range: this.range(), tickformat: "%H:%M:%S", nticks: 4, hoverformat: "%H:%M:%S" },
      yaxis: { range: [0, top * 1.08] },
    }), CONFIG);
  }

  range() {
    const span = this.points.span();
    return span ? [Math.min(span[0], span[1] - SPAN_MIN_MS), span[1]] : undefined;
  }
}

// The areas, apart from the lines: over a gap an area lies at zero, where a line is broken.
function fills(chart, x, values) {
  return chart.series.flatMap(([, , role, fill], number) => (chart.isStacked || fill ? [{
    x, y: values[number].map((value) => value ?? 0), type: "scatter", mode: "lines", hoverinfo: "skip",
    fillcolor: look(role).fillcolor, line: { width: 0, shape: chart.shape ?? "linear" },
    ...(chart.isStacked ? { stackgroup: "one" } : { fill: "tozeroy" }),
  }] : []));
}

function lines(chart, x, tops, values) {
  return chart.series.map(([, name, role], number) => ({
    x, y: tops[number], customdata: values[number], name, type: "scatter", mode: "lines", connectgaps: false,
    hovertemplate: "%{customdata}", line: { ...look(role).line, shape: chart.shape ?? "linear" },
  }));
}

// Each series on top of those before it.
function stacked(values) {
  let below = values[0].map(() => 0);
  return values.map((one) => {
    below = one.map((value, number) => (value === null ? null : below[number] + value));
    return below;
  });
}
