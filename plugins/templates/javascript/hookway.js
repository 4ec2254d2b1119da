// What plugins in JavaScript have in common: plain values, a configuration that is checked, short answers.

/** The value at a JSON pointer into the data of an event, as plain JavaScript; `undefined` if there is none. Looked up in the gateway. */
export function get(event, pointer) {
  const value = event.get(pointer);
  if (value === undefined) return undefined;
  if (value.tag === 'null') return null;
  return value.tag === 'json' ? JSON.parse(value.val) : value.val;
}

const WORDS = { number: 'a number', string: 'a text', boolean: '`true` or `false`', array: 'a list', object: 'an object' };

/**
 * The configuration of a binding. `fields` has for each field its type, one of the words above, or `{ type, or }` with what it is where it is
 * not given. What does not fit is thrown as a sentence, for the person who set the configuration.
 */
export function readConfig(text, fields) {
  const given = JSON.parse(text || 'null') ?? {};
  if (typeOf(given) !== 'object') throw `the config must be an object, not ${JSON.stringify(given)}`;
  const unknown = Object.keys(given).find((name) => !(name in fields));
  if (unknown !== undefined) throw `unknown field \`${unknown}\`, expected ${Object.keys(fields).map((name) => `\`${name}\``).join(', ')}`;
  const config = {};
  for (const [name, field] of Object.entries(fields)) {
    const { type, or } = typeof field === 'string' ? { type: field } : field;
    const value = given[name] ?? or;
    if (value === undefined) throw `\`${name}\` is missing`;
    if (typeOf(value) !== type) throw `\`${name}\` must be ${WORDS[type]}, not ${JSON.stringify(value)}`;
    config[name] = value;
  }
  return config;
}

function typeOf(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** What a filter answers. */
export const deliver = () => ({ tag: 'deliver' });
/** What a filter or a transform answers; the reason stands in the delivery log. */
export const drop = (reason) => ({ tag: 'drop', val: reason });
/** What a transform answers that has nothing to change. */
export const unchanged = () => ({ tag: 'unchanged' });

/** What a transform answers: this is sent. A body is bytes, a text, or anything else, which is sent as JSON. */
export function replace(body, { contentType, headers = {}, removeHeaders = [] } = {}) {
  const setHeaders = Object.entries(headers).map(([name, value]) => ({ name, value: bytes(value) }));
  return { tag: 'replace', val: { body: bytes(body), contentType, setHeaders, removeHeaders } };
}

function bytes(value) {
  if (ArrayBuffer.isView(value)) return value;
  return new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
}

/** All data of an event, parsed. `get` is cheaper where only some of it is looked at. */
export const data = (event) => JSON.parse(new TextDecoder().decode(event.data()));

/** To be thrown: this event can never be handled. */
export const invalid = (message) => ({ tag: 'invalid', val: message });
/** To be thrown: something passing; the gateway tries again later. */
export const retry = (message) => ({ tag: 'retry', val: message });
