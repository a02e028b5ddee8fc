// `iouring serve`: what is in the folder, all of it and nothing else; whole, in parts, or not at all if the client has
// it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { commandOn } from '../../kernel/aged-kernel.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { run } from '../../run.ts';
import { Served, WAYS } from './served.ts';

const SECRET = 'a secret of another folder';
const SIZES = [0, 1, 1000, 131_072, 262_144, 262_145, 3_500_001];

/** One of everything in `site`, and a secret beside it. All of it is an hour old. */
function fill(root: string): string {
  const site = join(root, 'site');
  mkdirSync(join(site, 'sub/deep'), { recursive: true });
  for (const name of ['site-beside', 'outside']) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'secret.txt'), SECRET);
  }
  writeFileSync(join(root, 'secret.txt'), SECRET);
  const file = (name: string, contents: string | Buffer): void => writeFileSync(join(site, name), contents);
  for (const size of SIZES) {
    file(
      `size-${size}`,
      Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, i) => i))),
    );
  }
  file('index.html', '<p>index');
  file('sub/index.html', '<p>sub');
  for (
    const name of ['a b.txt', 'ü €.txt', '100%.txt', '<i>&"\'.txt', 'a?b#c.txt', 'back\\slash.txt', 'sub/deep/x.json']
  ) file(name, `of ${name}`);
  writeFileSync(Buffer.concat([Buffer.from(`${site}/raw-`), Buffer.from([0xff])]), 'raw');
  for (const name of ['.hidden', 'sub/.env']) file(name, 'hidden');
  mkdirSync(join(site, '.git'));
  file('.git/config', 'hidden');
  symlinkSync('sub/deep/x.json', join(site, 'link-inside'));
  symlinkSync('deep', join(site, 'sub/link-folder'));
  symlinkSync('../secret.txt', join(site, 'link-out'));
  symlinkSync(join(root, 'secret.txt'), join(site, 'link-absolute'));
  symlinkSync('../outside', join(site, 'folder-out'));
  symlinkSync('..', join(site, 'up'));
  symlinkSync('/proc/self/root', join(site, 'magic'));
  symlinkSync('loop', join(site, 'loop'));
  symlinkSync('nothing', join(site, 'dangling'));
  symlinkSync('.git/config', join(site, 'innocent'));
  symlinkSync('innocent', join(site, 'twice'));
  symlinkSync('.git', join(site, 'folder'));
  symlinkSync('../.hidden', join(site, 'sub/up-hidden'));
  symlinkSync('.git/../a b.txt', join(site, 'past-hidden'));
  execFileSync('mkfifo', [join(site, 'pipe')]);
  symlinkSync('pipe', join(site, 'pipe-link'));
  execFileSync('find', [site, '-exec', 'touch', '-h', '-d', '1 hour ago', '{}', '+']);
  return site;
}

