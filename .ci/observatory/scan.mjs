// Prints what Mozilla's HTTP Observatory says of https://localhost:PORT, as its own command does for port 443.
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [folder, http, https] = process.argv.slice(2);
const home = path.dirname(createRequire(path.join(folder, "x.js")).resolve("@mdn/mdn-http-observatory/src/index.js"));
// Its list of preloaded hosts is fetched when it is installed with scripts; localhost is not on it.
mkdirSync(path.join(home, "..", "conf"), { recursive: true });
writeFileSync(path.join(home, "..", "conf", "hsts-preload.json"), "{}");
const { ALL_TESTS } = await import(path.join(home, "constants.js"));
const { MINIMUM_SCORE_FOR_EXTRA_CREDIT } = await import(path.join(home, "grader", "charts.js"));
const grader = await import(path.join(home, "grader", "grader.js"));
const { retrieve } = await import(path.join(home, "retriever", "retriever.js"));

const found = await retrieve("localhost", { httpPort: http, httpsPort: https, path: "/enter/" });
const results = ALL_TESTS.map((test) => test(found));
const modifiers = results.map(({ result }) => grader.getScoreModifier(result));
const uncurved = modifiers.filter((each) => each < 0).reduce((sum, each) => sum + each, 100);
const score = uncurved >= MINIMUM_SCORE_FOR_EXTRA_CREDIT ? modifiers.reduce((sum, each) => sum + each, 100) : uncurved;
const tests = Object.fromEntries(results.map(({ constructor, result }, at) => [constructor.name, [result, modifiers[at]]]));
console.log(JSON.stringify({ ...grader.getGradeForScore(score), status: found.responses.auto?.status, tests }));
