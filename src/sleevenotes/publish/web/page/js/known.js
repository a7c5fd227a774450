// What is said, above its answer, of a cover that the model learnt from.

import { el } from "./dom.js";

/** The warning for `known` of a prediction; null for a cover that the model does not know. */
export function warning(known, name) {
  if (!known) return null;
  const article = known.startsWith("same") ? "the" : "a";
  return el("p", { class: name, role: "note" }, `This is ${article} ${known}. What the model says of it proves nothing: it was shown the right answer.`);
}
