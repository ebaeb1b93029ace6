/** What went wrong, in the server's words; and buttons whose work may go wrong. */
import { ApiError } from "../api.ts";
import { h } from "../dom.ts";

/** A box that says what went wrong, and is read aloud. */
export function problemBox(error: unknown): HTMLElement {
  const message = error instanceof Error ? error.message : String(error);
  const details = error instanceof ApiError && error.details.length > 1 ? error.details : [];
  const close = h(
    "button",
    { type: "button", class: "quiet", click: () => box.remove() },
    "Dismiss",
  );
  const box = h(
    "div",
    { class: "problem", role: "alert", tabindex: -1 },
    // of several problems the list says all that the paragraph does
    h("p", {}, details.length > 0 ? `${message.split(":")[0]}:` : message),
    details.length > 0 && h(
      "ul",
      {},
      details.map(({ field, wanted, found }) =>
        h("li", {}, field !== "" && h("code", {}, field), ` expected ${wanted}, found ${found}`)
      ),
    ),
    close,
  );
  return box;
}

/** Whether an error only says that the page was left. */
export function isLeft(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Does something, with the button out of reach meanwhile; a problem appears below it. */
export async function work(
  button: HTMLButtonElement,
  job: () => Promise<void>,
  below: Element = button.closest("[data-problems]") ?? button.parentElement ?? button,
): Promise<void> {
  const next = below.nextElementSibling;
  if (next?.classList.contains("problem")) next.remove();
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    await job();
  } catch (error) {
    if (!isLeft(error)) below.after(problemBox(error));
  } finally {
    const focused = document.activeElement === document.body;
    button.removeAttribute("aria-busy");
    button.disabled = false;
    // a button that is disabled loses the focus
    if (focused && button.isConnected) button.focus();
  }
}

/** A button that does something which takes a while or may be refused. */
export function button(
  text: string,
  job: () => Promise<void>,
  { kind = "", label }: { kind?: string; label?: string } = {},
): HTMLButtonElement {
  const element = h("button", { type: "button", class: kind, "aria-label": label }, text);
  element.addEventListener("click", () => void work(element, job));
  return element;
}
