/** The parts of Node that can be put on the ring, as the environment variable IOURING names them. */
export const PARTS = ['net', 'http', 'dgram', 'fs'] as const;
export type Part = (typeof PARTS)[number];

/** The variable that chooses: `off`, or a list of {@link PARTS} with commas between them. */
const VARIABLE = 'IOURING';

/**
 * The parts that the environment chooses; undefined where it says nothing, and those are on that were measured never to
 * be slower.
 */
export function chosenParts(env: NodeJS.ProcessEnv = process.env): ReadonlySet<Part> | undefined {
  const text = env[VARIABLE]?.trim() ?? '';
  if (text === '') return undefined;
  const words = text.split(',').map((word) => word.trim()).filter((word) => word !== '' && word !== 'off');
  const unknown = words.filter((word) => !isPart(word));
  if (unknown.length > 0) {
    // The program starts all the same, with what was understood.
    const message = `The environment variable ${VARIABLE} names '${unknown.join("', '")}', which is ignored: it can be 'off', or a list of ${PARTS.join(', ')}`;
    process.emitWarning(message, { type: 'IOURingWarning', code: VARIABLE });
  }
  return new Set(words.filter(isPart));
}

function isPart(word: string): word is Part {
  return (PARTS as readonly string[]).includes(word);
}
