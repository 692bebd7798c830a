// Makes the calls that ../../matrix.py asks for, with one of the clients for JavaScript. ../README.md has the conversation.

import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';

const PROFILE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const TOKEN = 'bedrock-api-key-of-the-tests';
const ECHO = 'understudy.echo-v1:0';
const INVOCATION = 'arn:aws:bedrock:us-east-1:123456789012:async-invoke/aaaaaaaaaaa1';

// The operations of the AWS SDK that have one plain answer, with what they are asked.
const UNARY = {
  Converse: conversation,
  CountTokens: (prompt) => ({ modelId: PROFILE, input: { converse: { messages: conversation(prompt).messages } } }),
  ApplyGuardrail: (prompt) => ({
    guardrailIdentifier: 'abcdefghij12', guardrailVersion: 'DRAFT', source: 'INPUT', content: [{ text: { text: prompt } }],
  }),
  InvokeGuardrailChecks: (prompt) => ({
    messages: conversation(prompt).messages, checks: { contentFilter: { categories: [{ category: 'HATE' }] } },
  }),
  StartAsyncInvoke: (prompt) => ({
    clientRequestToken: 'one-token', modelId: 'amazon.nova-reel-v1:0', modelInput: { text: prompt },
    outputDataConfig: { s3OutputDataConfig: { s3Uri: 's3://example/output' } },
  }),
  GetAsyncInvoke: () => ({ invocationArn: INVOCATION }),
  ListAsyncInvokes: () => ({
    statusEquals: 'Completed', maxResults: 1, sortOrder: 'Descending', submitTimeAfter: new Date('2024-01-01T00:00:00Z'),
  }),
};

function conversation(prompt) {
  return { modelId: PROFILE, messages: [{ role: 'user', content: [{ text: prompt }] }] };
}

// Sends each word only when the echo of the one before it is there: true when all came back and then the end.
async function bothWays(sdk, client, words) {
  let arrived;
  async function* events() {
    for (const bytes of words) {
      const echo = new Promise((resolve) => { arrived = resolve; });
      yield { chunk: { bytes } };
      await echo;
    }
  }
  const command = new sdk.InvokeModelWithBidirectionalStreamCommand({ modelId: ECHO, body: events() });
  const echoed = [];
  for await (const { chunk } of (await client.send(command)).body) {
    echoed.push(Buffer.from(chunk.bytes));
    arrived();
  }
  return Buffer.concat(echoed).equals(Buffer.concat(words)) && echoed.length === words.length;
}

async function awsSdk(http1) {
  const sdk = await import('@aws-sdk/client-bedrock-runtime');
  const { NodeHttpHandler } = await import('@smithy/node-http-handler');
  return (endpoint, attempts, header) => {
    const handler = http1 ? { requestHandler: new NodeHttpHandler({}) } : {};
    const client = new sdk.BedrockRuntimeClient({
      region: 'us-east-1', endpoint, credentials: KEYS, maxAttempts: attempts, ...handler,
    });
    client.middlewareStack.add((next) => (call) => {
      Object.assign(call.request.headers, header);
      return next(call);
    }, { step: 'build' });
    const invocation = (prompt) => ({
      modelId: PROFILE,
      body: JSON.stringify({
        anthropic_version: 'bedrock-2023-05-31', max_tokens: 200, messages: [{ role: 'user', content: prompt }],
      }),
    });
    const plain = ({ $metadata, ...answer }) => answer;
    const text = (bytes) => Buffer.from(bytes).toString('utf8');
    return {
      ...Object.fromEntries(Object.entries(UNARY).map(([name, asked]) => [
        name, async (prompt) => plain(await client.send(new sdk[`${name}Command`](asked(prompt)))),
      ])),
      ConverseStream: async (prompt, abortSignal) =>
        (await client.send(new sdk.ConverseStreamCommand(conversation(prompt)), { abortSignal })).stream,
      InvokeModel: async (prompt) => text((await client.send(new sdk.InvokeModelCommand(invocation(prompt)))).body),
      InvokeModelWithResponseStream: async (prompt, abortSignal) => {
        const command = new sdk.InvokeModelWithResponseStreamCommand(invocation(prompt));
        const { body } = await client.send(command, { abortSignal });
        return (async function* () { for await (const { chunk } of body) yield text(chunk.bytes); })();
      },
      Echo: async (body) =>
        Buffer.from((await client.send(new sdk.InvokeModelCommand({ modelId: ECHO, body }))).body).equals(body),
      InvokeModelWithBidirectionalStream: (body) => bothWays(sdk, client, [Buffer.from('one'), body, Buffer.from('three')]),
      close: () => client.destroy(),
    };
  };
}

// The Messages API, on Bedrock (InvokeModel) or on the second wire.
const messages = (client, model, names) => {
  const ask = (prompt, more, options) => client.messages.create(
    { model, max_tokens: 200, messages: [{ role: 'user', content: prompt }], ...more }, options);
  return {
    [names[0]]: (prompt) => ask(prompt),
    [names[1]]: (prompt, signal) => ask(prompt, { stream: true }, { signal }),
  };
};

