import assert from 'node:assert/strict';
import { test } from 'node:test';

import { topicMatcher } from './plugin.js';

test('a topic is accepted by how it begins', () => {
  const matcher = topicMatcher.Matcher.compile(['orders/', 'stock/updated']);
  for (const topic of ['orders/created', 'stock/updated']) assert.ok(matcher.matches(topic), topic);
  for (const topic of ['returns/created', 'orders']) assert.ok(!matcher.matches(topic), topic);
});

test('an empty pattern is refused with its number', () => {
  assert.throws(
    () => topicMatcher.Matcher.compile(['orders/', '']),
    (sentence) => sentence.startsWith('pattern 2 is empty'),
  );
});
