/* Any text as a zone: it is read or there are errors, and whatever is asked
 * for in it has an answer. */
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
ask(const struct dns_zone *zone, struct slice name)
{
    static const enum dns_type types[] = { DNS_A,   DNS_AAAA, DNS_MX,
                                           DNS_TXT, DNS_PTR,  DNS_CNAME };
    struct dns_answer answer;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const struct dns_question question = { name, types[i] };

        dns_zone_answer(zone, &question, &answer);
        require((answer.status == DNS_FOUND) == (answer.count != 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct buf errors = { 0 };
    struct dns_zone *zone = dns_zone_read(text, SLICE_OF("F"), &errors);

    require((zone == NULL) == (errors.len != 0));
    while (zone != NULL && text.len != 0) {
        struct slice line = slice_cut(&text, '\n');

        ask(zone, slice_cut(&line, ' '));
        ask(zone, line);
    }
    dns_zone_free(zone);
    buf_free(&errors);
    return 0;
}
