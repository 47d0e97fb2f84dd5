// From a session to its relatives and neighbours, by the links of its head and the addresses below its own.
import { addKey } from "./keys.js";

function follow(selector) {
  const link = document.querySelector(selector);
  link?.click();
  return Boolean(link);
}

function go(side) {
  const home = document.querySelector("transcript-stream")?.dataset.home;
  if (!home) return false;
  location.assign(`${home}${side}/`);
}

addKey("f", "Forks: the lineage", "Reading", () => follow("[data-lineage]"));
addKey("[", "Newer session of this project", "Reading", () => go("newer"));
addKey("]", "Older session of this project", "Reading", () => go("older"));
