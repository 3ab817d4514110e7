// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
// The charts of one device. Plotly reads some markup in texts, so it gets no text of a device.

/* global Plotly */
import * as words from "./words.js";

const CONFIG = { displayModeBar: false, responsive: true, showTips: false };
const STATES = [
  ["sleep", "sleep", ""],
  ["capture", "capture", "/"],
  ["stage_1", "stage 1", "."],
  ["stage_2", "stage 2", "x"],
  ["serial", "serial", "\\"],
  ["flash", "flash", "-"],
];
const LINES = ["solid", "dot"];

const CHARTS = [
  { title: "confidence, %", metrics: ["confidence_mean", "confidence_low"], names: ["mean", "low (10 %)"], scale: 100, range: [0, 102] },
  { title: "latency, 95 %, ms", metrics: ["latency_95"], names: ["95 %"], scale: 0.001 },
  { title: "drift (stability index)", metrics: ["drift"], names: ["drift"], limits: [[0.1, "some"], [0.25, "strong"]] },
  { title: "wakes and inferences a minute", metrics: ["wakes_per_min", "inferences_per_min"], names: ["wakes", "inferences"] },
  { title: "charge, estimated, mAh a day", metrics: ["mah_per_day_estimated"], names: ["estimated"] },
];

const dark = window.matchMedia("(prefers-color-scheme: dark)");

function colors() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(name).trim();
  return {
    text: get("--text"),
    grid: get("--line"),
    back: get("--card"),
    warn: get("--warn"),
    series: [get("--series-1"), get("--series-2")],
    states: STATES.map((_, index) => get(`--state-${index + 1}`)),
  };
}

