#include "testing.h"

#include "plugin.h"

int main(void) {
    char reason[64];
    EXPECT(strcmp(init("{\"minimum\": \"many\"}"), "`minimum` must be a number") == 0);
    EXPECT(strcmp(init("{}"), "`minimum` is missing") == 0);
    EXPECT(init("{\"minimum\": 100}") == NULL);

    test_event.pointer = "/total", test_event.number = 100;
    EXPECT(filter(0, 0, reason, sizeof reason));
    test_event.number = 99.5;
    EXPECT(!filter(0, 0, reason, sizeof reason) && strcmp(reason, "the total is below 100") == 0);
    test_event.text = "150";
    EXPECT(!filter(0, 0, reason, sizeof reason));
    return 0;
}
