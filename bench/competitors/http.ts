/** What every responder receives and answers; responder.c has the same. */

export const RESPONSE = Buffer.from(
  'HTTP/1.1 200 OK\r\n' +
    'Server: responder\r\n' +
    'Content-Type: text/plain\r\n' +
    'Content-Length: 5\r\n' +
    '\r\n' +
    'Hello',
);

const CR = 13;
const LF = 10;

/** Throws unless `bytes` hold the end of exactly one request, as wrk sends them. */
export function expectOneRequest(bytes: Uint8Array): void {
  let count = 0;
  for (let i = 3; i < bytes.length; i++) {
    if (bytes[i] === LF && bytes[i - 1] === CR && bytes[i - 2] === LF && bytes[i - 3] === CR) {
      count++;
    }
  }
  if (count !== 1) {
    throw new Error(`Cannot respond: an arrival held ${count} requests`);
  }
}

/** Throws when less than the whole response was taken. */
export function expectWholeResponse(sent: number): void {
  if (sent !== RESPONSE.length) {
    throw new Error(`Cannot respond: ${sent} of ${RESPONSE.length} bytes were sent`);
  }
}
