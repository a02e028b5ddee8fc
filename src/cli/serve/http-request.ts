import HTTPParser from 'bare-http-parser';

/** By name, in lower case. */
export type RequestFields = Readonly<Record<string, string | undefined>>;

/** A request, once it is there with all of its body. */
export interface HttpRequest {
  readonly method: string;
  /** As it came: see `requestPath`. */
  readonly target: string;
  readonly version: 'HTTP/1.0' | 'HTTP/1.1';
  readonly fields: RequestFields;
  /** The client wants to go on. */
  readonly keepAlive: boolean;
  /** When its head was complete, on the clock of `performance`. */
  readonly start: number;
}

/** A request, or something that is none, whose connection ends with this status. */
export type Incoming = { readonly request: HttpRequest; readonly refusal?: number } | {
  readonly request?: undefined;
  readonly refusal: number;
};

/** Bytes of a body that are read off: nobody wants it. */
const BODY_MAX = 64 << 10;
const FIELDS_MAX = 200;
const { REQUEST, DATA, END } = HTTPParser.constants;
/**
 * A host and perhaps a port, RFC 9110, 7.2: a name, an IPv4 address, or an IPv6 address in brackets. The parser lets
 * everything pass.
 */
const HOST = /^(?:\[[0-9A-Fa-f:.]+(?:%25[\w\-.~%]+)?\]|[\w\-.~!$&'()*+;=%]*)(?::\d*)?$/;

/** Makes requests of what a connection brings. */
export class RequestReader {
  readonly #parser: HTTPParser;
  #current: HttpRequest | undefined;
  #bodyBytes = 0;
  /** Nothing that comes after is believed. */
  isBroken = false;
  /** The head was read, and the body is awaited; so it wants to hear that it may be sent. */
  isContinueWanted = false;

  /** @param headMax bytes of a request's line and fields */
  constructor(headMax: number) {
    this.#parser = new HTTPParser(
      { __proto__: null, maxHeaderSize: headMax, maxHeadersCount: FIELDS_MAX } as {
        maxHeaderSize: number;
        maxHeadersCount: number;
      },
    );
  }

  /** The head of a request is there, and its body is not. */
  get isInBody(): boolean {
    return this.#current !== undefined;
  }

  /**
   * Take what has come, which may be anything; append what is complete to `into`. @returns has a head been completed?
   */
  push(data: Uint8Array, into: Incoming[]): boolean {
    let hasHead = false;
    try {
      for (const event of this.#parser.push(data)) {
        if (event.type === REQUEST) {
          hasHead = true;
          this.#begin(event, into);
        } else if (event.type === DATA) {
          this.#bodyBytes += event.data.length;
          if (this.#bodyBytes > BODY_MAX) this.#refuse(413, into);
        } else if (event.type === END) {
          into.push({ request: this.#current! });
          this.#current = undefined;
          this.isContinueWanted = false;
        } else {
          // The parser takes responses, too, and would leave all that follows a 101 to another protocol.
          this.#refuse(400, into);
        }
        if (this.isBroken) break;
      }
    } catch (error) {
      this.#refuse(STATUS_OF_ERROR[(error as { code?: string }).code ?? ''] ?? 400, into);
    }
    return hasHead;
  }

  #begin({ method, url, version, headers }: HTTPParser.ParsedRequest, into: Incoming[]): void {
    const connection = headers['connection']?.toLowerCase().split(',').map((option) => option.trim()) ?? [];
    const keepAlive = !connection.includes('close') && (version === 'HTTP/1.1' || connection.includes('keep-alive'));
    this.#current = { method, target: url, version, fields: headers, keepAlive, start: performance.now() };
    this.#bodyBytes = 0;
    const expectation = headers['expect'];
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    if (!HOST.test(headers['host'] ?? '')) this.#refuse(400, into);
    // The parser takes nothing from a tunnel.
    else if (method === 'CONNECT') this.#refuse(405, into);
    else if (Number(headers['content-length'] ?? 0) > BODY_MAX) this.#refuse(413, into);
    else if (expectation !== undefined && expectation.toLowerCase() !== '100-continue') this.#refuse(417, into);
    else this.isContinueWanted = hasBody && expectation !== undefined && version === 'HTTP/1.1';
  }

  #refuse(refusal: number, into: Incoming[]): void {
    this.isBroken = true;
    into.push(this.#current === undefined ? { refusal } : { request: this.#current, refusal });
    this.#current = undefined;
  }
}

/** Anything that is no HTTP is answered with 400. */
const STATUS_OF_ERROR = { __proto__: null, HEADER_OVERFLOW: 431, INVALID_METHOD: 501 } as unknown as Readonly<
  Record<string, number | undefined>
>;
