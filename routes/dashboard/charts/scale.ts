/** What the colours of a heat map stand for. */
import { h } from "../dom.ts";
import { number } from "../format.ts";

export function scale(low: number, full: number, unit: string): HTMLElement {
  return h(
    "div",
    {
      class: "scale",
      role: "img",
      "aria-label": `Colours from ${number(low, 3)} to ${number(full, 3)}${unit}`,
    },
    h("span", {}, number(low, 3)),
    h("span", { class: "scale-bar" }),
    h("span", {}, `${number(full, 3)}${unit}`),
  );
}
