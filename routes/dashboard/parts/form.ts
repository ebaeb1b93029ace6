/** Forms whose fields are what the server describes, and whose problems are what it answers. */
import { ApiError } from "../api.ts";
import { type Child, freshId, h, replace } from "../dom.ts";
import { words } from "../format.ts";
import { bounds, type Schema, splitDefault } from "../schema.ts";
import { isLeft, problemBox } from "./problem.ts";

export interface FieldOptions {
  readonly label?: string;
  /** instead of the schema's description */
  readonly hint?: string;
  readonly value?: string;
  /** shown where nothing is given; by default what the schema's description says */
  readonly otherwise?: string;
}

/** One field: what it shows, and what it gives. */
export interface Field {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement | HTMLSelectElement;
  /** what was given; undefined where nothing was, and the server's default holds */
  read(): unknown;
  problem(text: string | null): void;
}

/** A field for a value that a schema describes. What it takes is not checked here: the server does. */
export function field(name: string, schema: Schema, options: FieldOptions = {}): Field {
  const { words: described, otherwise } = splitDefault(schema.description);
  const label = options.label ?? words(name);
  const fallback = options.otherwise ?? otherwise;
  if (schema.type === "boolean") {
    return checkbox(name, label, options.hint ?? described, options.value);
  }
  const id = freshId(name);
  const input = schema.enum
    ? h(
      "select",
      { id, name },
      h("option", { value: "" }, fallback === null ? "default" : `${fallback} (default)`),
      schema.enum.filter((choice) => choice !== fallback)
        .map((choice) => h("option", { value: choice }, choice)),
    )
    : h("input", {
      id,
      name,
      type: "text",
      inputmode: schema.type === "integer"
        ? "numeric"
        : schema.type === "string"
        ? "text"
        : "decimal",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: fallback ?? "",
    });
  if (options.value !== undefined) input.value = options.value;
  const hint = [options.hint ?? described, schema.enum ? "" : bounds(schema)]
    .filter((part) => part !== "").join("; ");
  const numeric = schema.type !== "string";
  return wrap(input, label, hint, () => {
    const text = input.value.trim();
    if (text === "") return undefined;
    // what is no number goes to the server as it is, and is refused in its words
    return !schema.enum && numeric && /^[-+]?[0-9]*\.?[0-9]+(e[-+]?[0-9]+)?$/i.test(text)
      ? Number(text)
      : text;
  });
}

/** A choice of names with words for people. */
export function choice(
  name: string,
  label: string,
  choices: readonly (readonly [value: string, words: string])[],
  options: Pick<FieldOptions, "hint" | "value"> = {},
): Field {
  const input = h(
    "select",
    { id: freshId(name), name },
    choices.map(([value, text]) => h("option", { value }, text)),
  );
  if (options.value !== undefined) input.value = options.value;
  return wrap(input, label, options.hint ?? "", () => input.value === "" ? undefined : input.value);
}

function checkbox(name: string, label: string, hint: string, value?: string): Field {
  const input = h("input", { id: freshId(name), name, type: "checkbox" });
  input.checked = value === "true";
  return wrap(input, label, hint, () => input.checked, "field check");
}

function wrap(
  input: HTMLInputElement | HTMLSelectElement,
  label: string,
  hint: string,
  read: () => unknown,
  kind = "field",
): Field {
  const hintId = freshId("hint"), problemId = freshId("problem");
  const wrong = h("p", { class: "field-problem", id: problemId, hidden: true });
  if (hint !== "") input.setAttribute("aria-describedby", hintId);
  const named = h("label", { for: input.id }, label);
  const element = h(
    "div",
    { class: kind },
    kind === "field" ? [named, input] : h("div", { class: "check-line" }, input, named),
    hint !== "" && h("p", { class: "hint", id: hintId }, inCode(hint)),
    wrong,
  );
  return {
    element,
    input,
    read,
    problem(text) {
      wrong.hidden = text === null;
      wrong.textContent = text ?? "";
      if (text === null) input.removeAttribute("aria-invalid");
      else input.setAttribute("aria-invalid", "true");
      const ids = [...(text === null ? [] : [problemId]), ...(hint === "" ? [] : [hintId])];
      if (ids.length > 0) input.setAttribute("aria-describedby", ids.join(" "));
    },
  };
}

/** Words between backticks are names. */
function inCode(text: string): Child {
  return text.split("`").map((part, i) => i % 2 === 1 ? h("code", {}, part) : part);
}

export interface FormOptions {
  readonly label: string;
  readonly fields: ReadonlyMap<string, Field>;
  readonly content: Child;
  readonly submit: string;
  /** what is shown beside the button */
  readonly beside?: Child;
  send(): Promise<void>;
}

/** A form. Fields are known by the server's names for them: `hyperparameters.factors`. */
export function form(
  { label, fields, content, submit, beside, send }: FormOptions,
): HTMLFormElement {
  const problems = h("div", { class: "form-problems" });
  const button = h("button", { class: "primary" }, submit);
  const element = h(
    "form",
    { novalidate: true, "aria-label": label },
    content,
    problems,
    h("div", { class: "actions" }, button, beside),
  );
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    replace(problems);
    for (const field of fields.values()) field.problem(null);
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      await send();
    } catch (error) {
      if (!isLeft(error)) show(error, fields, problems);
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  });
  return element;
}

function show(error: unknown, fields: ReadonlyMap<string, Field>, problems: Element): void {
  const details = error instanceof ApiError ? error.details : [];
  const box = problemBox(error);
  replace(problems, box);
  const wrong: Field[] = [];
  for (const { field: name, wanted, found } of details) {
    const field = fields.get(name);
    if (!field) continue;
    field.problem(`Expected ${wanted}, found ${found}.`);
    wrong.push(field);
    for (let fold = field.element.closest("details"); fold; fold = null) fold.open = true;
  }
  const first = wrong.find(({ input }) => input.isConnected);
  if (first) first.input.focus();
  else box.focus();
}
