import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lifecycle, transform } from './plugin.js';
import { bodyOf, testEndpoint, testEvent } from './testing.js';

test('the bare data is sent with the topic in a header', () => {
  lifecycle.init('{"header": "x-topic"}');
  const outcome = transform.transform(testEvent('orders/created', { total: 5 }), testEndpoint());
  assert.deepEqual(bodyOf(outcome), { total: 5 });
  const [header] = outcome.val.setHeaders;
  assert.equal(header.name, 'x-topic');
  assert.equal(new TextDecoder().decode(header.value), 'orders/created');
});

test('a bad config is refused with its field', () => {
  assert.throws(
    () => lifecycle.init('{"header": 7}'),
    (sentence) => sentence === '`header` must be a text, not 7',
  );
});
