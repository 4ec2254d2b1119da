// A filter that drops small orders, and a transform that sends the bare data with the topic in a header.
import { log } from 'hookway:plugin/log@1.0.0';

let minimum = 0;

// Once per instance, with the `config` of the binding: {"minimum": 100}.
export const lifecycle = {
  init(config) {
    const wanted = (JSON.parse(config) ?? {}).minimum ?? 0;
    if (typeof wanted !== 'number') throw '`minimum` must be a number';
    minimum = wanted;
  },
};

export const filter = {
  filter(event, to) {
    // Looked up in the gateway: nothing is parsed here. A value is {tag, val}.
    const total = event.get('/total');
    if (total?.tag === 'number' && total.val >= minimum) return { tag: 'deliver' };
    return { tag: 'drop', val: `the total is below ${minimum}` };
  },
};

export const transform = {
  transform(event, to) {
    log('debug', `${event.id()} goes to ${to.id()}`);
    const topic = new TextEncoder().encode(event.topic());
    return {
      tag: 'replace',
      val: {
        body: event.data(),
        contentType: undefined, // stays application/json
        setHeaders: [{ name: 'x-topic', value: topic }],
        removeHeaders: [],
      },
    };
  },
};
