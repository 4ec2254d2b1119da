// What the gateway calls.
#include "plugin.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define DROP(name) __attribute__((import_module("hookway:plugin/types@1.0.0"), import_name("[resource-drop]" name)))

DROP("event") extern void drop_event(event);
DROP("endpoint") extern void drop_endpoint(endpoint);

// result<verdict, error>
static struct {
    uint32_t failed, is_drop;
    struct slice reason;
} filter_result;

EXPORT("hookway:plugin/filter@1.0.0#filter") void *export_filter(event event, endpoint endpoint) {
    static char reason[1024];
    filter_result.is_drop = !filter(event, endpoint, reason, sizeof reason);
    filter_result.reason = text(reason);
    drop_event(event);
    drop_endpoint(endpoint);
    return &filter_result;
}

EXPORT("cabi_post_hookway:plugin/filter@1.0.0#filter") void post_filter(void *result) { (void)result, let_go(); }
