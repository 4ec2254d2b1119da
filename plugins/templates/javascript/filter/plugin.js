// Drops events whose total is below a minimum.
import { deliver, drop, get, readConfig } from './hookway.js';

let config;

// Once per instance, with the `config` of the binding: {"minimum": 100}. Compile and parse here.
export const lifecycle = {
  init(text) {
    config = readConfig(text, { minimum: 'number' });
  },
};

export const filter = {
  filter(event, _to) {
    // Looked up in the gateway: nothing is parsed here.
    const total = get(event, '/total');
    if (typeof total === 'number' && total >= config.minimum) return deliver();
    return drop(`the total is below ${config.minimum}`);
  },
};
