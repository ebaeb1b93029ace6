/** What the colours of a heat map stand for. */
import { h } from "../dom.ts";
import { number } from "../format.ts";

export function scale(full: number, unit: string): HTMLElement {
  return h(
    "div",
    { class: "scale", role: "img", "aria-label": `Colours from 0 to ${number(full, 3)} ${unit}` },
    h("span", {}, "0"),
    h("span", { class: "scale-bar" }),
    h("span", {}, `${number(full, 3)} ${unit}`),
  );
}
