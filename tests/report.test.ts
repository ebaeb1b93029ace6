import assert from "node:assert/strict";
import { DOMParser } from "linkedom";
import { InputError } from "../src/errors.ts";
import { fillNormal, seedWords, STREAMS } from "../src/random.ts";
import type { FixedPointView, ReportData } from "../src/report/data.ts";
import { complex, number, percent } from "../src/report/format.ts";
import { shadePaths } from "../src/report/heatmap.ts";
import { mostModulated, runMeans, spread, varianceExplained } from "../src/report/numbers.ts";
import { planeOf } from "../src/report/projection.ts";
import { reportPage } from "../src/report/page.ts";
import { flatten } from "../src/report/settings.ts";
import { stability } from "../src/report/trajectories.ts";
import { exampleReport } from "./report_example.ts";

interface Element {
  readonly textContent: string;
  readonly localName: string;
  readonly attributes: Iterable<{ readonly name: string; readonly value: string }>;
  querySelectorAll(selector: string): Iterable<Element>;
  getAttribute(name: string): string | null;
}

function parse(page: string): Element {
  return new DOMParser().parseFromString(page, "text/html") as unknown as Element;
}

function all(root: Element, selector: string): Element[] {
  return [...root.querySelectorAll(selector)];
}

function words(root: Element): string {
  return all(root, "main").map((main) => main.textContent.replace(/\s+/g, " ")).join(" ");
}

/** A small report: the tests of the words do not need 200 trials. */
function small(changes: Partial<ReportData> = {}): ReportData {
  return { ...exampleReport({ B: 6, T: 12, N: 9, steps: 40 }), ...changes };
}

function fixedPoint(point: number[], lambdas: [number, number][]): FixedPointView {
  const eigenvalues = lambdas.map(([re, im]) => ({
    re,
    im,
    modulus: Math.hypot(re, im),
    angle: Math.atan2(im, re),
    hz: null,
    timeConstant: -1 / Math.log(Math.hypot(re, im)),
  }));
  return { point, q: 1e-12, class: "made up", eigenvalues };
}

Deno.test("the tutorial's report stays below 1.5 MB, and so does a recording's of benchmark size", () => {
  const megabytes = (data: ReportData) => new TextEncoder().encode(reportPage(data)).length / 1e6;
  assert.ok(megabytes(exampleReport()) < 1.5);
  assert.ok(megabytes(exampleReport({ B: 256, T: 140, N: 180, G: 100, F: 40, U: 4 })) < 1.5);
});

Deno.test("the same data give the same page", () => {
  assert.equal(reportPage(small()), reportPage(small()));
});

Deno.test("the page names the GPU that computed, or the processor's threads", () => {
  const words = (changed: Partial<ReportData["device"]>) => {
    const device = {
      name: "webgpu",
      threads: 2,
      arithmetic: "float32",
      reason: "asked",
      ...changed,
    };
    return all(parse(reportPage(small({ device }))), "body")[0].textContent;
  };
  const gpu = words({ adapter: "a GPU of a test" });
  assert.match(gpu, /ran on webgpu, a GPU of a test, in float32 \(asked\)/);
  assert.doesNotMatch(gpu, /2 threads/);
  assert.match(words({}), /ran on webgpu with 2 threads in float32/);
});

Deno.test("no string of the user becomes markup, and every one can be read", () => {
  const evil = (what: string) =>
    `${what}"'><script>alert(1)</script><img src=x onerror=alert(2)>&lt;`;
  const plain = small();
  const data = small({
    title: evil("title"),
    created: evil("created"),
    device: {
      name: evil("device"),
      threads: null,
      arithmetic: evil("arithmetic"),
      reason: evil("reason"),
      adapter: evil("adapter"),
    },
    hyperparameters: { [evil("key")]: evil("value"), nested: { [evil("inner")]: [1] } },
    dataset: { ...plain.dataset, name: evil("dataset"), warnings: [evil("warning")] },
    fixedPoints: [{ ...plain.fixedPoints[0], class: evil("class") }],
    scores: plain.scores.map((score) => ({ ...score, name: evil("score"), note: evil("note") })),
    recipes: plain.recipes?.map((recipe) => ({ ...recipe, name: evil("recipe"), note: evil("r") })),
    jacobianVsA: { A: [[1]], J: [[1]], difference: 0, words: evil("words") },
  });
  const page = parse(reportPage(data));
  assert.deepEqual(all(page, "script, img, iframe, object, embed, base, form, link"), []);
  for (const element of all(page, "*")) {
    for (const { name } of element.attributes) assert.doesNotMatch(name, /^on/i);
  }
  const text = all(page, "body")[0].textContent;
  for (
    const what of [
      "title",
      "created",
      "device",
      "arithmetic",
      "reason",
      "adapter",
      "key",
      "value",
      "inner",
      "dataset",
      "warning",
      "class",
      "score",
      "note",
      "recipe",
      "words",
    ]
  ) assert.ok(text.includes(evil(what)), `${what} is not in the text of the page`);
});

