// Writes recorded.json anew from the installed liburing: node build/test/liburing/record.js
import { Ours, trials } from './comparison.ts';
import { ask, findHelpers, installedHeader, installedVersion } from './driver.ts';
import { readRecording, writeRecording, type Recording } from './recorded.ts';
import { ROWS } from './rows.ts';

const SEED = 2023;
const COUNT = 20;

const header = installedHeader();
if (!header) throw new Error('needs a C compiler and <liburing.h>');
const helpers = findHelpers(header);
const former = readRecording();
const rows = ROWS.filter(({ theirs }) => theirs).map((row) => {
  const ours = new Ours(row);
  const list = trials(row, SEED, COUNT);
  const calls = list.map((trial) => ours.run(trial).calls ?? []);
  return { name: row.name, list, calls, known: calls.flat().every(([helper]) => helpers.has(helper)) };
});
const entries = ask(helpers, rows.filter(({ known }) => known).flatMap(({ calls }) => calls));
const recording: Recording = {};
for (const { name, list, known } of rows) {
  if (known) recording[name] = list.map((trial) => ({ ...trial, entry: entries.shift()! }));
  // Answers of a newer liburing are as good as ever.
  else if (name in former) recording[name] = former[name];
}
writeRecording(recording);
const lacking = rows.filter(({ known }) => !known).map(({ name }) => name);
console.log(`Recorded from liburing ${installedVersion()}. It lacks:\n${lacking.join('\n')}`);
