import type { ReportData } from "./data.ts";
import { evaluationTable } from "./evaluation.ts";
import { count, decimals, number, percent } from "./format.ts";
import { type Html, html, nothing, type Section, table } from "./html.ts";

/** How well the model predicts the held-out data, between the null model and the oracle. */
export function scoresSection(data: ReportData): Section {
  const heading = "Scores on held-out trials";
  if (data.scores.length === 0) {
    return { id: "scores", heading, body: nothing("No score was computed.") };
  }
  const { per = "trial" } = data.scores[0];
  const body = html`${
    table(
      per === "sample"
        ? "Negative log-likelihood of the numbers that were observed"
        : "Negative log-likelihood of the spikes (ln x! included), bits per spike over each neuron’s mean rate, and the share of the way from the null model to the oracle",
      [
        { head: "predictor" },
        { head: `NLL (nats/${per})`, numeric: true },
        // real numbers have no spikes, and no oracle
        ...(per === "sample" ? [] : [
          { head: "bits/spike", numeric: true },
          { head: "explained", numeric: true },
        ]),
        { head: "note" },
      ],
      data.scores.map((score) => [
        score.role === "model" ? html`<b>${score.name}</b>` : score.name,
        number(score.nll, 6),
        ...(per === "sample" ? [] : [decimals(score.bitsPerSpike), shareBar(score.explained)]),
        score.note,
      ]),
    )
  }${evaluationTable(data)}`;
  return { id: "scores", heading, body };
}

/** What became of other ways to start the same fit; null when none was tried. */
export function recipesSection(data: ReportData): Section | null {
  const { recipes } = data;
  if (!recipes || recipes.length === 0) return null;
  const body = table(
    "Ways to fit the same kind of data, this run first",
    [
      { head: "recipe" },
      { head: "explained", numeric: true },
      { head: "fixed points", numeric: true },
      { head: "angle (rad/bin)", numeric: true },
      { head: "|λ|", numeric: true },
      { head: "note" },
    ],
    recipes.map((recipe) => [
      recipe.name,
      shareBar(recipe.explained),
      recipe.fixedPoints === null ? number(null) : count(recipe.fixedPoints),
      decimals(recipe.angle),
      decimals(recipe.modulus),
      recipe.note,
    ]),
  );
  return { id: "recipes", heading: "Comparison of recipes", body };
}

/** A percentage over a bar from 0 to 100 %; outside that range the number alone tells. */
function shareBar(share: number | null): Html {
  if (share === null || !Number.isFinite(share)) return html`${number(share)}`;
  const width = Math.round(1000 * Math.min(1, Math.max(0, share))) / 10;
  const bar =
    html`<span class="bar" aria-hidden="true"><span style="width:${width}%"></span></span>`;
  return html`<span class="share">${bar}<span class="share-text">${percent(share)}</span></span>`;
}