async function anthropicBedrock() {
  const { default: AnthropicBedrock } = await import('@anthropic-ai/bedrock-sdk');
  return (endpoint, attempts, header) => messages(new AnthropicBedrock({
    awsAccessKey: KEYS.accessKeyId, awsSecretKey: KEYS.secretAccessKey, awsRegion: 'us-east-1', baseURL: endpoint,
    maxRetries: attempts - 1, defaultHeaders: header,
  }), PROFILE, ['InvokeModel', 'InvokeModelWithResponseStream']);
}

async function anthropic() {
  const { default: Anthropic } = await import('@anthropic-ai/sdk');
  return (endpoint, attempts, header) => {
    const client = new Anthropic({
      apiKey: TOKEN, baseURL: `${endpoint}/anthropic`, maxRetries: attempts - 1, defaultHeaders: header,
    });
    const model = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
    return {
      ...messages(client, model, ['Messages', 'MessagesStream']),
      MessagesCountTokens: (prompt) => client.messages.countTokens({ model, messages: [{ role: 'user', content: prompt }] }),
    };
  };
}

async function openai() {
  const { default: OpenAI } = await import('openai');
  return (endpoint, attempts, header) => {
    const client = new OpenAI({
      apiKey: TOKEN, baseURL: `${endpoint}/openai/v1`, maxRetries: attempts - 1, defaultHeaders: header,
    });
    const model = 'openai.gpt-oss-20b';
    const chat = (prompt) => ({ model, messages: [{ role: 'user', content: prompt }] });
    return {
      ChatCompletions: (prompt) => client.chat.completions.create(chat(prompt)),
      ChatCompletionsStream: (prompt, signal) => client.chat.completions.create({ ...chat(prompt), stream: true }, { signal }),
      Responses: (prompt) => client.responses.create({ model, input: prompt }),
      ResponsesStream: (prompt, signal) => client.responses.create({ model, input: prompt, stream: true }, { signal }),
      ListModels: async () => (await client.models.list()).data,
    };
  };
}

async function aiSdk() {
  const { createAmazonBedrock } = await import('@ai-sdk/amazon-bedrock');
  const { generateText, streamText } = await import('ai');
  return (endpoint, attempts, headers) => {
    const model = createAmazonBedrock({ region: 'us-east-1', baseURL: endpoint, headers, ...KEYS })(PROFILE);
    const asked = (prompt) => ({ model, prompt, maxRetries: attempts - 1, maxOutputTokens: 200 });
    return {
      Converse: async (prompt) => {
        const { text, usage, finishReason } = await generateText(asked(prompt));
        return { text, usage, finishReason };
      },
      ConverseStream: async (prompt, abortSignal) => {
        const { fullStream } = streamText({ ...asked(prompt), abortSignal, onError: () => {} });
        return (async function* () {
          for await (const { type, text, finishReason, error } of fullStream) {
            if (type === 'error') throw error;
            if (type === 'text-delta' || type === 'finish') yield { type, text, finishReason };
          }
        })();
      },
    };
  };
}

const CLIENTS = {
  'aws-sdk': ['@aws-sdk/client-bedrock-runtime', () => awsSdk(false)],
  'aws-sdk-http1': ['@aws-sdk/client-bedrock-runtime', () => awsSdk(true)],
  'anthropic-bedrock': ['@anthropic-ai/bedrock-sdk', anthropicBedrock],
  anthropic: ['@anthropic-ai/sdk', anthropic],
  openai: ['openai', openai],
  'ai-sdk': ['@ai-sdk/amazon-bedrock', aiSdk],
};

const BYTES_BACK = ['Echo', 'InvokeModelWithBidirectionalStream'];

async function call(client, operation, size, index, leave) {
  try {
    if (BYTES_BACK.includes(operation)) return `answer came back: ${await client[operation](Buffer.alloc(size, index))}`;
    const abort = new AbortController();
    const answer = await client[operation]('Why is the sky blue?'.padEnd(size, 'x'), abort.signal);
    if (!operation.includes('Stream')) return `answer ${JSON.stringify(answer)}`;
    const events = [];
    for await (const event of answer) {
      events.push(JSON.stringify(event));
      if (leave) {
        abort.abort();
        client.close?.();
        return 'answer left';
      }
    }
    return `answer ${events.join(' ')}`;
  } catch (problem) {
    const name = problem.name === 'Error' ? problem.constructor.name : problem.name;
    return `error ${name} ${problem.message}`.replace(/\s+/g, ' ');
  }
}

// What an abort leaves behind is not a fault of the program.
process.on('unhandledRejection', () => {});
const [name, make] = CLIENTS[process.argv[2]];
const client = await make();
const { version } = JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url)));
console.log(`${name} ${version}, Node.js ${process.versions.node}`);
for await (const line of createInterface({ input: process.stdin })) {
  const [operation, endpoint, attempts, header, size, times, leave] = line.split(' ');
  const equals = header.indexOf('=');
  const headers = equals < 0 ? {} : { [header.slice(0, equals)]: header.slice(equals + 1) };
  const made = client(endpoint, Number(attempts), headers);
  const calls = Array.from({ length: Number(times) }, (_, i) => call(made, operation, Number(size), i, leave === 'leave'));
  console.log([...new Set(await Promise.all(calls))].sort().join(' || '));
  made.close?.();
}
