/** The parser has no types of its own: what is used of it. */
declare module 'bare-http-parser' {
  class HTTPParser {
    constructor(options?: { maxHeaderSize?: number; maxHeadersCount?: number });
    /**
     * Bytes that have come, and what they complete. Throws at what is no valid HTTP/1 message; nothing may be pushed
     * then. Bytes of a body are views of `data`.
     */
    push(data: Uint8Array): Generator<HTTPParser.ParsedEvent>;
  }

  namespace HTTPParser {
    type ParsedEvent = ParsedRequest | ParsedResponse | { readonly type: 3; readonly data: Buffer } | {
      readonly type: 4;
    };

    interface ParsedRequest {
      readonly type: 1;
      readonly version: 'HTTP/1.0' | 'HTTP/1.1';
      readonly method: string;
      readonly url: string;
      /** Names in lower case; of several fields of one name the values, with commas between them. */
      readonly headers: Readonly<Record<string, string | undefined>>;
    }

    /** The parser tells by its first bytes which of both a message is. */
    interface ParsedResponse {
      readonly type: 2;
    }

    const constants: { readonly REQUEST: 1; readonly DATA: 3; readonly END: 4 };
  }

  export = HTTPParser;
}
