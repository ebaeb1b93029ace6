/** What each recipe reached over seeds, as `deno task bench recipes` measured it. */
import type { RecipeView } from "../report/data.ts";

/** Rows for the report's comparison of recipes. */
export function measuredRecipes(): RecipeView[] {
  return [];
}
