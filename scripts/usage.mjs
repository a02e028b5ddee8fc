/** Prints how a script is used, and ends it, if that is what is asked for: `--help`. */
export function answerHelp(usage) {
  if (!process.argv.includes('--help')) return;
  console.log(usage);
  process.exit(0);
}