Deno.test("the page asks for nothing outside itself and runs nothing", () => {
  const page = parse(reportPage(small()));
  for (const element of all(page, "*")) {
    for (const { name, value } of element.attributes) {
      if (name === "src" || name === "srcset") assert.fail(`<${element.localName} ${name}>`);
      if (name === "href" || name === "xlink:href") assert.match(value, /^#/);
      if (!name.startsWith("xmlns")) assert.doesNotMatch(value, /https?:|url\(/);
    }
  }
  for (const style of all(page, "style")) {
    assert.doesNotMatch(style.textContent, /@import|url\(|https?:/);
  }
  const policies = all(page, "meta[http-equiv=Content-Security-Policy]");
  assert.deepEqual(policies.map((policy) => policy.getAttribute("content")), [
    "default-src 'none'; style-src 'unsafe-inline'",
  ]);
});

Deno.test("ids are unique, and every entry of the contents leads to a section", () => {
  const page = parse(reportPage(small()));
  const ids = all(page, "[id]").map((element) => element.getAttribute("id"));
  assert.equal(new Set(ids).size, ids.length);
  const targets = all(page, "nav a").map((link) => link.getAttribute("href")?.slice(1));
  assert.ok(targets.length >= 8);
  for (const target of targets) assert.ok(ids.includes(target ?? ""), `#${target} leads nowhere`);
});

Deno.test("every drawing has a name, every figure and table a caption, every data table headers", () => {
  const page = parse(reportPage(small()));
  const drawings = all(page, "svg.plot");
  assert.ok(drawings.length >= 12);
  for (const drawing of drawings) {
    assert.equal(drawing.getAttribute("role"), "img");
    assert.ok((drawing.getAttribute("aria-label") ?? "").length > 10);
    assert.equal(drawing.getAttribute("xmlns"), "http://www.w3.org/2000/svg");
  }
  for (const figure of all(page, "figure")) {
    assert.ok(all(figure, "figcaption").some((caption) => caption.textContent.length > 10));
  }
  for (const table of all(page, "table")) assert.equal(all(table, "caption").length, 1);
  for (const header of all(page, "th")) {
    assert.match(header.getAttribute("scope") ?? "", /^(row|col)$/);
  }
});

Deno.test("no attribute of a drawing is NaN, infinite or undefined", () => {
  const data = small({ fixedPoints: [fixedPoint([NaN, 0], [[NaN, 0]]), fixedPoint([0, 0], [])] });
  const states = Float64Array.from(data.trajectories.states_BTG as Float64Array);
  states[3] = NaN;
  states[8] = Infinity;
  const rates_BTN = Float64Array.from(data.rates.rates_BTN as Float64Array);
  rates_BTN.fill(NaN, 0, 30);
  const page = parse(reportPage({
    ...data,
    trajectories: { ...data.trajectories, states_BTG: states },
    rates: { ...data.rates, rates_BTN },
  }));
  for (const element of all(page, "svg *")) {
    for (const { name, value } of element.attributes) {
      assert.doesNotMatch(value, /NaN|Infinity|undefined/, `${element.localName} ${name}`);
    }
  }
});

Deno.test("the summary tells the explained share, the class, and the angle against the truth", () => {
  const text = words(parse(reportPage(small())));
  assert.match(text, /93\.4\s% of the way from the null model/);
  assert.match(text, /an unstable focus whose leading eigenvalue has modulus 1\.100/);
  // 0.23 against atan(0.2 / 0.98) = 0.20131: 14.2 % more.
  assert.match(text, /the fit turns 14\.2\s% faster/);
});

Deno.test("where training went back, and why it ended, is told in words", () => {
  const recovery = { step: 437, term: "nll", slice: "readout.w_FN", to: 400, factor: 0.25 };
  const text = words(parse(reportPage(small({ recoveries: [recovery], ended: "early-stop" }))));
  assert.match(text, /At step 437 the loss term “nll” was not finite \(parameters readout.w_FN\)/);
  assert.match(text, /went back to step 400 and on with 0.25 of its learning rate/);
  assert.match(text, /stopped early, at step 40:/);
  assert.doesNotMatch(words(parse(reportPage(small()))), /went back|stopped/);
});

Deno.test("without a truth nothing is compared with it", () => {
  const { scores } = small();
  const data = small({ truth: null, scores: scores.filter((score) => score.role !== "oracle") });
  const page = parse(reportPage({ ...data, rates: { ...data.rates, truth_BTN: null } }));
  assert.doesNotMatch(words(page), /true dynamics|generated the data|true rate/i);
});

Deno.test("a fit without fixed points, scores, history, recipes or conditions says so in every section", () => {
  const page = parse(reportPage(small({
    fixedPoints: [],
    truth: null,
    scores: [],
    history: [],
    recipes: [],
    jacobianVsA: undefined,
    field: undefined,
    hyperparameters: {},
  })));
  const text = words(page);
  assert.match(text, /No fixed point of the generator was found/);
  assert.match(text, /found none below its tolerance/);
  assert.match(text, /No score was computed/);
  assert.match(text, /No training history was kept/);
  assert.doesNotMatch(text, /Comparison of recipes|undefined|null,/);
});

Deno.test("one trial of one bin is drawn as dots", () => {
  const page = parse(reportPage(exampleReport({ B: 1, T: 1, N: 3, steps: 1 })));
  const portrait = all(page, "#trajectories svg.plot")[0];
  assert.ok(all(portrait, "circle").length > 0);
});

Deno.test("no trials, no bins and no neurons still make a page", () => {
  for (const sizes of [{ B: 0 }, { T: 0 }, { N: 0 }]) {
    const text = words(
      parse(reportPage(exampleReport({ steps: 3, B: 2, T: 4, N: 3, ...sizes }))),
    );
    assert.match(text, /There (is no trajectory|are no rates) to draw/);
  }
});

Deno.test("inferred inputs are drawn where the model has them, and only there", () => {
  const drawn = (U: number) =>
    words(parse(reportPage(exampleReport({ B: 2, T: 8, N: 3, steps: 3, U }))));
  assert.match(drawn(2), /Inferred inputs of trial/);
  assert.match(drawn(12), /Inferred inputs of trial/);
  assert.match(drawn(0), /no inferred inputs: each trial follows from its initial condition/);
  assert.doesNotMatch(drawn(0), /Inferred inputs of trial/);
});

Deno.test("conditions get a colour each and a name in the legend; more than eight name four", () => {
  const labels = (K: number) => {
    const data = exampleReport({ B: 24, T: 5, N: 3, steps: 3 });
    const condition = Int32Array.from({ length: 24 }, (_, b) => b % K);
    const page = parse(reportPage({
      ...data,
      trajectories: { ...data.trajectories, condition },
    }));
    const portrait = all(page, "#trajectories figure")[0];
    const strokes = all(portrait, "svg.plot path[stroke]").map((path) =>
      path.getAttribute("stroke")
    ).filter((stroke) => stroke !== null && /color-|oklch/.test(stroke));
    return {
      named:
        all(portrait, ".legend li").filter((item) => /condition/.test(item.textContent)).length,
      colors: new Set(strokes).size,
    };
  };
  assert.deepEqual(labels(3), { named: 3, colors: 3 });
  assert.deepEqual(labels(12), { named: 4, colors: 12 });
});

Deno.test("a fixed point far from every state leaves the frame alone and is named in the caption", () => {
  const near = small(),
    far = small({
      fixedPoints: [...near.fixedPoints, fixedPoint([500, 500], [[0.5, 0], [0.4, 0]])],
    });
  const ticks = (data: ReportData) =>
    all(all(parse(reportPage(data)), "#trajectories svg.plot")[0], "text")
      .map((text) => text.textContent).filter((text) => /^[−\d.]+$/.test(text) && text !== "1");
  assert.deepEqual(ticks(far), ticks(near));
  assert.match(words(parse(reportPage(far))), /Fixed point 2 lies outside the frame/);
});

Deno.test("ten fixed points are in view, and the others up to forty are folded", () => {
  const of = (many: number) => {
    const fixedPoints = Array.from({ length: many }, (_, k) => fixedPoint([k, 0], [[0.5, 0]]));
    const page = parse(reportPage(small({ fixedPoints })));
    const numbers = (selector: string) =>
      [...page.querySelectorAll(`#fixed-points ${selector} tbody th`)].map((cell) =>
        Number(cell.textContent)
      ).filter((k) => k > 0);
    const summary = [...page.querySelectorAll("#fixed-points details summary")]
      .map((one) => one.textContent);
    return { all: numbers("table").length, folded: numbers("details"), summary };
  };
  assert.deepEqual(of(10), { all: 10, folded: [], summary: [] });
  assert.deepEqual(of(11), { all: 11, folded: [11], summary: ["Fixed points 11 to 11"] });
  const { all, folded, summary } = of(60);
  assert.deepEqual([all, folded[0], folded.at(-1), folded.length], [40, 11, 40, 30]);
  assert.deepEqual(summary, ["Fixed points 11 to 40 of 60"]);
});

Deno.test("stability is read from the moduli: all inside, all outside, or some of each", () => {
  assert.equal(stability(fixedPoint([0, 0], [[0.9, 0], [-0.5, 0]])), "stable");
  assert.equal(stability(fixedPoint([0, 0], [[0.98, 0.3], [0.98, -0.3]])), "unstable");
  assert.equal(stability(fixedPoint([0, 0], [[1.2, 0], [0.5, 0]])), "mixed");
  const centre = { ...fixedPoint([0, 0], [[0.98, 0.2], [0.98, -0.2]]), class: "centre" };
  assert.equal(stability(centre), "neutral");
});

Deno.test("an array of the wrong length is refused by its name", () => {
  const data = small();
  const wrong: [RegExp, ReportData][] = [
    [/trajectories\.states_BTG to hold 144 numbers, found 3/, {
      ...data,
      trajectories: { ...data.trajectories, states_BTG: [1, 2, 3] },
    }],
    [/trajectories\.condition to hold 6/, {
      ...data,
      trajectories: { ...data.trajectories, condition: [0] },
    }],
    [/rates\.truth_BTN to hold 324/, { ...data, rates: { ...data.rates, truth_BTN: [] } }],
    [/fixedPoints\[0\]\.point to hold 2/, { ...data, fixedPoints: [fixedPoint([1, 2, 3], [])] }],
    [/trial\.inputs_TU to hold 0/, { ...data, trial: { ...data.trial, inputs_TU: [1] } }],
  ];
  for (const [message, bad] of wrong) {
    assert.throws(() => reportPage(bad), (error) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("states that lie in a plane keep their distances on the first two principal components", () => {
  const n = 5, R = 40;
  const flat = fillNormal(
    { ...seedWords(3), stream: STREAMS.simulate },
    0,
    new Float64Array(2 * R),
  );
  // Two orthonormal directions, and an offset that the components must take away.
  const a = [0.5, 0.5, 0.5, 0.5, 0], b = [0.5, -0.5, 0.5, -0.5, 0];
  const states = Array.from(
    { length: R },
    (_, r) => a.map((along, i) => 3 * flat[2 * r] * along + flat[2 * r + 1] * b[i] + 10),
  ).flat();
  const plane = planeOf(states, n, "state");
  assert.ok(plane);
  const at = (r: number) => plane.at(states, r * n);
  for (let r = 1; r < R; r++) {
    const [x, y] = at(r), [x0, y0] = at(0);
    const wanted = Math.hypot(
      3 * (flat[2 * r] - flat[0]),
      flat[2 * r + 1] - flat[1],
    );
    // A dozen roundings of values near 10 and an orthogonal basis to 1e-15: far below 1e-12.
    assert.ok(Math.abs(Math.hypot(x - x0, y - y0) - wanted) < 1e-12);
  }
  const shares = plane.labels.map((label) => Number(/\(([\d.]+) %/.exec(label)?.[1]));
  // Each share is rounded to a tenth of a percent.
  assert.ok(Math.abs(shares[0] + shares[1] - 100) <= 0.1 + 1e-9);
  assert.ok(shares[0] > shares[1]);
});

Deno.test("two dimensions are drawn as they are, one has no plane, and rows with NaN do not count", () => {
  assert.deepEqual(planeOf([1, 2, 3, 4], 2, "state")?.at([1, 2, 3, 4], 2), [3, 4]);
  assert.equal(planeOf([1, 2, 3], 1, "state"), null);
  const clean = planeOf([1, 0, 0, 0, 2, 0, -1, 0, 0, 0, -2, 0], 3, "state");
  const dirty = planeOf([1, 0, 0, NaN, 7, 7, 0, 2, 0, -1, 0, 0, 0, -2, 0], 3, "state");
  assert.deepEqual(dirty?.labels, clean?.labels);
  assert.deepEqual(dirty?.at([1, 2, 3]), clean?.at([1, 2, 3]));
});

Deno.test("the most modulated columns come first, and a constant one last", () => {
  const values_RN = [5, 0, 1, 5, 9, 2, 5, 0, 3];
  assert.deepEqual(mostModulated(values_RN, 3, 3), [1, 2, 0]);
  assert.deepEqual(mostModulated([NaN, 1, NaN, 1], 2, 2), [1, 0]);
});

Deno.test("run means keep the mean of full runs, and runs of one keep everything", () => {
  assert.deepEqual(runMeans([1, 3, 5, 7, 9], 2), [2, 6, 9]);
  assert.deepEqual(runMeans([4, 2, 8], 1), [4, 2, 8]);
});

Deno.test("a spread begins at 0, ascends, stays below n and takes everything that fits", () => {
  assert.deepEqual(spread(4, 10), [0, 1, 2, 3]);
  assert.deepEqual(spread(10, 4), [0, 2, 5, 7]);
  assert.deepEqual(spread(0, 4), []);
});

Deno.test("a perfect estimate explains all variance, the mean none, and a constant truth cannot be explained", () => {
  assert.equal(varianceExplained([1, 2, 3], [1, 2, 3]), 1);
  assert.equal(varianceExplained([2, 2, 2], [1, 2, 3]), 0);
  assert.equal(varianceExplained([1, 2], [4, 4]), null);
});

Deno.test("shades cover exactly the cells whose value is not near zero", () => {
  const cells = [[0, 1, 1, -1], [0.5, 0.5, 0, 0]];
  const paths = shadePaths({ rows: 2, columns: 4, full: 1, value: (r, c) => cells[r][c] });
  assert.deepEqual([...paths], [
    [20, "M1 0h2v1h-2z"],
    [-20, "M3 0h1v1h-1z"],
    [10, "M0 1h2v1h-2z"],
  ]);
});

Deno.test("numbers are set with three digits, a true minus, and words for what is no number", () => {
  assert.equal(number(1523.9, 6), "1523.90");
  assert.equal(number(-0.0123456), "−0.0123");
  assert.equal(number(0.9996), "1.00");
  assert.equal(number(3.1e-17, 2), "3.1 × 10⁻¹⁷");
  assert.deepEqual([null, NaN, Infinity, -Infinity, 0].map((value) => number(value)), [
    "–",
    "NaN",
    "∞",
    "−∞",
    "0",
  ]);
  assert.equal(complex(0.98, -0.2), "0.980 − 0.200i");
  assert.equal(complex(0.98, -0.2, true), "0.980 ± 0.200i");
  assert.equal(percent(0.934), "93.4\u00a0%");
  assert.equal(percent(-0.00001), "0.0\u00a0%");
});

Deno.test("nested hyperparameters flatten to dotted names, and a long value tells how long it is", () => {
  assert.deepEqual(flatten({ a: { b: { c: 1 } }, d: [1, 2], e: null, f: {} }), [
    ["a.b.c", "1"],
    ["d", "[1,2]"],
    ["e", "null"],
    ["f", "{}"],
  ]);
  assert.match(flatten({ long: "x".repeat(1234) })[0][1], /^x{200}… \(1\u202f234 characters\)$/);
});