describe('iouring serve', { concurrency: 4 }, () => {
  for (const [way, env] of WAYS) {
    describe(`iouring serve, ${way}`, () => {
      const folder = new Temporary();
      const site = fill(folder.path);
      let served: Served;
      before(async () => {
        served = await Served.start(site, ['--no-log'], env);
        assert.match(
          served.stderr,
          way === 'through io_uring' ? /through io_uring\n/ : /without io_uring, through Node\n/,
        );
      });
      after(async () => {
        await served[Symbol.asyncDispose]();
        folder[Symbol.dispose]();
      });
      const escaped = (name: string): string => encodeURIComponent(name).replaceAll('%2F', '/');

      it('serves every file as it is, twice', async () => {
        const names = [...SIZES.map((size) => `size-${size}`), 'a b.txt', 'ü €.txt', '100%.txt', '<i>&"\'.txt',
          'a?b#c.txt', 'back\\slash.txt'];
        names.push('sub/deep/x.json', 'link-inside', 'sub/link-folder/x.json');
        for (const name of [...names, ...names]) {
          const { status, headers, body } = await served.get(`/${escaped(name)}`);
          const expected = readFileSync(join(site, name));
          assert.deepEqual([status, headers['content-length'], body.equals(expected)], [200, String(expected.length),
            true], name);
        }
        assert.equal((await served.get('/raw-%FF')).body.toString(), 'raw');
        assert.equal((await served.get('/raw-%C3%BF')).status, 404);
      });

      it('the index of a directory, a redirect to it where the slash is missing, and nothing where there is no index', async () => {
        for (
          const [path, text] of [['/', '<p>index'], ['/?query', '<p>index'], ['/sub/', '<p>sub'], [
            '/./sub/.//index.html',
            '<p>sub',
          ]]
        ) {
          assert.equal((await served.get(path)).body.toString(), text);
        }
        const { status, headers } = await served.get('/sub?a=1&b');
        assert.deepEqual([status, headers.location], [301, '/sub/?a=1&b']);
        assert.equal((await served.get('//sub')).headers.location, '/sub/');
        assert.equal((await served.get('/sub/deep/')).status, 403);
        for (
          const path of ['/a%20b.txt/', '/nothing', '/nothing/', '/sub/nothing', `/${'x'.repeat(300)}`, '/size-1/x']
        ) {
          assert.equal((await served.get(path)).status, 404, path);
        }
        assert.match(
          await served.exchange('GET http://any.host/sub/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
          /^HTTP\/1.1 200 .*<p>sub$/s,
        );
      });

      it('tells what kind of file it is', async () => {
        const types: [string, string][] = [
          ['/', 'text/html; charset=utf-8'],
          ['/a%20b.txt', 'text/plain; charset=utf-8'],
          ['/sub/deep/x.json', 'application/json; charset=utf-8'],
          ['/size-1', 'application/octet-stream'],
        ];
        for (const [path, type] of types) {
          const { headers } = await served.get(path);
          assert.deepEqual([headers['content-type'], headers['x-content-type-options']], [type, 'nosniff']);
          assert.ok(Math.abs(Date.parse(headers.date!) - Date.now()) < 60_000);
        }
      });

      it('HEAD: the same fields, and no body', async () => {
        for (const path of ['/', '/size-3500001', '/nothing', '/sub']) {
          const [get, head] = [await served.get(path), await served.get(path, {}, { method: 'HEAD' })];
          // Meanwhile the clock may have moved on, and the file may have become settled.
          const lasting = (headers: IncomingHttpHeaders): object => ({
            ...headers,
            date: '',
            etag: headers.etag?.replace('W/', ''),
          });
          assert.deepEqual([head.status, lasting(head.headers), head.body.length], [get.status, lasting(get.headers),
            0]);
        }
      });

      it('given any path, does not leave the folder', async () => {
        const up = ['..', '%2e%2e', '.%2e', '%2E.', '..%00', '%c0%ae%c0%ae', '%252e%252e', '..%5c..', '..\\..', '....',
          '%u002e%u002e'];
        const slashes = ['/', '%2f', '%5c', '\\', '//', '/./', '%252f', '%c0%af'];
        const attacks = up.flatMap((two) =>
          slashes.flatMap((slash) => [
            `/${two}${slash}secret.txt`,
            `/sub${slash}${two}${slash}${two}${slash}secret.txt`,
            `/sub${slash}deep${slash}${two}${slash}${two}${slash}${two}${slash}site-beside${slash}secret.txt`,
          ])
        );
        attacks.push(
          '/../secret.txt',
          '/..',
          '/../',
          '/sub/../../secret.txt',
          '/../site-beside/secret.txt',
          `/${folder.path}/secret.txt`,
          `/%2f${folder.path}/secret.txt`,
          '/link-out',
          '/link-absolute',
          '/folder-out',
          '/folder-out/',
          '/folder-out/secret.txt',
          '/up/secret.txt',
          '/up/up/site/../secret.txt',
          `/magic${folder.path}/secret.txt`,
          '/loop',
          '/dangling',
          '/secret.txt%00',
          '/index.html%00.txt',
          '/%',
          '/%2',
          '/%zz',
          '/proc/self/environ',
        );
        for (const path of attacks) {
          const received = await served.exchange(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
          assert.match(received, /^HTTP\/1\.1 (400|404) /, path);
          assert.ok(!received.includes(SECRET), path);
        }
        for (const target of ['secret.txt', '../secret.txt', '*', 'file:///etc/passwd', 'ftp://x/y', 'x:80']) {
          assert.match(
            await served.exchange(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
            /^HTTP\/1\.1 400 /,
            target,
          );
        }
      });

      it('given folders that turn into links and back, does not leave the folder', async () => {
        mkdirSync(join(site, 'turning'));
        writeFileSync(join(site, 'turning/secret.txt'), 'nothing special');
        symlinkSync('../outside', join(site, 'turned'));
        let isDone = false;
        const turning = (async () => {
          while (!isDone) {
            renameSync(join(site, 'turning'), join(site, 'kept'));
            renameSync(join(site, 'turned'), join(site, 'turning'));
            await new Promise((resolve) => setImmediate(resolve));
            renameSync(join(site, 'turning'), join(site, 'turned'));
            renameSync(join(site, 'kept'), join(site, 'turning'));
            await new Promise((resolve) => setImmediate(resolve));
          }
        })();
        const seen = new Set<string>();
        for (let i = 0; i < 40; i++) {
          const answers = await Promise.all(Array.from({ length: 8 }, () => served.get('/turning/secret.txt')));
          for (const { status, body } of answers) seen.add(`${status} ${body.toString().trim()}`);
        }
        isDone = true;
        await turning;
        assert.deepEqual(
          [...seen].filter((answer) => !['200 nothing special', '404 404 Not Found'].includes(answer)),
          [],
        );
      });

      it('hides names that begin with a dot; a pipe is no file, and keeps nobody waiting', async () => {
        for (const path of ['/.hidden', '/sub/.env', '/.git/config', '/.git/', '/%2ehidden', '/.git']) {
          assert.equal((await served.get(path)).status, 404, path);
        }
        assert.equal((await served.get('/pipe')).status, 403);
      });

      it('given links to hidden files, answers 404; links past them are followed', async () => {
        for (const path of ['/innocent', '/twice', '/folder', '/folder/', '/folder/config', '/sub/up-hidden']) {
          const { status, body } = await served.get(path);
          assert.deepEqual([status, body.includes('hidden')], [404, false], path);
        }
        assert.equal((await served.get('/past-hidden')).body.toString(), 'of a b.txt');
        await using open = await Served.start(site, ['--no-log', '--dotfiles'], env);
        for (const path of ['/innocent', '/twice', '/folder/config', '/sub/up-hidden']) {
          assert.equal((await open.get(path)).body.toString(), 'hidden', path);
        }
      });

      it('given devices, pipes and sockets, does not serve them', async (t) => {
        const socket = createServer().listen(join(site, 'socket'));
        await once(socket, 'listening');
        try {
          execFileSync('mknod', [join(site, 'device'), 'c', '1', '5'], { stdio: 'ignore' });
        } catch {
          t.diagnostic('no device can be made here');
        }
        for (
          const path of ['/pipe', '/pipe-link', '/socket', ...(existsSync(join(site, 'device')) ? ['/device'] : [])]
        ) {
          assert.equal((await served.get(path)).status, 403, path);
        }
        socket.close();
        rmSync(join(site, 'device'), { force: true });
      });

      it('parts of a file', async () => {
        for (const size of [1000, 262_145, 3_500_001]) {
          const all = readFileSync(join(site, `size-${size}`));
          const last = size - 1;
          const ranges: [string, number, number][] = [
            ['0-0', 0, 0],
            ['0-', 0, last],
            ['10-19', 10, 19],
            ['-1', last, last],
            ['-300', size - 300, last],
            [`-${size + 5}`, 0, last],
            [`${last}-`, last, last],
            [`5-${size * 2}`, 5, last],
            ['0-9,10-19', 0, 19],
            ['10-30, 0-15', 0, 30],
            [' 3-4 ', 3, 4],
          ];
          for (let i = 0; i < 20; i++) {
            const from = Math.floor(Math.random() * size);
            const to = from + Math.floor(Math.random() * (size - from));
            ranges.push([`${from}-${to}`, from, to]);
          }
          for (const [range, from, to] of ranges) {
            const { status, headers, body } = await served.get(`/size-${size}`, { Range: `bytes=${range}` });
            assert.deepEqual([status, headers['content-range']], [206, `bytes ${from}-${to}/${size}`], range);
            assert.ok(body.equals(all.subarray(from, to + 1)), range);
          }
          const { headers, body } = await served.get(`/size-${size}`, { Range: 'bytes=0-99,200-299,-50' });
          const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(headers['content-type']!)![1];
          const parts = body.toString('latin1').split(`--${boundary}`);
          assert.deepEqual([parts[0], parts.at(-1), parts.length], ['', '--\r\n', 5]);
          for (const [i, [from, to]] of [[0, 99], [200, 299], [size - 50, last]].entries()) {
            const start =
              `\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${from}-${to}/${size}\r\n\r\n`;
            assert.equal(parts[i + 1], `${start}${all.toString('latin1', from, to + 1)}\r\n`);
          }
        }
      });

      it('ranges that cannot be had, that are not understood, and that are too many', async () => {
        for (const range of ['bytes=1000-', 'bytes=1000-2000', 'bytes=-0', 'bytes=5-4']) {
          const { status, headers } = await served.get('/size-1000', { Range: range });
          assert.deepEqual([status, headers['content-range']], [416, 'bytes */1000'], range);
        }
        assert.equal((await served.get('/size-0', { Range: 'bytes=0-' })).status, 416);
        const many = Array.from({ length: 200 }, (_, i) => `${i * 4}-${i * 4 + 1}`).join(',');
        for (
          const range of ['bytes=x-y', 'bytes', 'lines=1-2', 'bytes=1', 'bytes=--1', 'bytes=1-2-3', 'bytes=0x1-2',
            `bytes=${many}`]
        ) {
          assert.equal((await served.get('/size-1000', { Range: range })).status, 200, range);
        }
        assert.equal((await served.get('/size-1000', { Range: 'bytes=0-1' }, { method: 'HEAD' })).status, 200);
      });

      it('given conditions that say the client has it, sends it not again', async () => {
        // Changed too lately for a strong validator: see the next test.
        await untilSettled();
        const { headers } = await served.get('/size-1000');
        const { etag, 'last-modified': modified } = headers as { etag: string; 'last-modified': string };
        assert.match(etag, /^"[0-9a-f]+-[0-9a-f]+"$/);
        assert.ok(Math.abs(Date.now() - 3_600_000 - Date.parse(modified)) < 60_000);
        const later = new Date(Date.parse(modified) + 1000).toUTCString();
        const earlier = new Date(Date.parse(modified) - 1000).toUTCString();
        const conditions: [Record<string, string>, number][] = [
          [{ 'If-None-Match': etag }, 304],
          [{ 'If-None-Match': `"x", W/${etag}` }, 304],
          [{ 'If-None-Match': '*' }, 304],
          [{ 'If-None-Match': '"x"' }, 200],
          [{ 'If-Modified-Since': modified }, 304],
          [{ 'If-Modified-Since': later }, 304],
          [{ 'If-Modified-Since': earlier }, 200],
          [{ 'If-Modified-Since': 'no date' }, 200],
          [{ 'If-None-Match': '"x"', 'If-Modified-Since': later }, 200],
          [{ 'If-Match': etag }, 200],
          [{ 'If-Match': '*' }, 200],
          [{ 'If-Match': '"x"' }, 412],
          [{ 'If-Match': `W/${etag}` }, 412],
          [{ 'If-Unmodified-Since': earlier }, 412],
          [{ 'If-Unmodified-Since': modified }, 200],
          [{ 'If-Match': etag, 'If-Unmodified-Since': earlier }, 200],
          [{ Range: 'bytes=0-9', 'If-Range': etag }, 206],
          [{ Range: 'bytes=0-9', 'If-Range': modified }, 206],
          [{ Range: 'bytes=0-9', 'If-Range': later }, 200],
          [{ Range: 'bytes=0-9', 'If-Range': '"x"' }, 200],
          [{ Range: 'bytes=0-9', 'If-Range': `W/${etag}` }, 200],
          [{ Range: 'bytes=0-9', 'If-None-Match': etag }, 304],
        ];
        for (const [fields, expected] of conditions) {
          const { status, headers, body } = await served.get('/size-1000', fields);
          assert.equal(status, expected, JSON.stringify(fields));
          if (expected === 304) {
            assert.deepEqual([headers.etag, headers['content-length'], body.length], [etag, undefined, 0]);
          }
        }
      });

      it('a file that changes is never sent as it was, nor as two of its states', async () => {
        const path = join(site, 'changing.txt');
        const etags = new Set<string>();
        for (const text of ['one', 'two', 'three', 'other']) {
          writeFileSync(path, text);
          const { body, headers } = await served.get('/changing.txt');
          assert.equal(body.toString(), text);
          // It might be written once more at the same time of its clock.
          assert.match(headers.etag!, /^W\//);
          etags.add(headers.etag!);
        }
        writeFileSync(`${path}.new`, 'replaced');
        renameSync(`${path}.new`, path);
        assert.equal((await served.get('/changing.txt')).body.toString(), 'replaced');
        await untilSettled();
        assert.equal((await served.get('/changing.txt')).body.toString(), 'replaced');
        appendFileSync(path, ', and longer');
        const appended = performance.now();
        let body = '';
        while (body !== 'replaced, and longer') {
          body = (await served.get('/changing.txt')).body.toString();
          assert.ok(performance.now() - appended < 10_000, 'the old contents are served for too long');
        }
      });
    });

    describe(`iouring serve --list --dotfiles, ${way}`, () => {
      it('lists what is there, escaped; names with dots too', async () => {
        using folder = new Temporary();
        const site = fill(folder.path);
        await using served = await Served.start(site, ['--list', '--dotfiles', '--no-log'], env);
        writeFileSync(join(site, 'sub/deep/<img src=x onerror=alert(1)>'), '');
        writeFileSync(join(site, 'sub/deep/javascript:alert(1)'), '');
        mkdirSync(join(site, 'sub/deep/z folder'));
        const { status, headers, body } = await served.get('/sub/deep/');
        const html = body.toString();
        assert.equal(status, 200);
        assert.equal(headers['content-security-policy'], "default-src 'none'; style-src 'unsafe-inline'");
        assert.ok(!html.includes('<img') && html.includes('&lt;img src=x onerror=alert(1)&gt;'));
        const links = [...html.matchAll(/href="([^"]+)"/g)].map(([, href]) => href);
        const names = ['../', './z%20folder/', './%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E',
          './javascript%3Aalert%281%29', './x.json'];
        assert.deepEqual(links, names);
        for (const link of links.slice(1, 2)) assert.equal((await served.get(`/sub/deep/${link}`)).status, 200, link);
        for (const link of links.slice(2)) {
          assert.equal((await served.get(`/sub/deep/${link.slice(2)}`)).status, 200, link);
        }
        assert.equal((await served.get('/.hidden')).body.toString(), 'hidden');
        assert.ok((await served.get('/.git/')).body.toString().includes('>config<'));
        assert.equal((await served.get('/')).body.toString(), '<p>index');
        for (const path of ['/folder-out/', '/../', '/up/']) {
          assert.match(String((await served.get(path)).status), /^40[04]$/);
        }
      });
    });
  }
});

describe('iouring serve, a user’s tools', () => {
  it('curl: whole, resumed, conditional, several over one connection', async (t) => {
    if ((await run('sh', ['-c', 'command -v curl'])).status !== 0) {
      t.skip('needs curl');
      return;
    }
    using folder = new Temporary();
    const bytes = Buffer.alloc(2_000_000, 'curl');
    folder.file('file', bytes);
    utimesSync(join(folder.path, 'file'), 1, 1);
    await using served = await Served.start(folder.path, ['--no-log']);
    const url = `http://127.0.0.1:${served.port}/file`;
    const out = folder.file('out', bytes.subarray(0, 700_000));
    assert.equal((await run('curl', ['-sfC', '-', '-o', out, url])).status, 0);
    assert.ok(readFileSync(out).equals(bytes));
    const answers = await run('curl', ['-sf', '-o', '/dev/null', '-o', '/dev/null', '-z',
      'Thu, 01 Jan 2015 00:00:00 GMT', '-w', '%{http_code} %{num_connects}\n', url, url]);
    assert.equal(answers.stdout, '304 1\n304 0\n');
  });

  it('says what is wrong with its arguments, and that a port is taken', async () => {
    using folder = new Temporary();
    const main = (...args: string[]): ReturnType<typeof run> => run(process.execPath, ['dist/cli/main.js', ...args]);
    await using served = await Served.start(folder.path, ['--no-log']);
    const wrong: [string[], number, RegExp][] = [
      [['serve'], 2, /which folder\?/],
      [['serve', 'a', 'b'], 2, /one folder at a time/],
      [['serve', folder.path, '--port', '70000'], 2, /'--port' takes a number from 0 to 65535/],
      [['serve', folder.path, '--max-head', 'x'], 2, /'--max-head' takes a number/],
      [['serve', folder.path, '--unix', 'x', '--port', '1'], 2, /goes without/],
      [['serve', folder.path, '--host', 'example.org'], 2, /IP address/],
      [['doctor', '--port', '1'], 2, /'--port' is for serve/],
      [['serve', join(folder.path, 'nothing')], 1, /ENOENT/],
      [['serve', folder.file('file')], 1, /ENOTDIR/],
      [['serve', folder.path, '--port', String(served.port)], 1,
        /listen EADDRINUSE: address already in use 127\.0\.0\.1:/],
    ];
    const outcomes = await Promise.all(wrong.map(([args]) => main(...args)));
    for (const [i, [args, expected, message]] of wrong.entries()) {
      assert.match(outcomes[i].stderr, message);
      assert.equal(outcomes[i].status, expected, args.join(' '));
    }
    await using six = await Served.start(folder.path, ['--host', '::1', '--no-log']);
    assert.match(six.stderr, /http:\/\/\[::1\]:\d+\//);
  });
});

/** What has changed up to now counts as settled after a second. */
function untilSettled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1100));
}

describe('iouring serve on Linux 5.15', () => {
  it('reads files through io_uring, has its sockets from Node, and says so', { timeout: 20_000 }, async () => {
    using folder = new Temporary();
    folder.file('file', 'hello');
    await using served = await Served.start(folder.path, ['--no-log'], {}, commandOn('LINUX_5_15'));
    assert.match(
      served.stderr,
      /, files through io_uring, sockets through Node \(Cannot use io_uring for iouring\/net: .* needs Linux 6\.0, this is \d/,
    );
    const { status, body } = await served.get('/file');
    assert.equal(status, 200);
    assert.equal(body.toString(), 'hello');
    assert.equal(await served.stop(), 0);
  });
});
