// What the client tests share: where the node is, how often the model ran, and a TCP proxy that cuts connections.
import net from 'node:net';

export const settings = {
  baseURL: process.env.NODEX_BASE_URL,
  apiKey: process.env.NODEX_API_KEY,
  narrowKey: process.env.NODEX_NARROW_KEY, // may use sim-output only
  poorKey: process.env.NODEX_POOR_KEY, // its account has no money
  generateKey: process.env.NODEX_GENERATE_KEY, // policy "generate"
  provider: process.env.NODEX_PROVIDER, // http://host:port of the simulated provider
  model: 'sim',
};
for (const [name, value] of Object.entries(settings)) if (!value) throw new Error(`${name} is not set; use run.py`);

let number = 0;

// A name that no other test of this run uses.
export const unique = (prefix) => `${prefix}-${process.pid}-${++number}`;

// A user message that steers the simulated provider.
export function prompt(directives = {}, text = 'hello') {
  const words = Object.entries(directives).map(([name, value]) => (value === true ? name : `${name}=${value}`));
  return [{ role: 'user', content: words.length ? `[[nodex: ${words.join(' ')}]] ${text}` : text }];
}

// How often the model ran for prompts with the directive id=identity.
export async function calls(identity) {
  const counters = await (await fetch(`${settings.provider}/nodex/calls`)).json();
  return counters.by_key[identity] ?? 0;
}

export async function running() {
  return (await (await fetch(`${settings.provider}/nodex/calls`)).json()).running;
}

// Looks until condition() is true; throws after `ms`.
export async function until(condition, ms, what) {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`after ${ms} ms still not: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

// A TCP proxy in front of the node. `judge(connectionNumber, clientSocket)` may cut a connection; bytes pass
// untouched, so TLS is the node's own.
export async function proxy(judge) {
  const target = new URL(settings.baseURL);
  let count = 0;
  const sockets = new Set();
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(target.port), '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
    judge(++count, client);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseURL: `https://localhost:${server.address().port}/v1`,
    connections: () => count,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
