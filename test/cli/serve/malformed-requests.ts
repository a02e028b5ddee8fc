// Requests that a strict parser refuses, and those that it must take: for the tests of `iouring serve`, and to compare
// parsers.

const HOST = 'Host: x\r\n';

/** A request for `path`, of the version that is given; `fields` are lines with their ends. */
export function get(path: string, fields = '', version = '1.1'): string {
  return `GET ${path} HTTP/${version}\r\n${version === '1.1' ? HOST : ''}${fields}\r\n`;
}

const withField = (field: string): string => get('/1', `${field}\r\n`);
const withLine = (line: string): string => `${line}\r\n${HOST}\r\n`;

const LENGTHS = [
  '+3',
  '-1',
  '-0',
  '0x3',
  '1.0',
  '1e1',
  '1_0',
  '1 2',
  '3, 3',
  '3,',
  '3;',
  '"3"',
  '',
  '\xb2',
  '9007199254740993',
  '99999999999999999999999',
];

const ENCODINGS = [
  'gzip',
  'identity',
  '',
  'chunk',
  'xchunked',
  '"chunked"',
  'chunked;q=1',
  'chunked,',
  'chunked, chunked',
  'chunked, identity',
  'chunked,,gzip',
  'cow, chunked',
  '\x0bchunked',
  'chunked\x0b',
];

const HOSTS = ['a b', 'x y:80', 'a/b', 'a,b', 'a@b', 'a\\b', 'a?b', 'a#b', 'a:b', 'a:80:80', '[::1', '[x]', '<x>',
  'a"b', 'a\xe9'];

const FIELDS = [
  'X',
  ': x',
  'X Y: 1',
  'X : 1',
  'X\t: 1',
  ' X: 1',
  '"X": 1',
  'X(: 1',
  'X@y: 1',
  'X/: 1',
  '=: 1',
  'X\0: 1',
  'X\x7f: 1',
  'X\xe9: 1',
  'X: a\0b',
  'X: a\x01b',
  'X: a\x7fb',
  'X: 1\r\n folded',
  'X: 1\r\n\tfolded',
  'X: 1\nY: 2',
  'X: 1\rY: 2',
  'X: 1\r',
  '\rX: 1',
  'Host: x',
  'Content-Length : 3',
  'Content-Length\t: 3',
  'Content-Length: 3\r\nContent-Length: 3',
  'Content-Length: 3\r\nContent-Length: 4',
  'Content-Length: 3\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nContent-Length: 3',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip',
];

const VERSIONS = [
  'HTTP/2.0',
  'HTTP/0.9',
  'HTTP/1.2',
  'HTTP/3.1',
  'HTTP/01.1',
  'HTTP/1.10',
  'HTTP/1',
  'HTTP/1.',
  'HTTP/.1',
  'HTTP/1,1',
  'http/1.1',
  'HTTP /1.1',
  'HTPP/1.1',
  'RTSP/1.0',
  'ICE/1.0',
  'HTTP/1.1 ',
  'HTTP/1.1\t',
  'HTTP/1.1\r',
];

const LINES = [
  'GET  /1 HTTP/1.1',
  'GET /1  HTTP/1.1',
  'GET\t/1 HTTP/1.1',
  'GET /1\tHTTP/1.1',
  ' GET /1 HTTP/1.1',
  '\tGET /1 HTTP/1.1',
  '\0GET /1 HTTP/1.1',
  'GET /1',
  'GET',
  'GET HTTP/1.1',
  'GET  HTTP/1.1',
  'GET/1 HTTP/1.1',
  'GET /\xff HTTP/1.1',
  'GET /\x7f HTTP/1.1',
  'GET /\x01 HTTP/1.1',
  'GET /a b HTTP/1.1',
  'GET /a\0 HTTP/1.1',
  'GET /a\rb HTTP/1.1',
  'get /1 HTTP/1.1',
  'Get /1 HTTP/1.1',
  'G\xcbT /1 HTTP/1.1',
  'NONSENSE /1 HTTP/1.1',
  ...VERSIONS.map((version) => `GET /1 ${version}`),
];

/** Answers, which no client sends. Those behind a request might take its connection over. */
const RESPONSES = [
  'HTTP/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 200\r\n\r\n',
  'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nabcde',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 101 X\r\n\r\n',
  'HTTP/1.1 204 X\r\n\r\n',
  'HTTP/1.1 304 X\r\n\r\n',
  'HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  'RTSP/1.0 200 OK\r\n\r\n',
  'ICY 200 OK\r\n\r\n',
  ' HTTP/1.1 200 OK\r\n\r\n',
  `HTTP/1.1 200 OK\r\n${HOST}\r\n`,
];

