/** A place where a file is dropped or chosen; a form sends it. */
import { freshId, h } from "../dom.ts";
import { bytes } from "../format.ts";
import type { Field } from "./form.ts";

export interface FilePicker extends Field {
  /** the file; undefined where none is chosen, which the field then says */
  file(): File | undefined;
  /** what is being done with it; empty for nothing */
  say(words: string): void;
}

export function filePicker(label: string, hint: string, accept: string): FilePicker {
  const id = freshId("file"), hintId = freshId("hint"), problemId = freshId("problem");
  const input = h("input", { id, type: "file", accept, "aria-describedby": hintId });
  const state = h("p", { class: "upload-state", role: "status" });
  const wrong = h("p", { class: "field-problem", id: problemId, hidden: true });
  const element = h(
    "div",
    { class: "upload" },
    h("label", { for: id }, label),
    input,
    h("p", { class: "hint", id: hintId }, hint),
    wrong,
    state,
  );
  const problem = (text: string | null) => {
    wrong.hidden = text === null;
    wrong.textContent = text ?? "";
    if (text === null) input.removeAttribute("aria-invalid");
    else input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", text === null ? hintId : `${problemId} ${hintId}`);
  };
  const over = (inside: boolean) => (event: Event) => {
    event.preventDefault();
    element.classList.toggle("over", inside);
  };
  element.addEventListener("dragover", over(true));
  element.addEventListener("dragleave", over(false));
  element.addEventListener("drop", (event) => {
    over(false)(event);
    const files = event.dataTransfer?.files;
    if (files && files.length > 0) input.files = files;
  });
  input.addEventListener("change", () => problem(null));
  return {
    element,
    input,
    read: () => input.files?.[0],
    problem,
    file() {
      const file = input.files?.[0];
      if (file) state.textContent = `Sending ${file.name} (${bytes(file.size)}) …`;
      else {
        problem("Choose a file first.");
        input.focus();
      }
      return file;
    },
    say: (words) => state.textContent = words,
  };
}
