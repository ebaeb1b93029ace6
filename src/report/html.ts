/** Markup that is safe to place in a page. Only `html`, `join` and `raw` make it. */
export class Html {
  constructor(readonly text: string) {}
}

/** What a template may hold: text is escaped, markup is not, and null leaves nothing. */
export type Content = string | number | Html | null | readonly Content[];

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as it may stand between tags or in a quoted attribute. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

function flatten(content: Content): string {
  if (content === null) return "";
  if (content instanceof Html) return content.text;
  if (typeof content === "object") return content.map(flatten).join("");
  return escape(String(content));
}

/**
 * Markup from a template literal; every value in it is escaped unless it is `Html` already.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(html`<p>${"a < b"}</p>`.text, "<p>a &lt; b</p>");
 * ```
 */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  return new Html(strings.reduce((text, part, i) => text + flatten(values[i - 1]) + part));
}

/** Takes a string as markup, unescaped: for what a serialiser or this project wrote. */
export function raw(markup: string): Html {
  return new Html(markup);
}

/** A column of a table. */
export interface Column {
  readonly head: string;
  /** Numbers stand right, in tabular figures. */
  readonly numeric?: boolean;
}

/** A table with a caption, a header row, and the first cell of each row as that row's header. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Content[])[],
): Html {
  const kind = (i: number) => columns[i].numeric ? "number" : "words";
  return html`
    <div class="scroll" role="region" aria-label="${caption}" tabindex="0">
      <table>
        <caption>${caption}</caption>
        <thead>
          <tr>${columns.map((column, i) =>
            html`
              <th scope="col" class="${kind(i)}">${column.head}</th>
            `
          )}</tr>
        </thead>
        <tbody>${rows.map((row) =>
          html`
            <tr>${row.map((cell, i) =>
              i === 0
                ? html`
                  <th scope="row" class="${kind(i)}">${cell}</th>
                `
                : html`<td class="${kind(i)}">${cell}</td>`
            )}</tr>
          `
        )}</tbody>
      </table>
    </div>
  `;
}

/** One or more drawings with a legend above and a caption below. */
export function figure(
  drawings: Content,
  caption: Content,
  options: { readonly legend?: Content; readonly wide?: boolean } = {},
): Html {
  return html`
    <figure class="${options.wide ? "wide" : "narrow"}">
    ${options.legend ?? null}<div class="drawings">${drawings}</div>
    <figcaption>${caption}</figcaption>
    </figure>
  `;
}

/** What a figure or table says when there is nothing to show. */
export function nothing(why: string): Html {
  return html`
    <p class="nothing">${why}</p>
  `;
}

/** A mark as it looks in a drawing, with its name. `color` is CSS of this project, never the user's. */
export interface LegendEntry {
  readonly label: string;
  readonly color: string;
  readonly mark?: "line" | "dashed" | "bar" | "dot" | "ring" | "diamond" | "cross";
}

const MARKS: Record<NonNullable<LegendEntry["mark"]>, string> = {
  line: '<path d="M1 6H23" stroke="currentColor" stroke-width="2.5"/>',
  dashed: '<path d="M1 6H23" stroke="currentColor" stroke-width="2.5" stroke-dasharray="5 3"/>',
  bar: '<path d="M6 10V4M11 10V2M17 10V4" stroke="currentColor" stroke-width="2.5"/>',
  dot: '<circle cx="12" cy="6" r="4.5" fill="currentColor"/>',
  ring: '<circle cx="12" cy="6" r="4" fill="none" stroke="currentColor" stroke-width="2"/>',
  diamond: '<path d="M12 1L17 6L12 11L7 6Z" fill="none" stroke="currentColor" stroke-width="2"/>',
  cross: '<path d="M8 2L16 10M8 10L16 2" stroke="currentColor" stroke-width="2.5"/>',
};

/** The names of the marks of a figure, as a list. */
export function legend(entries: readonly LegendEntry[]): Html {
  return html`
    <ul class="legend">${entries.map((entry) =>
      html`<li><svg xmlns="http://www.w3.org/2000/svg" width="24" height="12" viewBox="0 0 24 12" aria-hidden="true" style="color:${entry.color}">${
        raw(MARKS[entry.mark ?? "line"])
      }</svg>${entry.label}</li>`
    )}</ul>
  `;
}

/** A section of the page: `id` is the target of the table of contents. */
export interface Section {
  readonly id: string;
  readonly heading: string;
  readonly body: Html;
}