function layout(color, more) {
  const axis = { fixedrange: true, gridcolor: color.grid, linecolor: color.grid, zeroline: false, automargin: true };
  return {
    height: 190,
    margin: { l: 36, r: 10, t: 8, b: 26 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { family: "inherit", size: 12, color: color.text },
    dragmode: false, // or a finger could not scroll the page
    showlegend: false,
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" },
    hovermode: "x unified",
    hoverlabel: { bgcolor: color.back, font: { color: color.text } },
    ...more,
    xaxis: { ...axis, showgrid: false, nticks: 5, ...more.xaxis },
    yaxis: { ...axis, rangemode: "tozero", nticks: 5, ...more.yaxis },
  };
}

/** A dashed line at `value`, and what it means: colour alone does not say it. */
function limit([value, meaning], color) {
  return {
    shape: { type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value, line: { color: color.warn, width: 1, dash: "dash" } },
    note: { xref: "paper", x: 0, xanchor: "left", y: value, yanchor: "bottom", text: `${value} ${meaning}`, showarrow: false, font: { size: 11, color: color.warn } },
  };
}

function timeChart(chart, points, color) {
  const data = chart.names.map((name, index) => ({
    x: points[index].map(([time]) => new Date(1000 * time)), // shown in the time of this computer
    y: points[index].map(([, value]) => value * (chart.scale ?? 1)),
    name,
    type: "scatter",
    mode: points[index].length < 40 ? "lines+markers" : "lines",
    marker: { size: 4 },
    line: { color: color.series[index], width: 2, dash: LINES[index] },
    hovertemplate: "%{y:.3~g}",
  }));
  const limits = (chart.limits ?? []).map((it) => limit(it, color));
  const top = Math.max(0, ...data.flatMap(({ y }) => y), ...(chart.limits ?? []).map(([value]) => value));
  return [data, layout(color, {
    showlegend: data.length > 1,
    shapes: limits.map(({ shape }) => shape),
    annotations: limits.map(({ note }) => note),
    yaxis: { range: chart.range ?? [0, 1.15 * top || 1] },
  })];
}

/** Two bars: of all time, and of what is not sleep, which would not be seen in the first one. */
function stateChart(residency, color) {
  const awake = 1 - residency.sleep;
  const data = STATES.map(([key, name, pattern], index) => ({
    x: [100 * residency[key], key === "sleep" || !awake ? 0 : (100 * residency[key]) / awake],
    y: ["all time", "awake"],
    name,
    type: "bar",
    orientation: "h",
    marker: { color: color.states[index], pattern: { shape: pattern, bgcolor: color.states[index], fgcolor: color.back, size: 6, solidity: 0.25 } },
    hovertemplate: "%{x:.3~g} %",
  }));
  return [data, layout(color, {
    barmode: "stack",
    hovermode: "closest",
    margin: { l: 60, r: 22, t: 4, b: 26 },
    height: 130,
    xaxis: { range: [0, 100], tickvals: [0, 25, 50, 75, 100], ticksuffix: " %" },
    yaxis: { autorange: "reversed" },
  })];
}

export class Charts {
  #history = {};
  #until = 0;
  #asked = 0;
  #residency = null;
  #drawn = ""; // the residency that the bars show

  constructor() {
    this.root = document.createElement("div");
    this.root.className = "charts";
    this.plots = CHARTS.map(({ title }) => this.#addFigure(title));
    this.states = this.#addFigure("time in each state, %");
    this.legend = document.createElement("ul");
    this.legend.className = "legend";
    this.states.after(this.legend);
    dark.addEventListener("change", () => this.#draw());
  }

  #addFigure(title) {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = title;
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.setAttribute("role", "img");
    figure.hidden = true; // until there is something to draw
    figure.append(caption, plot);
    this.root.append(figure);
    return plot;
  }

  /** Draws what is new; the points come in a request of their own, when there are new ones. */
  show(snapshot) {
    this.#residency = snapshot.residency;
    this.#drawStates();
    if (snapshot.history_until !== this.#until) this.#fetch(snapshot.device, snapshot.history_until);
  }

  async #fetch(device, until) {
    this.#until = until;
    const turn = ++this.#asked;
    try {
      const answer = await fetch(`/api/history?device=${encodeURIComponent(device)}`);
      const history = answer.ok ? await answer.json() : null;
      if (turn !== this.#asked) return; // a later one was asked for
      if (history) this.#history = history;
      else this.#until = 0;
    } catch {
      this.#until = 0; // asked for again with the next snapshot
    }
    this.#draw();
  }

  #draw() {
    const color = colors();
    CHARTS.forEach((chart, index) => this.#drawTimes(this.plots[index], chart, color));
    this.#drawn = "";
    this.#drawStates();
  }

  #drawTimes(plot, chart, color) {
    const points = chart.metrics.map((metric) => this.#history[metric] ?? []);
    plot.parentElement.hidden = !points.some((some) => some.length);
    if (plot.parentElement.hidden) return;
    const last = points.map((some) => some.at(-1)?.[1]);
    const said = chart.names.map((name, index) => `${name} ${shown(last[index], chart.scale)}`);
    plot.setAttribute("aria-label", `${chart.title}, over time; last: ${said.join(", ")}`);
    Plotly.react(plot, ...timeChart(chart, points, color), CONFIG);
  }

  #drawStates() {
    const key = JSON.stringify(this.#residency);
    this.states.parentElement.hidden = !this.#residency;
    if (!this.#residency || key === this.#drawn) return;
    this.#drawn = key;
    const color = colors();
    const said = STATES.map(([state, name]) => `${name} ${words.percent(this.#residency[state], 2)}`);
    this.states.setAttribute("aria-label", `time in each state: ${said.join(", ")}`);
    Plotly.react(this.states, ...stateChart(this.#residency, color), CONFIG);
    this.legend.replaceChildren(...said.map((text, index) => legendItem(text, index)));
  }
}

function shown(value, scale = 1) {
  return value === undefined ? "unknown" : String(Number((value * scale).toPrecision(3)));
}

function legendItem(text, index) {
  const item = document.createElement("li");
  item.className = `state-${index + 1}`;
  item.textContent = text;
  return item;
}
