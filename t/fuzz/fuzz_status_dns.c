/* A DNS answer of any octets: reading it ends, stays inside, and gives a name
 * that DNS can have, printable; nothing is given unless found. */
#include "status.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf target = { 0 };
    enum dns_cname_answer answer =
        dns_answer_cname((struct slice){ (const char *)data, size }, &target);

    if (answer != DNS_ANSWER_FOUND && target.len != 0)
        abort();
    /* 255 octets at most, each of which may be written as four. */
    if (target.len > 4 * 255)
        abort();
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= ' ' || target.ptr[i] > '~')
            abort();
    buf_free(&target);
    return 0;
}
