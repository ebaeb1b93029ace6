/** A place where files are dropped or chosen. */
import { freshId, h } from "../dom.ts";
import { bytes } from "../format.ts";
import { isLeft, problemBox } from "./problem.ts";

export interface UploadOptions {
  readonly label: string;
  readonly hint: string;
  readonly accept: string;
  /** what happens to a file; a problem is shown here */
  take(file: File): Promise<void>;
}

export function upload({ label, hint, accept, take }: UploadOptions): HTMLElement {
  const id = freshId("file"), hintId = freshId("hint");
  const input = h("input", { id, type: "file", accept, "aria-describedby": hintId });
  const state = h("p", { class: "upload-state", role: "status" });
  const element = h(
    "div",
    { class: "upload", "data-problems": true },
    h("label", { for: id }, label),
    input,
    h("p", { class: "hint", id: hintId }, hint),
    state,
  );
  const begin = async (file: File | undefined) => {
    if (!file || input.disabled) return;
    const next = element.nextElementSibling;
    if (next?.classList.contains("problem")) next.remove();
    input.disabled = true;
    state.textContent = `Sending ${file.name} (${bytes(file.size)}) …`;
    try {
      await take(file);
      state.textContent = `${file.name} is there.`;
    } catch (error) {
      state.textContent = "";
      if (!isLeft(error)) element.after(problemBox(error));
    } finally {
      input.disabled = false;
      input.value = "";
    }
  };
  input.addEventListener("change", () => void begin(input.files?.[0]));
  const over = (inside: boolean) => (event: Event) => {
    event.preventDefault();
    element.classList.toggle("over", inside);
  };
  element.addEventListener("dragover", over(true));
  element.addEventListener("dragleave", over(false));
  element.addEventListener("drop", (event) => {
    over(false)(event);
    void begin(event.dataTransfer?.files[0]);
  });
  return element;
}
