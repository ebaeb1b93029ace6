/** A number that is stepped through: one of so many trials or neurons, counted from 0. */
import { freshId, h } from "../dom.ts";
import { count } from "../format.ts";

export function stepper(
  label: string,
  of: number,
  start: number,
  change: (to: number) => void,
): HTMLElement & { set(to: number): void } {
  const id = freshId("stepper");
  const input = h("input", {
    id,
    type: "number",
    min: 0,
    max: of - 1,
    step: 1,
    value: start,
    inputmode: "numeric",
  });
  let now = start;
  const go = (to: number) => {
    const next = Math.min(of - 1, Math.max(0, Math.round(to) || 0));
    input.value = String(next);
    if (next === now) return;
    now = next;
    change(next);
  };
  const step = (by: number, text: string, name: string) =>
    h("button", {
      type: "button",
      class: "icon",
      "aria-label": `${name} ${label.toLowerCase()}`,
      click: () => go(now + by),
    }, text);
  input.addEventListener("change", () => go(Number(input.value)));
  return Object.assign(
    h(
      "div",
      { class: "stepper", role: "group", "aria-label": label },
      h("label", { for: id }, label, h("span", { class: "hint" }, ` 0 to ${count(of - 1)}`)),
      h("div", { class: "stepper-line" }, step(-1, "‹", "Previous"), input, step(1, "›", "Next")),
    ),
    { set: (to: number) => go(to) },
  );
}
