/** Content negotiation, with a problem where nothing fits. */
import { negotiate as best } from "../../src/server.ts";
import { refusal } from "./problems.ts";

/**
 * The type of `offered` that Accept likes best; of equals, and without Accept, the first.
 *
 * @throws {RequestProblem} 406 where it likes none
 */
export function negotiate<T extends string>(
  request: Request,
  action: string,
  offered: readonly T[],
): T {
  const accept = request.headers.get("accept");
  const type = best(accept, offered);
  if (type !== null) return type;
  const wanted = `to allow ${offered.join(" or ")}`;
  throw refusal(406, action, "Accept", wanted, JSON.stringify(accept?.slice(0, 200)));
}
