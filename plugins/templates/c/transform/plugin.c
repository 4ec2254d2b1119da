// Sends the bare data of an event, with its topic in a header.
#include "plugin.h"

#include <stdio.h>
#include <string.h>

static char header[64];

// Once per instance, with the `config` of the binding: {"header": "x-topic"}. A larger one wants a JSON library.
const char *init(const char *config) {
    const char *at = strstr(config, "\"header\"");
    if (at == NULL) return "`header` is missing";
    at += strlen("\"header\"");
    at += strspn(at, " \t\r\n:");
    size_t length = *at == '"' ? strcspn(at + 1, "\"\\") : 0;
    if (length == 0 || length >= sizeof header || at[1 + length] != '"') return "`header` must be a text, the name of a header";
    memcpy(header, at + 1, length);
    header[length] = 0;
    return NULL;
}

// `event_body` is what the transforms before this one made; `event_data` is what the producer sent.
void transform(event event, endpoint to, struct request *request) {
    char line[256];
    snprintf(line, sizeof line, "%s goes to %s", event_id(event), endpoint_id(to));
    log_line(LOG_DEBUG, line);
    request->body = event_data(event);
    request->header = (struct header){text(header), event_topic(event)};
}
