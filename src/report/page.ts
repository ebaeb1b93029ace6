import { checkShapes } from "./check.ts";
import type { ReportData } from "./data.ts";
import { decodingSection } from "./decoding.ts";
import { fixedPointsSection } from "./fixed_points.ts";
import { instant } from "./format.ts";
import { html, raw, type Section } from "./html.ts";
import { inputFixedPointsSection } from "./input_fixed_points.ts";
import { inputsSection } from "./inputs.ts";
import { lossesSection } from "./losses.ts";
import { rasterSection } from "./raster.ts";
import { ratesSection } from "./rates.ts";
import { recipesSection, scoresSection } from "./scores.ts";
import { settingsSection } from "./settings.ts";
import { STYLE } from "./style.ts";
import { summarySection } from "./summary.ts";
import { trajectoriesSection } from "./trajectories.ts";
import { trialSection } from "./trial.ts";

/** Nothing may be fetched and nothing may run, whatever the data hold. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** The page itself; the same data give the same page. */
export function reportPage(data: ReportData): string {
  checkShapes(data);
  const sections: Section[] = [
    summarySection(data),
    scoresSection(data),
    trajectoriesSection(data),
    fixedPointsSection(data),
    inputFixedPointsSection(data),
    rasterSection(data),
    ratesSection(data),
    decodingSection(data),
    inputsSection(data),
    trialSection(data),
    lossesSection(data),
    recipesSection(data),
    settingsSection(data),
  ].filter((section) => section !== null);
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="${POLICY}">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${data.title}</title>
        <style>${raw(STYLE)}</style>
      </head>
      <body>
        <header>
          <h1>${data.title}</h1>
          <p class="made">latentd, <time datetime="${data.created}">${instant(
            data.created,
          )}</time></p>
          <nav aria-label="Contents">
            <ul>${sections.map(({ id, heading }) =>
              html`<li><a href="#${id}">${heading}</a></li>`
            )}</ul>
          </nav>
        </header>
        <main>
    ${sections.map(({ id, heading, body }) =>
      html`
        <section id="${id}" aria-labelledby="${id}-heading">
        <h2 id="${id}-heading">${heading}</h2>
        ${body}</section>
      `
    )}</main>
        <footer>States, factors and inputs are in arbitrary units. Likelihoods are in nats unless bits are named.</footer>
      </body>
    </html>
  `.text.trim() + "\n";
}
