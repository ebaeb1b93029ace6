import * as Plot from "@observablehq/plot";
import { drawHeat, largest } from "./heatmap.ts";
import { figure, type Html, legend, nothing } from "./html.ts";
import type { Numbers } from "./data.ts";
import { short } from "./format.ts";
import { COLORS, draw, ROLES, type TimeAxis, xAxis, yAxis } from "./plot.ts";

/** What a set of time courses shows. */
export interface Courses {
  readonly values_TK: Numbers;
  readonly T: number;
  readonly K: number;
  /** What one course is called, such as "factor". */
  readonly name: string;
  /** With the unit. */
  readonly axis: string;
  readonly caption: string;
}

/** Up to eight courses are lines, one colour each; more are the rows of a heat map. */
export function timeCourses(courses: Courses, time: TimeAxis): Html {
  const { values_TK, T, K, name } = courses;
  if (T * K === 0) return nothing(`There is no ${name} to draw.`);
  if (K > COLORS.length) return asHeat(courses, time);
  const points = Array.from({ length: T * K }, (_, i) => ({
    t: time.at(Math.floor(i / K)),
    value: values_TK[i],
    k: i % K,
  }));
  const drawing = draw(`${courses.caption}`, {
    x: xAxis(time.label, { domain: time.domain(T) }),
    y: yAxis(courses.axis, { nice: true, ticks: 6 }),
    color: { type: "ordinal", domain: COLORS.map((_, k) => k), range: COLORS },
    marks: [
      Plot.ruleY([0], { stroke: ROLES.faint }),
      Plot.line(points, { x: "t", y: "value", z: "k", stroke: "k", strokeWidth: 2 }),
      // A single bin has no line.
      T === 1 ? Plot.dot(points, { x: "t", y: "value", stroke: "k" }) : null,
    ],
  });
  const names = COLORS.slice(0, K).map((color, k) => ({ label: `${name} ${k + 1}`, color }));
  return figure(drawing, courses.caption, { legend: K > 1 ? legend(names) : null });
}

function asHeat(courses: Courses, time: TimeAxis): Html {
  const { values_TK, T, K, name } = courses;
  const full = largest(values_TK);
  const drawing = drawHeat(
    courses.caption,
    { rows: K, columns: T, full, value: (k, t) => values_TK[t * K + k] },
    time,
    name,
  );
  return figure(
    drawing,
    `${courses.caption} Each row is one ${name}; full colour is ${short(full)} in magnitude.`,
    {
      legend: legend([
        { label: "positive", color: COLORS[0], mark: "bar" },
        { label: "negative", color: COLORS[1], mark: "bar" },
      ]),
    },
  );
}
