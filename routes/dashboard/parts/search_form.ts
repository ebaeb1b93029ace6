/** How fixed points are searched for. */
import { h } from "../dom.ts";
import { plural } from "../format.ts";
import { schemaOf } from "../schema.ts";
import { type Field, field, form } from "./form.ts";

const BASIC = ["candidates", "seed"];
const SEARCH = ["iterations", "tol"];
const PREFIX = "search.";

/** @param send what is asked for, without the trials */
export async function searchForm(
  send: (asked: Record<string, unknown>) => Promise<void>,
): Promise<HTMLFormElement> {
  const properties = (await schemaOf("/v1/models/{id}/fixed-points")).properties ?? {};
  const search = properties.search?.properties ?? {};
  const fields = new Map<string, Field>();
  const add = (name: string, made: Field) => {
    fields.set(name, made);
    return made.element;
  };
  const nested = (names: readonly string[]) =>
    names.filter((name) => search[name]).map((name) => {
      const { type } = search[name];
      const plain = Array.isArray(type) ? { ...search[name], type: type[0] } : search[name];
      return add(`${PREFIX}${name}`, field(name, plain));
    });
  const others = Object.keys(search).filter((name) => !SEARCH.includes(name));
  const content = [
    h(
      "div",
      { class: "fields" },
      BASIC.filter((name) => properties[name]).map((name) =>
        add(name, field(name, properties[name]))
      ),
      nested(SEARCH),
    ),
    h(
      "details",
      {},
      h("summary", {}, `More: ${plural(others.length, "option")}`),
      h("div", { class: "fields" }, nested(others)),
    ),
  ];
  return form({
    label: "Search for fixed points",
    fields,
    content,
    submit: "Find fixed points",
    send: async () => {
      const asked: Record<string, unknown> = {}, options: Record<string, unknown> = {};
      for (const [name, field] of fields) {
        const value = field.read();
        if (value === undefined) continue;
        if (name.startsWith(PREFIX)) options[name.slice(PREFIX.length)] = value;
        else asked[name] = value;
      }
      await send(Object.keys(options).length > 0 ? { ...asked, search: options } : asked);
    },
  });
}
