// Drops events whose total is below a minimum.
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double minimum;

// Once per instance, with the `config` of the binding: {"minimum": 100}. A larger one wants a JSON library.
const char *init(const char *config) {
    const char *at = strstr(config, "\"minimum\"");
    if (at == NULL) return "`minimum` is missing";
    at += strlen("\"minimum\"");
    at += strspn(at, " \t\r\n:");
    char *end;
    minimum = strtod(at, &end);
    return end == at ? "`minimum` must be a number" : NULL;
}

bool filter(event event, endpoint to, char *reason, size_t size) {
    (void)to;
    // Looked up in the gateway: nothing is parsed here.
    double total;
    if (event_number(event, "/total", &total) && total >= minimum) return true;
    snprintf(reason, size, "the total is below %g", minimum);
    return false;
}
