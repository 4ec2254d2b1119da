// Events and endpoints for tests, as the gateway gives them.

/** An event with this topic and data, which is a value, or a text that holds JSON. */
export function testEvent(topic, data, { id = 'evt_test', tenant = 'default', timestampMs = 0n, body } = {}) {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  const timestamp = new Date(Number(timestampMs)).toISOString();
  const envelope = `{"event":"${topic}","event_id":"${id}","timestamp":"${timestamp}","data":${text}}`;
  const bytes = (text) => new TextEncoder().encode(text);
  return {
    id: () => id,
    topic: () => topic,
    tenant: () => tenant,
    timestampMs: () => timestampMs,
    data: () => bytes(text),
    get: (pointer) => value(at(JSON.parse(text), pointer)),
    body: () => bytes(body ?? envelope),
  };
}

/** An endpoint with this metadata. */
export function testEndpoint({ id = 'ep_test', url = 'https://receiver.example/hook', metadata = {} } = {}) {
  return { id: () => id, url: () => url, metadata: (name) => metadata[name] };
}

/** The body that a transform sends, parsed. */
export const bodyOf = (outcome) => JSON.parse(new TextDecoder().decode(outcome.val.body));

/** RFC 6901. */
function at(value, pointer) {
  if (pointer === '') return value;
  if (!pointer.startsWith('/')) return undefined;
  const names = pointer.slice(1).split('/').map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  for (const name of names) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

function value(found) {
  if (found === undefined) return undefined;
  if (found === null) return { tag: 'null' };
  if (typeof found === 'object') return { tag: 'json', val: JSON.stringify(found) };
  return { tag: { boolean: 'boolean', number: 'number', string: 'text' }[typeof found], val: found };
}
