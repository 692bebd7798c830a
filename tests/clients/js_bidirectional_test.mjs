// InvokeModelWithBidirectionalStream of the AWS SDK for JavaScript, unmodified, through the proxy: events go both ways
// while neither side has ended. The upstream is played here, over HTTP/2, and checks the chain of the proxy's
// signatures by itself.

import { BedrockRuntimeClient, InvokeModelWithBidirectionalStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const UNDERSTUDY = process.env.UNDERSTUDY_BINARY;
if (!UNDERSTUDY) throw new Error('to be run by run.py, which names the program');
const SECRET = 'the-proxys-own-secret';
let failures = 0;

function check(sentence, holds, detail) {
  if (holds) {
    console.log(`ok   - ${sentence}`);
  } else {
    failures += 1;
    console.log(`FAIL - ${sentence}: ${JSON.stringify(detail)?.slice(0, 400)}`);
  }
}

// --- The upstream

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

// A frame: lengths and their checksum, :date (15 bytes), :chunk-signature (52), the event, a checksum.
const DATE_AT = 12;
const EVENT_AT = 79;
const eventIn = (frame) => frame.subarray(EVENT_AT, frame.length - 4);

// Written from AWS's documents, apart from the proxy's own code.
class Chain {
  constructor(authorization) {
    const found = /Credential=[^/]+\/(\d+)\/([^/]+)\/([^/]+)\/aws4_request.*Signature=([0-9a-f]{64})$/.exec(authorization);
    [, this.day, this.region, this.service, this.last] = found ?? [];
  }

  holds(frame) {
    const date = new Date(Number(frame.readBigInt64BE(DATE_AT + 7)));
    const stamp = date.toISOString().replace(/[-:]|\.\d{3}/g, '');
    const scope = [stamp.slice(0, 8), this.region, this.service, 'aws4_request'];
    const key = scope.reduce((made, part) => hmac(made, part), `AWS4${SECRET}`);
    const dateHeader = frame.subarray(DATE_AT, DATE_AT + 15);
    const text = ['AWS4-HMAC-SHA256-PAYLOAD', stamp, scope.join('/'), this.last, sha256(dateHeader), sha256(eventIn(frame))]
      .join('\n');
    this.last = hmac(key, text).toString('hex');
    return this.last === frame.subarray(EVENT_AT - 32, EVENT_AT).toString('hex');
  }
}

const seen = { head: {}, frames: 0, wrong: 0, ended: false };
const upstream = createServer();
upstream.on('stream', (stream, head) => {
  seen.head = head;
  const chain = new Chain(head.authorization);
  let held = Buffer.alloc(0);
  stream.on('error', () => {});
  stream.respond({ ':status': 200, 'content-type': 'application/vnd.amazon.eventstream' });
  stream.on('data', (bytes) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= 4 && held.length >= held.readUInt32BE(0)) {
      const frame = held.subarray(0, held.readUInt32BE(0));
      held = held.subarray(frame.length);
      seen.frames += 1;
      if (!chain.holds(frame)) seen.wrong += 1;
      const event = eventIn(frame);
      if (event.length > 0) stream.write(event);  // an event of this kind looks the same both ways
    }
  });
  stream.on('end', () => { seen.ended = true; stream.end(); });
});
upstream.listen(0, '127.0.0.1');
await once(upstream, 'listening');

// --- The proxy

const directory = mkdtempSync(join(tmpdir(), 'understudy-both-ways-'));
const config = join(directory, 'config.yaml');
writeFileSync(config, `
listeners: [{address: "127.0.0.1:0"}]
admin: {address: "127.0.0.1:0"}
upstreams:
  bedrock:
    endpoint: http://127.0.0.1:${upstream.address().port}
    region: us-east-1
    credentials: {source: static, access_key_id: AKIDPROXY, secret_access_key: ${SECRET}}
default_route: {upstream: bedrock}
drain: {lame_duck: 0s, timeout: 5s}
`);
const proxy = spawn(UNDERSTUDY, ['serve', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
let log = '';
const port = await new Promise((resolve, reject) => {
  const look = (bytes) => {
    log += bytes;
    const found = /"addresses":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(log);
    if (found) resolve(found[1]);
  };
  proxy.stdout.on('data', look);
  proxy.stderr.on('data', look);
  proxy.on('exit', () => reject(new Error(`the proxy does not start:\n${log}`)));
  setTimeout(() => reject(new Error(`the proxy does not say where it listens:\n${log}`)), 30000).unref();
});

// --- The client

const client = new BedrockRuntimeClient({
  region: 'us-east-1', endpoint: `http://127.0.0.1:${port}`, maxAttempts: 1,
  credentials: { accessKeyId: 'AKIDCLIENT', secretAccessKey: 'the-clients-secret', sessionToken: 'the-clients-token' },
});
const text = (event) => Buffer.from(event.chunk.bytes).toString();
const sent = ['one', 'two', 'x'.repeat(100000), 'four'];
const echoed = [];
// Each event is sent only when the echo of the one before it is there.
let arrived = () => {};
async function* events() {
  for (const word of sent) {
    const echo = new Promise((resolve) => { arrived = resolve; });
    yield { chunk: { bytes: Buffer.from(word) } };
    await echo;
  }
}
try {
  const answer = await client.send(new InvokeModelWithBidirectionalStreamCommand({
    modelId: 'amazon.nova-2-sonic-v1:0', body: events(),
  }));
  for await (const event of answer.body) {
    echoed.push(text(event));
    arrived();
  }
} catch (error) {
  check('the call ends without an error', false, `${error.name}: ${error.message}`);
}
check('every event comes back while the request is open', JSON.stringify(echoed) === JSON.stringify(sent),
      echoed.map((word) => word.slice(0, 20)));
check('each event and the end is signed by the proxy', seen.frames === sent.length + 1 && seen.wrong === 0, seen);
check('the request has ended in order', seen.ended, seen);
check('nothing of the client\'s credential reaches the upstream', !/AKIDCLIENT|the-clients/.test(JSON.stringify(seen.head)), seen.head);

proxy.removeAllListeners('exit');
proxy.kill('SIGTERM');
await once(proxy, 'exit');
upstream.close();
client.destroy();
rmSync(directory, { recursive: true });
console.log(failures === 0 ? 'all good' : `${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
