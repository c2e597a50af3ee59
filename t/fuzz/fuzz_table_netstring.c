/*
 * Netstrings. Where the input is cut must not matter, and printing what was
 * taken gives the octets it was taken from.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX = 200
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice whole = { (const char *)data, size };
    struct slice rest = whole, payload = { 0 }, again = { 0 };
    struct buf printed = { 0 };

    enum netstring_status status = netstring_take(&rest, MAX, &payload);
    size_t used = whole.len - rest.len;
    check(status == NETSTRING_DONE || used == 0);
    if (status == NETSTRING_DONE) {
        check(payload.len <= MAX);
        netstring_print(payload, &printed);
        check(slice_equal(buf_slice(&printed), slice_head(whole, used)));
        struct table_answer answer = socketmap_answer(payload);
        check(answer.status == TABLE_FOUND ? answer.value.len != 0
                                           : answer.status == TABLE_MISS ||
                                                 answer.status == TABLE_ERROR);
    }
    /* With less of it: the same verdict, or not enough yet. */
    for (size_t n = 0; n < size && n < 300; n++) {
        struct slice head = slice_head(whole, n);
        enum netstring_status early = netstring_take(&head, MAX, &again);
        if (n < used)
            check(early == NETSTRING_MORE);
        else
            check(early == status || early == NETSTRING_MORE);
        if (early == NETSTRING_DONE)
            check(slice_equal(again, payload));
    }
    buf_free(&printed);
    return 0;
}
