// A filter that drops small orders, and a transform that sends the bare data with the topic in a header.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"

static double minimum;

// Once per instance, with the `config` of the binding: {"minimum": 100}. Returns what is wrong with it, or NULL.
const char *init(const char *config) {
    const char *at = strstr(config, "\"minimum\"");
    if (at == NULL) return NULL;
    at += strlen("\"minimum\"");
    at += strspn(at, " \t\r\n:");
    char *end;
    minimum = strtod(at, &end);
    return end == at ? "`minimum` must be a number" : NULL;
}

bool filter(event event, endpoint to, char *reason, size_t size) {
    // Looked up in the gateway: nothing is parsed here.
    double total;
    if (event_number(event, "/total", &total) && total >= minimum) return true;
    snprintf(reason, size, "the total is below %g", minimum);
    return false;
}

void transform(event event, endpoint to, struct request *request) {
    char line[256];
    snprintf(line, sizeof line, "%s goes to %s", event_id(event), endpoint_id(to));
    log_line(LOG_DEBUG, line);
    request->body = event_data(event);
    request->header = (struct header){text("x-topic"), event_topic(event)};
}
