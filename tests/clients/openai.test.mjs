// The unmodified openai SDK, 6.x and the newest, with only baseURL, key and authority changed.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { calls, prompt, proxy, running, settings, unique, until } from './harness.mjs';

const { model } = settings;
const tools = [
  {
    type: 'function',
    function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
  },
];

async function suite(label, specifier) {
  const { default: OpenAI } = await import(specifier);
  const client = (options = {}) => new OpenAI({ baseURL: settings.baseURL, apiKey: settings.apiKey, ...options });
  const once = (options = {}) => client({ maxRetries: 0, ...options });
  const named = (name, body) => test(`${label}: ${name}`, body);

  await named('a chat call gets its completion', async () => {
    const { data, response } = await client().chat.completions.create({ model, messages: prompt({ tokens: 6 }) }).withResponse();
    assert.equal(data.object, 'chat.completion');
    assert.equal(data.usage.completion_tokens, 6);
    assert.ok(data.choices[0].message.content);
    assert.ok(response.headers.get('x-nodex-request-id'));
    assert.equal(data._request_id, response.headers.get('x-request-id'));
  });

  await named('a streamed call gets its chunks and ends', async () => {
    const stream = await client().chat.completions.create({ model, messages: prompt({ tokens: 9 }), stream: true });
    let text = '';
    let finish = null;
    for await (const chunk of stream) {
      assert.equal(chunk.object, 'chat.completion.chunk');
      text += chunk.choices[0]?.delta?.content ?? '';
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    assert.equal(text.split(/\s+/).filter(Boolean).length, 9);
    assert.equal(finish, 'stop');
  });

  await named('a stream shows usage only when it was asked for', async () => {
    for (const include_usage of [true, false]) {
      const stream = await client().chat.completions.create({
        model, messages: prompt({ tokens: 4 }), stream: true, stream_options: { include_usage },
      });
      const usages = [];
      for await (const chunk of stream) if (chunk.usage) usages.push(chunk.usage);
      assert.deepEqual(usages.map((usage) => usage.completion_tokens), include_usage ? [4] : []);
    }
  });

  await named('the stream helper puts an answer together', async () => {
    const runner = client().chat.completions.stream({ model, messages: prompt({ tokens: 5 }) });
    const completion = await runner.finalChatCompletion();
    assert.equal(completion.choices[0].message.content.split(/\s+/).filter(Boolean).length, 5);
  });

  await named('characters that were split on the way arrive whole', async () => {
    const stream = await client().chat.completions.create({
      model, messages: prompt({ tokens: 20, split_utf8: true }), stream: true,
    });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
    assert.ok(!text.includes('\uFFFD'), text);
  });

  await named('tool calls pass through, streamed and not', async () => {
    const messages = prompt({}, 'call tool');
    const whole = await client().chat.completions.create({ model, messages, tools });
    assert.equal(whole.choices[0].finish_reason, 'tool_calls');
    assert.equal(whole.choices[0].message.tool_calls[0].function.name, 'weather');
    const streamed = await client().chat.completions.stream({ model, messages, tools }).finalChatCompletion();
    assert.equal(streamed.choices[0].message.tool_calls[0].function.name, 'weather');
    JSON.parse(streamed.choices[0].message.tool_calls[0].function.arguments);
    const [call] = whole.choices[0].message.tool_calls;
    const followUp = await client().chat.completions.create({
      model,
      tools,
      messages: [...messages, whole.choices[0].message, { role: 'tool', tool_call_id: call.id, content: '21' }, ...prompt({ tokens: 3 }, 'thanks')],
    });
    assert.equal(followUp.choices[0].finish_reason, 'stop');
  });

  await named('images and other parts pass through', async () => {
    const completion = await client().chat.completions.create({
      model,
      messages: [{
        role: 'user',
        content: [
          { type: 'text', text: '[[nodex: tokens=3]] what is this?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
        ],
      }],
    });
    assert.equal(completion.usage.completion_tokens, 3);
  });

  await named('models are listed and found', async () => {
    const ids = [];
    for await (const entry of client().models.list()) ids.push(entry.id);
    assert.ok(ids.includes(model), ids.join());
    assert.equal((await client().models.retrieve(model)).id, model);
  });

  await named('errors are its own classes', async () => {
    const call = (options, body = {}) => once(options).chat.completions.create({ model, messages: prompt(), ...body });
    await assert.rejects(call({ apiKey: 'nxk_wrong' }), OpenAI.AuthenticationError);
    await assert.rejects(call({}, { model: 'nothing' }), OpenAI.NotFoundError);
    await assert.rejects(call({}, { temperature: 9 }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, 'temperature');
      return true;
    });
    await assert.rejects(call({ apiKey: settings.narrowKey }), OpenAI.PermissionDeniedError);
    await assert.rejects(call({ apiKey: settings.poorKey }), (error) => {
      assert.ok(error instanceof OpenAI.APIError);
      assert.equal(error.status, 402);
      assert.equal(error.code, 'insufficient_balance');
      return true;
    });
    await assert.rejects(call({}, { messages: prompt({ status: 500 }) }), OpenAI.InternalServerError);
    const key = unique('reused');
    const headers = { 'X-Idempotency-Key': key };
    await once().chat.completions.create({ model, messages: prompt({ tokens: 1 }) }, { headers });
    await assert.rejects(once().chat.completions.create({ model, messages: prompt({ tokens: 2 }) }, { headers }),
      OpenAI.UnprocessableEntityError);
  });

  await named('an error inside a stream is thrown', async () => {
    const stream = await once().chat.completions.create({
      model, messages: prompt({ tokens: 9, error_event_after: 4 }), stream: true,
    });
    await assert.rejects(async () => {
      for await (const chunk of stream) assert.ok(chunk);
    }, OpenAI.APIError);
  });

  await named('a cut of the provider never looks like a complete answer', async () => {
    const stream = await once().chat.completions.create({
      model, messages: prompt({ tokens: 9, cut_after: 4 }), stream: true,
    });
    await assert.rejects(async () => {
      for await (const chunk of stream) assert.ok(chunk);
    }, OpenAI.APIError);
  });

  await named('requests that cannot succeed are not retried', async () => {
    const gate = await proxy(() => {});
    try {
      const failing = client({ baseURL: gate.baseURL, maxRetries: 3, apiKey: settings.poorKey });
      const identity = unique('poor');
      await assert.rejects(failing.chat.completions.create({ model, messages: prompt({ id: identity }) }));
      assert.equal(await calls(identity), 0);
    } finally {
      gate.close();
    }
  });

  await named('a retry after a cut connection does not run the model twice', async () => {
    const identity = unique('cut');
    // The first connection is cut while the model runs; the SDK tries again by itself.
    const gate = await proxy((number, socket) => {
      if (number === 1) until(async () => (await calls(identity)) === 1, 10_000, 'the model runs').then(() => socket.resetAndDestroy());
    });
    try {
      const completion = await client({ baseURL: gate.baseURL, maxRetries: 3 }).chat.completions.create({
        model, messages: prompt({ tokens: 10, first_token_ms: 300, id: identity }),
      });
      assert.equal(completion.usage.completion_tokens, 10);
      assert.ok(gate.connections() >= 2, 'the SDK did not retry');
      assert.equal(await calls(identity), 1);
    } finally {
      gate.close();
    }
  });

  await named('a retry after its own timeout does not run the model twice', async () => {
    const identity = unique('timeout');
    const completion = await client({ timeout: 800, maxRetries: 5 }).chat.completions.create({
      model, messages: prompt({ tokens: 3, first_token_ms: 1500, id: identity }),
    });
    assert.equal(completion.usage.completion_tokens, 3);
    assert.equal(await calls(identity), 1);
  });

  await named('a failure before the first byte is retried and then succeeds or tells', async () => {
    const identity = unique('failing');
    await assert.rejects(client({ maxRetries: 1 }).chat.completions.create({
      model, messages: prompt({ status: 503, id: identity }),
    }), OpenAI.InternalServerError);
    assert.ok((await calls(identity)) >= 2, 'nothing was produced, so the retry may run it again');
  });

  await named('a key of the caller makes a replay', async () => {
    const identity = unique('replay');
    const headers = { 'X-Idempotency-Key': unique('own') };
    const body = { model, messages: prompt({ tokens: 4, id: identity }) };
    const first = await client().chat.completions.create(body, { headers }).withResponse();
    const second = await client().chat.completions.create(body, { headers }).withResponse();
    assert.deepEqual(second.data, first.data);
    assert.equal(second.response.headers.get('x-nodex-idempotent-replay'), 'true');
    assert.equal(await calls(identity), 1);
  });

  await named('leaving a stream early cancels the provider', async () => {
    const stream = await client({ apiKey: settings.generateKey }).chat.completions.create({
      model, messages: prompt({ tokens: 2000, pace_ms: 20 }), stream: true,
    });
    for await (const chunk of stream) {
      assert.ok(chunk);
      break;
    }
    await until(async () => (await running()) === 0, 6_000, 'the provider is cancelled');
  });
}

await suite('openai 6', 'openai-6');
await suite('openai newest', 'openai-latest');
