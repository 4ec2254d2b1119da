import assert from 'node:assert/strict';
import { test } from 'node:test';

import { filter, lifecycle } from './plugin.js';
import { testEndpoint, testEvent } from './testing.js';

const verdict = (data) => filter.filter(testEvent('orders/created', data), testEndpoint());

test('small orders are dropped', () => {
  lifecycle.init('{"minimum": 100}');
  assert.deepEqual(verdict({ total: 100 }), { tag: 'deliver' });
  for (const data of [{ total: 99.5 }, { total: '150' }, []]) {
    assert.deepEqual(verdict(data), { tag: 'drop', val: 'the total is below 100' });
  }
});

test('a bad config is refused with its field', () => {
  const refused = (text) => {
    try {
      lifecycle.init(text);
    } catch (sentence) {
      return sentence;
    }
    assert.fail(`${text} is taken`);
  };
  assert.equal(refused('{"minimum": "many"}'), '`minimum` must be a number, not "many"');
  assert.equal(refused('{}'), '`minimum` is missing');
  assert.equal(refused('{"minimun": 1}'), 'unknown field `minimun`, expected `minimum`');
});
