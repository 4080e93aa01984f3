// A customer with the official SDK, unmodified: reads one operation a line, prints each attempt and the outcome.
//   node sdk.mjs NODE_MODULES BASE_URL...
// The SDK retries by itself at one POP (its default of 2); what it throws makes this program go on at the next POP
// with the same idempotency key, as a careful customer's program would.
import { createRequire } from 'node:module';
import readline from 'node:readline';

const [modules, ...urls] = process.argv.slice(2);
const OpenAI = createRequire(`${modules}/`)('openai-latest').default;
const ROUNDS = 12; // through the list of POPs; then the customer gives up
const clients = new Map(); // api key -> one SDK client a POP, as a program would have

function clientsOf(apiKey) {
  if (!clients.has(apiKey))
    clients.set(apiKey, urls.map((baseURL) => new OpenAI({ baseURL, apiKey, timeout: 20_000 })));
  return clients.get(apiKey);
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The text of the answer; throws what the SDK throws.
async function ask(client, operation, seen) {
  const promise = client.chat.completions.create(operation.body, { headers: { 'X-Idempotency-Key': operation.key } });
  const { data, response } = await promise.withResponse();
  seen.request_id = response.headers.get('x-nodex-request-id');
  if (!operation.body.stream) return data.choices[0].message.content;
  let text = '', finished = false;
  for await (const chunk of data) {
    for (const choice of chunk.choices) {
      text += choice.delta.content ?? '';
      finished ||= Boolean(choice.finish_reason);
    }
  }
  if (!finished) throw new Error('cut');
  return text;
}

// What a thrown error means for the operation: over, or worth another try.
function judge(error) {
  if (error.code === 'upstream_lost') return 'ended';
  if (error.status && error.status < 500 && ![408, 409, 425, 429].includes(error.status)) return 'refused';
  return null;
}

async function call(operation) {
  const pops = clientsOf(operation.api_key);
  for (let number = 0; number < ROUNDS * pops.length; ++number) {
    const pop = number % pops.length, seen = {}, began = Date.now();
    try {
      const text = await ask(pops[pop], operation, seen);
      say({ attempt: '200', pop, ms: Date.now() - began, request_id: seen.request_id });
      return say({ outcome: 'answered', text });
    } catch (error) {
      const result = error.status ? `${error.status} ${error.code}` : seen.request_id ? 'cut' : 'connect';
      say({ attempt: result, pop, ms: Date.now() - began, request_id: seen.request_id ?? error.requestID });
      const outcome = judge(error);
      if (outcome) return say({ outcome, text: '' });
    }
    await wait(Math.min(100 * 1.5 ** number, 2000));
  }
  say({ outcome: 'gave_up', text: '' });
}

for await (const line of readline.createInterface({ input: process.stdin })) await call(JSON.parse(line));
