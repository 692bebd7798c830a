// The AWS SDK for JavaScript, unmodified, through the proxy; answers are held against the simulator's own. With
// `--http1` it uses its HTTP/1.1 handler, else its default, which speaks HTTP/2 with prior knowledge and says GOAWAY behind
// each request. Run by run.py, which starts both programs and says where they are.

import {
  BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, CountTokensCommand, InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { createHash, randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

const { UNDERSTUDY_URL: PROXY, SIMULATOR_URL: SIMULATOR } = process.env;
// Without an endpoint the SDK would turn to the real service.
if (!PROXY || !SIMULATOR) throw new Error('to be run by run.py, which names both programs');
const PRIMARY = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const ECHO = 'understudy.echo-v1:0';
const messages = [{ role: 'user', content: [{ text: 'Why is the sky blue?' }] }];
const anthropicBody = JSON.stringify({
  anthropic_version: 'bedrock-2023-05-31', max_tokens: 200,
  messages: [{ role: 'user', content: 'Why is the sky blue?' }],
});

const http1 = process.argv.includes('--http1');
let failures = 0;

function check(sentence, holds, detail) {
  if (holds) {
    console.log(`ok   - ${sentence}`);
  } else {
    failures += 1;
    console.log(`FAIL - ${sentence}: ${JSON.stringify(detail)?.slice(0, 400)}`);
  }
}

function checkEqual(sentence, got, wanted) {
  check(sentence, isDeepStrictEqual(got, wanted), { got, wanted });
}

// `fault` = [header, value] tells the simulator to fail. The simulator itself speaks HTTP/1.1 only.
function client(endpoint, { attempts = 1, fault } = {}) {
  const handler = http1 || endpoint === SIMULATOR
    ? { requestHandler: new NodeHttpHandler({ requestTimeout: 60000 }) } : {};
  const made = new BedrockRuntimeClient({
    region: 'us-east-1', endpoint, maxAttempts: attempts, ...handler,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  });
  if (fault) {
    made.middlewareStack.add((next) => (call) => {
      call.request.headers[fault[0]] = fault[1];
      return next(call);
    }, { step: 'build' });
  }
  return made;
}

async function events(stream) {
  const all = [];
  for await (const event of stream) all.push(event);
  return all;
}

const text = (bytes) => Buffer.from(bytes).toString('utf8');
const withoutMetadata = ({ $metadata, ...answer }) => answer;

const operations = {
  Converse: async (to) => withoutMetadata(await to.send(new ConverseCommand({ modelId: PRIMARY, messages }))),
  ConverseStream: async (to) => events((await to.send(new ConverseStreamCommand({ modelId: PRIMARY, messages }))).stream),
  InvokeModel: async (to) =>
    text((await to.send(new InvokeModelCommand({ modelId: PRIMARY, body: anthropicBody }))).body),
  InvokeModelWithResponseStream: async (to) => {
    const answer = await to.send(new InvokeModelWithResponseStreamCommand({ modelId: PRIMARY, body: anthropicBody }));
    return (await events(answer.body)).map((event) => text(event.chunk.bytes));
  },
  CountTokens: async (to) =>
    withoutMetadata(await to.send(new CountTokensCommand({ modelId: PRIMARY, input: { converse: { messages } } }))),
};

// What a call came to, so that two calls can be held against each other.
async function outcome(call, to) {
  try {
    return { answer: await call(to) };
  } catch (problem) {
    return { error: problem.name, status: problem.$metadata?.httpStatusCode, message: problem.message };
  } finally {
    to.destroy();
  }
}

async function operationsAnswerAlike() {
  const { handlerProtocol } = client(PROXY).config.requestHandler.metadata;
  checkEqual('the SDK speaks the protocol that is meant', handlerProtocol, http1 ? 'http/1.1' : 'h2');
  for (const [name, call] of Object.entries(operations)) {
    const direct = await outcome(call, client(SIMULATOR));
    const proxied = await outcome(call, client(PROXY));
    check(`${name} succeeds`, 'answer' in proxied, proxied);
    checkEqual(`${name} gives the same answer through the proxy as directly`, proxied, direct);
  }
}

async function bodiesOfEverySizeComeBack() {
  for (const size of [0, 1, 1023, 65536, 8 << 20, 20 << 20]) {
    const body = randomBytes(size);
    const to = client(PROXY);
    const answer = await to.send(new InvokeModelCommand({ modelId: ECHO, body }));
    to.destroy();
    const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
    checkEqual(`a body of ${size} bytes comes back byte for byte`, digest(answer.body ?? Buffer.alloc(0)), digest(body));
  }
}

async function errorsRaiseTheUsualClasses() {
  const names = {
    400: 'ValidationException', 403: 'AccessDeniedException', 404: 'ResourceNotFoundException',
    408: 'ModelTimeoutException', 424: 'ModelErrorException', 429: 'ThrottlingException',
    500: 'InternalServerException', 503: 'ServiceUnavailableException',
  };
  for (const [status, name] of Object.entries(names)) {
    const fault = ['x-sim-status', status];
    const direct = await outcome(operations.Converse, client(SIMULATOR, { fault }));
    const proxied = await outcome(operations.Converse, client(PROXY, { fault }));
    checkEqual(`a status of ${status} raises ${name}`, proxied.error, name);
    checkEqual(`${name} says the same through the proxy as directly`, proxied, direct);
  }
}

async function brokenStreamsFailAsTheyDoDirectly() {
  for (const fault of ['exception_midstream:throttlingException:2', 'truncate_midstream:2']) {
    for (const name of ['ConverseStream', 'InvokeModelWithResponseStream']) {
      const options = { fault: ['x-sim-fault', fault] };
      const direct = await outcome(operations[name], client(SIMULATOR, options));
      const proxied = await outcome(operations[name], client(PROXY, options));
      check(`${name} with ${fault} is an error to the client`, 'error' in proxied, proxied);
      // A connection that breaks off has a name of its own in each handler.
      if (http1 || !fault.startsWith('truncate'))
        checkEqual(`${name} with ${fault} is the same error as directly`, proxied.error, direct.error);
    }
  }
}

async function requestsAtTheSimulator(after = 0) {
  const answer = await fetch(`${SIMULATOR}/_simulator/requests?after=${after}`);
  return (await answer.json()).requests;
}

async function retriesAreTheClientsOwn() {
  const before = Math.max(0, ...(await requestsAtTheSimulator()).map((request) => request.sequence));
  const failed = await outcome(operations.Converse, client(PROXY, { attempts: 3, fault: ['x-sim-status', '503'] }));
  check('a call that keeps failing fails in the end', 'error' in failed, failed);
  const served = (await requestsAtTheSimulator(before)).filter(({ target }) =>
    target.startsWith(`/model/${encodeURIComponent(PRIMARY)}/`));
  checkEqual('three attempts of the SDK are three calls upstream', served.length, 3);
}

async function manyAtOnceAreAllAnswered() {
  const to = client(PROXY);
  const bodies = Array.from({ length: 50 }, () => randomBytes(100000));
  const answers = await Promise.all(bodies.map((body) => to.send(new InvokeModelCommand({ modelId: ECHO, body }))));
  to.destroy();
  check('50 calls at once get their own answers', answers.every(({ body }, i) => bodies[i].equals(body)));
}

async function anAbortedStreamIsOver() {
  const to = client(PROXY);
  const abort = new AbortController();
  try {
    const { stream } = await to.send(new ConverseStreamCommand({ modelId: PRIMARY, messages }),
      { abortSignal: abort.signal });
    for await (const event of stream) {
      if (event.messageStart) break;
    }
    abort.abort();
    check('a stream can be left in the middle', true);
  } finally {
    to.destroy();
  }
  const again = await outcome(operations.Converse, client(PROXY));
  check('the next call succeeds', 'answer' in again, again);
}

const parts = [operationsAnswerAlike, bodiesOfEverySizeComeBack, errorsRaiseTheUsualClasses,
  brokenStreamsFailAsTheyDoDirectly, retriesAreTheClientsOwn, manyAtOnceAreAllAnswered, anAbortedStreamIsOver];
console.log(`AWS SDK for JavaScript on Node.js ${process.version} over ${http1 ? 'HTTP/1.1' : 'HTTP/2'}`);
for (const part of parts) {
  const name = part.name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  console.log(`\n${name}:`);
  try {
    await part();
  } catch (problem) {
    check(`${name} runs to its end`, false, `${problem.name}: ${problem.message}`);
  }
}
process.exitCode = failures ? 1 : 0;
