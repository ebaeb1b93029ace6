/** Questions that need an answer first. */
import { type Child, freshId, h } from "../dom.ts";

/** Opens a dialog; what its form is sent with, or null where it is closed. */
function open(title: string, content: Child, actions: Child): Promise<FormData | null> {
  const id = freshId("dialog");
  const form = h("form", { method: "dialog" }, content, h("div", { class: "actions" }, actions));
  const dialog = h(
    "dialog",
    { "aria-labelledby": id },
    h("h2", { id }, title),
    form,
  );
  document.body.append(dialog);
  return new Promise((resolve) => {
    let sent: FormData | null = null;
    form.addEventListener("submit", () => sent = new FormData(form));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(sent);
    });
    dialog.showModal();
  });
}

function cancel(text: string): HTMLButtonElement {
  return h("button", {
    type: "button",
    click: (event) => (event.currentTarget as Element).closest("dialog")?.close(),
  }, text);
}

/** Whether something is really to be done. */
export async function confirmed(title: string, text: string, yes: string): Promise<boolean> {
  const actions = [cancel("Keep it"), h("button", { class: "danger" }, yes)];
  return await open(title, h("p", {}, text), actions) !== null;
}

/** The server's key, from who has one. */
export async function askForKey(problem: string): Promise<string | null> {
  const id = freshId("key"), hint = freshId("hint");
  const sent = await open(
    "This server wants a key",
    [
      problem !== "" && h("p", { class: "field-problem", role: "alert" }, problem),
      h(
        "div",
        { class: "field" },
        h("label", { for: id }, "Key"),
        h("input", {
          id,
          name: "key",
          type: "password",
          autocomplete: "off",
          required: true,
          "aria-describedby": hint,
          placeholder: "latentd_…",
        }),
        h(
          "p",
          { class: "hint", id: hint },
          "Who runs the server makes one with ",
          h("code", {}, "deno task serve keys add NAME"),
          ". It stays in this tab, and is gone when the tab is closed.",
        ),
      ),
    ],
    [cancel("Not now"), h("button", { class: "primary" }, "Use the key")],
  );
  const key = sent?.get("key");
  return typeof key === "string" && key.trim() !== "" ? key.trim() : null;
}
