// A language for topics in which a pattern accepts every topic that begins with it.

// The patterns of one endpoint.
class Matcher {
  constructor(beginnings) {
    this.beginnings = beginnings;
  }

  // Once for the patterns of an endpoint: compile and parse here.
  static compile(patterns) {
    const empty = patterns.indexOf('');
    if (empty >= 0) throw `pattern ${empty + 1} is empty: write how topics begin, such as \`orders/\``;
    return new Matcher(patterns);
  }

  // The same answer for the same topic, always: the gateway keeps it.
  matches(topic) {
    return this.beginnings.some((beginning) => topic.startsWith(beginning));
  }
}

export const topicMatcher = { Matcher };
