// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
// Numbers and codes of a snapshot in words. Pure: nothing here touches the page.

export const NONE = "–";
const GAP = "\u00a0"; // between a number and its unit: a line does not end there
const known = (value) => value !== null && value !== undefined;
const round = (value, digits) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const whole = (value) => (known(value) ? round(value, 0) : NONE);
export const percent = (value, digits = 0) => (known(value) ? `${round(100 * value, digits)}${GAP}%` : NONE);
export const rate = (value) => (known(value) ? round(value, value < 10 ? 1 : 0) : NONE);

/** Microseconds with the unit that fits. */
export function duration(us) {
  if (!known(us)) return NONE;
  if (us < 1000) return `${round(us, 0)}${GAP}µs`;
  if (us < 1e6) return `${round(us / 1000, us < 1e4 ? 1 : 0)}${GAP}ms`;
  return `${round(us / 1e6, 1)}${GAP}s`;
}

/** Seconds since something, as a person says it. */
export function age(seconds) {
  if (!known(seconds)) return "never";
  if (seconds < 1.5) return "now";
  if (seconds < 120) return `${Math.floor(seconds)}${GAP}s ago`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}${GAP}min ago`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}${GAP}h ago`;
  return `${Math.floor(seconds / 86400)}${GAP}days ago`;
}

/** Time of day of seconds since 1970, here. */
export const clock = (seconds) =>
  new Date(1000 * seconds).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

/** The usual reading of a population stability index. */
export function drift(value) {
  if (!known(value)) return NONE;
  const word = value < 0.1 ? "none" : value < 0.25 ? "some" : "strong";
  return `${round(value, 2)} (${word})`;
}

const FAILURES = {
  plan: "the model was refused",
  input: "the input was bad",
  deadline: "it took too long",
  policy: "the policy forbids it",
  engine: "the engine failed",
};

/** Where a decision came from. */
export function source(decision) {
  const why = decision.failure ? `: ${FAILURES[decision.failure] ?? decision.failure}` : "";
  if (decision.source === "fallback") return `fallback, not the model${why}`;
  if (decision.source === "cache") return `last answer once more${why}`;
  return `from the model${why}`;
}

export const POLICY = {
  slow: "slow: infers less often",
  saving: "saving: infers seldom",
  resting: "resting: no model runs",
};

const perMinute = (value) => `${rate(value)} a minute`;
const METRICS = {
  confidence_mean: ["mean confidence", percent],
  confidence_low: ["low confidence", percent],
  latency_95: ["latency, 95 %", duration],
  drift: ["drift", (value) => (known(value) ? round(value, 2) : NONE)],
  wakes_per_min: ["wakes", perMinute],
  inferences_per_min: ["inferences", perMinute],
  mah_per_day_estimated: ["estimated charge", (value) => `${round(value, 2)} mAh a day`],
  duty: ["awake", (value) => percent(value, 1)],
};

/** What is wrong, in one sentence. */
export function alert(it) {
  if (it.metric === "model") return `the model is refused, since ${clock(it.since)}`;
  const [name, show] = METRICS[it.metric] ?? [it.metric, (value) => String(value)];
  const usual = it.level === "limit" ? `limit ${show(it.baseline)}` : `usually ${show(it.baseline)}`;
  const level = { "2 sigma": "unusual (2 sigma)", "3 sigma": "very unusual (3 sigma)", limit: "over the limit" };
  const side = it.level === "limit" && it.value < it.baseline ? "below the limit" : level[it.level] ?? it.level;
  return `${name} ${show(it.value)}: ${side}, ${usual}, since ${clock(it.since)}`;
}

/** Several counts with their names, those that are not 0. */
export function counts(pairs) {
  const said = pairs.filter(([, value]) => value).map(([name, value]) => `${name} ${whole(value)}`);
  return said.join(", ") || "none";
}
