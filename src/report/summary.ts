import type { ReportData, ScoreView } from "./data.ts";
import { angle, count, decimals, number, percent, plural, short } from "./format.ts";
import { type Content, type Html, html, type Section } from "./html.ts";

/** What was fitted and how well, in words and in a few figures that stand out. */
export function summarySection(data: ReportData): Section {
  const sentences = [fitted(data), predicted(data), rotated(data)];
  const body = html`<p class="lead">${
    sentences.filter((sentence) => sentence !== null).map((sentence) => [sentence, " "])
  }</p>
${figures(data)}<p class="note">${computed(data)}</p>
${warnings(data)}`;
  return { id: "summary", heading: "Summary", body };
}

/** The score of the fitted model, if there is one. */
export function modelScore(data: ReportData): ScoreView | null {
  return data.scores.find((score) => score.role === "model") ?? null;
}

function fitted(data: ReportData): Html {
  const { dataset, trajectories: many, trial } = data;
  const inputs = trial.U > 0
    ? `${plural(trial.U, "inferred input")}`
    : "no inferred inputs (an autonomous model)";
  const bins = dataset.binWidth === null
    ? plural(dataset.T, "bin")
    : `${plural(dataset.T, "bin")} of ${short(dataset.binWidth * 1000)} ms`;
  return html`LFADS with ${plural(many.G, "generator unit")}, ${
    plural(many.F, "factor")
  } and ${inputs} was fitted to ${plural(dataset.trainTrials, "trial")} of <b>${dataset.name}</b>
(${plural(dataset.N, "neuron")}, ${bins}); ${heldOut(dataset.evalTrials)}.`;
}

function heldOut(evalTrials: number): string {
  if (evalTrials === 0) return "no trial was held out to judge the fit";
  return `${plural(evalTrials, "other trial")} ${
    evalTrials === 1 ? "was" : "were"
  } held out to judge the fit`;
}

function predicted(data: ReportData): Html | null {
  const score = modelScore(data);
  if (score === null) return null;
  if (score.explained !== null) {
    return html`On the held-out trials it goes <b>${
      percent(score.explained)
    }</b> of the way from the null model, which knows only each neuron’s mean rate,
to the oracle, which knows the rates that generated the spikes.`;
  }
  return score.bitsPerSpike === null
    ? html`On the held-out trials its negative log-likelihood is <b>${
      number(score.nll, 6)
    }</b> nats per ${score.per ?? "trial"}.`
    : html`On the held-out trials it predicts <b>${
      number(score.bitsPerSpike)
    }</b> bits per spike more than each neuron’s mean rate does.`;
}

function rotated(data: ReportData): Html {
  const slowest = data.fixedPoints[0];
  if (slowest === undefined) return html`No fixed point of the generator was found.`;
  const leading = slowest.eigenvalues[0];
  const many = data.fixedPoints.length;
  const what = html`${
    many === 1
      ? "One fixed point was found"
      : `${count(many)} fixed points were found; the slowest is`
  }${many === 1 ? ", " : " "}${article(slowest.class)} ${slowest.class}`;
  if (leading === undefined) return html`${what}.`;
  const turn = leading.im === 0
    ? "is real: it does not turn"
    : html`turns by <b>${angle(Math.abs(leading.angle), data.dataset.binWidth)}</b>`;
  const own = html`${what} whose leading eigenvalue has modulus ${
    decimals(leading.modulus)
  } and ${turn}`;
  if (data.truth === null) return html`${own}.`;
  return html`${own}; the dynamics that generated the data have modulus ${
    decimals(data.truth.modulus)
  } and turn by ${angle(Math.abs(data.truth.angle), data.dataset.binWidth)}${
    leading.im === 0 ? null : against(leading.angle, data.truth.angle)
  }.`;
}

function article(noun: string): string {
  return /^[aeiou]/i.test(noun) ? "an" : "a";
}

/** By how much an angle misses the true one, in words. */
function against(found: number, truth: number): string {
  const off = relativeAngle(found, truth);
  if (off === null) return "";
  return `: the fit turns ${percent(Math.abs(off))} ${off < 0 ? "slower" : "faster"}`;
}

/** The relative error of an angle's size; null where the truth does not turn. */
export function relativeAngle(found: number, truth: number): number | null {
  return truth === 0 || !Number.isFinite(found) ? null : Math.abs(found) / Math.abs(truth) - 1;
}

function computed(data: ReportData): Html {
  const { device, history } = data;
  const last = history.at(-1);
  const steps = last === undefined ? "It" : `The fit took ${plural(last.step, "step")} and`;
  const threads = device.threads === null ? "" : ` with ${plural(device.threads, "thread")}`;
  const who = device.adapter === undefined ? threads : `, ${device.adapter},`;
  return html`${steps} ran on ${device.name}${who} in ${device.arithmetic} (${
    device.reason.replace(/\.$/, "")
  }), from seed ${String(data.seed)}.`;
}

function figures(data: ReportData): Html {
  const score = modelScore(data);
  const leading = data.fixedPoints[0]?.eigenvalues[0];
  const off = leading && data.truth ? relativeAngle(leading.angle, data.truth.angle) : null;
  const tiles: readonly (readonly [string, string, string] | null)[] = [
    score === null || score.explained === null ? null : [
      percent(score.explained),
      "explained",
      "null model 0 %, oracle 100 %",
    ],
    score === null || score.bitsPerSpike === null
      ? null
      : [number(score.bitsPerSpike), "bits per spike", "over each neuron’s mean rate"],
    [
      count(data.fixedPoints.length),
      data.fixedPoints.length === 1 ? "fixed point" : "fixed points",
      data.fixedPoints[0]?.class ?? "none found",
    ],
    leading === undefined ? null : [
      decimals(Math.abs(leading.angle)),
      "rad per bin",
      leading.im === 0
        ? "the leading eigenvalue is real"
        : off === null
        ? "leading eigenvalue of the slowest point"
        : `${percent(Math.abs(off))} ${off < 0 ? "below" : "above"} the true angle`,
    ],
  ];
  return html`
    <dl class="tiles">${tiles.filter((tile) => tile !== null).map(([value, unit, note]): Content =>
      html`
        <div>
          <dt>${unit}</dt>
          <dd class="value">${value}</dd>
          <dd class="note">${note}</dd>
        </div>
      `
    )}</dl>
  `;
}

function warnings(data: ReportData): Html | null {
  const list = data.dataset.warnings;
  if (list.length === 0) return null;
  return html`
    <aside class="warnings" aria-label="Warnings about the data">
      <h3>${plural(list.length, "warning")} about the data</h3>
      <ul>${list.map((warning) => html`<li>${warning}</li>`)}</ul>
    </aside>
  `;
}