/** What is no request, each with an end: what comes behind it must not be believed. */
export const MALFORMED: readonly string[] = [
  ...LENGTHS.map((value) => withField(`Content-Length: ${value}`)),
  ...ENCODINGS.map((value) => withField(`Transfer-Encoding: ${value}`)),
  ...HOSTS.map((value) => `GET /1 HTTP/1.1\r\nHost: ${value}\r\n\r\n`),
  ...FIELDS.map(withField),
  ...LINES.map(withLine),
  ...RESPONSES,
  get('/1', 'Transfer-Encoding: chunked\r\n', '1.0'),
  'GET /1 HTTP/1.1\r\n\r\n',
  'GET /1\r\n\r\n',
  `GET /1 HTTP/1.1\n${HOST}\n`,
  `GET /1 HTTP/1.1\r\n${HOST}\n`,
  `GET /1 HTTP/1.1\n${HOST}\r\n`,
  `GET /1 HTTP/1.1\r\n ${HOST}\r\n`,
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
];

const CHUNKED = get('/1', 'Transfer-Encoding: chunked\r\n');

const CHUNKS = [
  '5 \r\nabcde\r\n0\r\n\r\n',
  '5\t\r\nabcde\r\n0\r\n\r\n',
  ' 5\r\nabcde\r\n0\r\n\r\n',
  '0x5\r\nabcde\r\n0\r\n\r\n',
  '-5\r\nabcde\r\n0\r\n\r\n',
  '+5\r\nabcde\r\n0\r\n\r\n',
  '5,\r\nabcde\r\n0\r\n\r\n',
  '5_0\r\n',
  'g\r\n',
  '\r\n0\r\n\r\n',
  'ffffffffffffffff\r\n',
  'ffffffffffffffff0\r\n',
  '5\nabcde\r\n0\r\n\r\n',
  '5\r\r\nabcde\r\n0\r\n\r\n',
  '5;x\nabcde\r\n0\r\n\r\n',
  '5;x\ry\r\nabcde\r\n0\r\n\r\n',
  '5;x\0\r\nabcde\r\n0\r\n\r\n',
  '5;x="\n"\r\nabcde\r\n0\r\n\r\n',
  '5\r\nabcdefg\r\n0\r\n\r\n',
  '5\r\nabcde\n0\r\n\r\n',
  '5\r\nabcde0\r\n\r\n',
  '0\n\r\n',
  '0\r\n\n',
  '0\r\n\rX',
  '0\r\nX\r\n\r\n',
  '0\r\nX: 1\n\r\n',
  '0\r\nX : 1\r\n\r\n',
  '0\r\n X: 1\r\n\r\n',
  '0\r\nX: a\0\r\n\r\n',
  '0\r\nX: 1\r\n folded\r\n\r\n',
  '0\r\nHost: y\r\n\r\n',
  '0\r\nContent-Length: 3\r\n\r\n',
  '0\r\nTransfer-Encoding: chunked\r\n\r\n',
];

/** Requests whose bodies are in chunks, and are wrong. */
export const MALFORMED_BODIES: readonly string[] = CHUNKS.map((chunks) => CHUNKED + chunks);

/** One request each, which is as it should be. */
export const WELL_FORMED: readonly string[] = [
  get('/1'),
  get('/1', '', '1.0'),
  `\r\n${get('/1')}`,
  `${get('/1', 'Content-Length: 5\r\n')}abcde`,
  `${get('/1', 'Content-Length: 5\t \r\n')}abcde`,
  `${CHUNKED}5;x=y\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n`,
  `${get('/1', 'transfer-encoding: Chunked\r\n')}05\r\nabcde\r\n0\r\n\r\n`,
  get('/1', 'Content-Length: 0\r\n'),
  withField('X: \xe9'),
  withField('X:'),
  withField('X:1 \t'),
  withField("!#$%&'*+-.^_`|~9a: x"),
  withField('Cookie: a\r\nCookie: b'),
  withField('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk'),
  withField('Connection: Upgrade\r\nUpgrade: websocket'),
  withLine('OPTIONS * HTTP/1.1'),
  withLine('GET http://x/1 HTTP/1.1'),
  withLine('PROPFIND /1 HTTP/1.1'),
  `POST /1 HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nab`,
  ...['', 'x:', 'x:80', 'a.example', '127.0.0.1:8080', '[::1]', '[::1]:80', '[fe80::1%25eth0]', 'a_b', 'x%20y'].map((
    host,
  ) => `GET /1 HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
];
