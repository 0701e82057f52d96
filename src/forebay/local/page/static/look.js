// How charts look: one theme for all of them, light or dark, out of the style sheet's colours.

import { colour } from "./theme.js";

export const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };

export function layout(more = {}) {
  const ink = colour("muted");
  const axis = {
    gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, fixedrange: true, tickfont: { color: ink, size: 11 },
    automargin: false, ticks: "", tickcolor: colour("line"),
  };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", color: ink, size: 11 },
    margin: { l: 38, r: 10, t: 6, b: 22 },
    showlegend: false,
    dragmode: false,
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("ink"), size: 12 } },
    ...more,
    xaxis: { ...axis, showgrid: false, ...more.xaxis },
    yaxis: { ...axis, rangemode: "tozero", nticks: 5, ...more.yaxis },
    ...(more.yaxis2 ? { yaxis2: { ...axis, showgrid: false, ...more.yaxis2 } } : {}),
  };
}

// A series' look by its role: what is worked on stands out, what surrounds it steps back.
export function look(role) {
  const accent = colour("accent");
  const looks = {
    main: { line: { color: accent, width: 2 }, fillcolor: colour("fill") },
    second: { line: { color: colour("second"), width: 1.5 }, fillcolor: colour("fill-second") },
    quiet: { line: { color: colour("quiet"), width: 1.5 }, fillcolor: colour("fill-quiet") },
    dashed: { line: { color: colour("quiet"), width: 1.6, dash: "dot" } },
  };
  return looks[role];
}
