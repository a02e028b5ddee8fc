/** A reporter of the test runner: what was skipped and why, how long each file took, and what was covered, a line of JSON each. */
export default async function* record(source) {
  for await (const { type, data } of source) {
    if (type === 'test:coverage') yield line({ kind: 'coverage', files: data.summary.files.map(uncovered) });
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { file, name, nesting, skip, details } = data;
    if (skip !== undefined && skip !== false) yield line({ kind: 'skip', file, name, reason: skip });
    if (nesting === 0) yield line({ kind: 'time', file, ms: details.duration_ms });
  }
}

const line = (entry) => `${JSON.stringify(entry)}\n`;

function uncovered({ path, lines, functions, totalLineCount, coveredLineCount }) {
  return {
    path,
    total: totalLineCount,
    covered: coveredLineCount,
    lines: lines.filter(({ count }) => count === 0).map(({ line }) => line),
    functions: functions.filter(({ count, name }) => count === 0 && name !== '').map(({ name, line }) => ({
      name,
      line,
    })),
  };
}
