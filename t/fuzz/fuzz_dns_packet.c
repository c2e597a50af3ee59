/* Any octets as the answer to a query: reading ends, stays inside, and says
 * "found" with records alone; names are lower case and fit DNS, what is read
 * is not longer than what came. */
#include "dns.h"

#include <stdlib.h>
#include <string.h>

static void
require(bool ok)
{
    if (!ok)
        abort();
}

static void
check_name(struct slice name)
{
    require(name.len <= DNS_NAME_MAX);
    require(name.len == 0 || dns_name_is_askable(name));
    for (size_t i = 0; i < name.len; i++)
        require(name.ptr[i] == ascii_lower(name.ptr[i]));
}

static void
check(const struct dns_answer *answer, enum dns_type type, size_t len)
{
    require((answer->status == DNS_FOUND) == (answer->count != 0));
    require(answer->count <= DNS_RECORDS_MAX);
    for (size_t i = 0; i < answer->count; i++) {
        if (type == DNS_TXT)
            require(answer->records[i].text.len < len);
        else
            check_name(answer->records[i].name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = { DNS_A,   DNS_AAAA, DNS_MX,
                                           DNS_TXT, DNS_PTR,  DNS_CNAME };
    const struct slice packet = { (const char *)data, size };
    struct arena arena = { 0 };
    struct dns_answer answer;

    if (size < 2)
        return 0;
    const uint16_t id = (uint16_t)(data[0] << 8 | data[1]);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const struct dns_question question = { SLICE("a.b"), types[i] };

        if (dns_packet_read(packet, id, &question, &arena, &answer) ==
            DNS_READ_ANSWER)
            check(&answer, types[i], size);
        else
            require(answer.status == DNS_TROUBLE && answer.count == 0);
        require(dns_packet_read(packet, (uint16_t)(id + 1), &question, &arena,
                                &answer) == DNS_READ_FOREIGN);
        arena_reset(&arena);
    }
    arena_free(&arena);
    return 0;
}
