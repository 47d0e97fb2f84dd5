// From a session to the tree of its forks.
import { addKey } from "./keys.js";

addKey("f", "Forks: the lineage", "Reading", () => {
  const link = document.querySelector("[data-lineage]");
  if (!link) return false;
  link.click();
});
