/** What every page has: a head with its place, its name, and what can be done there. */
import { add, type Child, h } from "../dom.ts";

/** What a page is asked for. */
export interface PageContext {
  /** the parts of the address that vary */
  readonly params: readonly string[];
  readonly query: URLSearchParams;
  /** aborts when the page is left */
  readonly signal: AbortSignal;
}

export interface View {
  /** for the window's title */
  readonly title: string;
  readonly body: readonly Child[];
}

export type Page = (context: PageContext) => View | Promise<View>;

export interface Head {
  readonly title: string;
  /** where the page hangs: names and addresses */
  readonly trail?: readonly (readonly [name: string, href: string])[];
  /** a line below the name */
  readonly about?: Child;
  readonly actions?: Child;
}

export function head({ title, trail = [], about, actions }: Head): HTMLElement {
  const links = trail.map(([name, href]) => h("li", {}, h("a", { href }, name)));
  return h(
    "header",
    { class: "head" },
    h(
      "div",
      {},
      links.length > 0 && h("nav", { "aria-label": "Place", class: "trail" }, h("ol", {}, links)),
      h("h1", { tabindex: -1 }, title),
      about !== undefined && h("p", { class: "about" }, about),
    ),
    actions !== undefined && h("div", { class: "actions" }, actions),
  );
}

/** A part of a page with a heading. */
export function section(title: string, ...children: readonly Child[]): HTMLElement {
  const id = `s-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), children);
}

/** What to do where there is nothing yet. */
export function empty(title: string, text: Child, ...actions: readonly Child[]): HTMLElement {
  const box = h("div", { class: "empty" }, h("p", { class: "empty-title" }, title));
  add(box, h("p", {}, text), actions.length > 0 && h("div", { class: "actions" }, actions));
  return box;
}

/** A link that looks like a button. */
export function linkButton(text: string, href: string, kind = ""): HTMLAnchorElement {
  return h("a", { class: `button ${kind}`.trim(), href }, text);
}

/** Names and values. */
export function facts(pairs: readonly (readonly [string, Child])[]): HTMLElement {
  return h(
    "dl",
    { class: "facts" },
    pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** A table that scrolls sideways by itself where the page is narrow. */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly (readonly Child[])[],
): HTMLElement {
  return h(
    "div",
    { class: "scroll", role: "region", "aria-label": caption, tabindex: 0 },
    h(
      "table",
      {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
      h(
        "tbody",
        {},
        rows.map(([first, ...rest]) =>
          h("tr", {}, h("th", { scope: "row" }, first), rest.map((cell) => h("td", {}, cell)))
        ),
      ),
    ),
  );
}

/** Something that unfolds; its content is made at each opening, and again where it is open. */
export function folded(
  summary: string,
  content: () => Child,
): HTMLDetailsElement & { again(): void } {
  const inside = h("div", { class: "folded" });
  const again = () => {
    inside.replaceChildren();
    if (details.open) add(inside, content());
  };
  const details = Object.assign(h("details", {}, h("summary", {}, summary), inside), { again });
  details.addEventListener("toggle", again);
  return details;
}
