// Sends the bare data of an event, with its topic in a header.
import { readConfig, replace } from './hookway.js';

let config;

// Once per instance, with the `config` of the binding: {"header": "x-topic"}. Compile and parse here.
export const lifecycle = {
  init(text) {
    config = readConfig(text, { header: 'string' });
  },
};

export const transform = {
  // `event.body()` is what the transforms before this one made; `event.data()` is what the producer sent.
  transform(event, to) {
    console.log(`${event.id()} goes to ${to.id()}`);
    return replace(event.data(), { headers: { [config.header]: event.topic() } });
  },
};
