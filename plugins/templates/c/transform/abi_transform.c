// What the gateway calls.
#include "plugin.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define DROP(name) __attribute__((import_module("hookway:plugin/types@1.0.0"), import_name("[resource-drop]" name)))

DROP("event") extern void drop_event(event);
DROP("endpoint") extern void drop_endpoint(endpoint);

// result<outcome, error>
static struct {
    uint32_t failed, is_replace;
    struct slice body;
    uint32_t has_content_type;
    struct slice content_type, headers_set, headers_removed;
} transform_result;

EXPORT("hookway:plugin/transform@1.0.0#transform") void *export_transform(event event, endpoint endpoint) {
    static struct request request;
    transform(event, endpoint, &request);
    transform_result.is_replace = 1;
    transform_result.body = request.body;
    transform_result.headers_set = (struct slice){(const char *)&request.header, 1};
    drop_event(event);
    drop_endpoint(endpoint);
    return &transform_result;
}

EXPORT("cabi_post_hookway:plugin/transform@1.0.0#transform") void post_transform(void *result) { (void)result, let_go(); }
