/* A request is judged the same however it is cut, never beyond its octets, and
 * more octets never change what was decided. */
#include "status.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = { (const char *)data, size };
    enum status_request decided = STATUS_REQUEST_MORE;
    struct slice first = { 0 };
    bool head;

    if (size > 512)
        return 0;
    for (size_t len = 0; len <= size; len++) {
        struct slice path = { 0 };
        enum status_request now =
            status_request_parse(slice_head(all, len), &path, &head);
        if (decided != STATUS_REQUEST_MORE &&
            (now != decided || !slice_equal(path, first)))
            abort();
        if (now == STATUS_REQUEST_GET &&
            (path.len == 0 || path.ptr[0] != '/' || path.ptr < all.ptr ||
             path.ptr + path.len > all.ptr + len))
            abort();
        if (decided == STATUS_REQUEST_MORE) {
            decided = now;
            first = path;
        }
    }
    return 0;
}
