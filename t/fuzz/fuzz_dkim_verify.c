/*
 * A message with signatures of any form, against key records of any form. The
 * first line is the record, the second the body's pieces and how many are
 * examined. Whatever it is: it ends, no more is examined or asked than was
 * allowed, names in what comes out are of the alphabet of DNS, only what has a
 * record passes, and what passes fails once the body is another.
 */
#include "dkim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    NOW = 1795507200
};

struct outcome {
    size_t questions;
    bool passed;
};

static void
check_name(struct slice name)
{
    if (name.len != 0 && !dkim_is_name(name))
        abort();
    for (size_t i = 0; i < name.len; i++)
        if (ascii_lower(name.ptr[i]) != name.ptr[i])
            abort();
}

static void
check_signatures(struct dkim_verifier *verifier, size_t max,
                 struct outcome *outcome)
{
    size_t examined = 0;

    for (size_t i = 0; i < dkim_verifier_count(verifier); i++) {
        struct dkim_signature s = dkim_verifier_signature(verifier, i);
        check_name(s.domain);
        check_name(s.selector);
        examined += s.reason != DKIM_NOT_EXAMINED;
        if ((s.result == DKIM_PASS) != (s.reason == DKIM_REASON_NONE))
            abort();
        outcome->passed |= s.result == DKIM_PASS;
        if (s.result == DKIM_PASS && s.bits < 256)
            abort();
    }
    if (examined > max ||
        outcome->passed != (dkim_verifier_why(verifier) == DKIM_REASON_NONE))
        abort();
}

static struct outcome
verify(struct slice message, struct slice record, struct slice added,
       size_t piece, size_t max)
{
    struct outcome outcome = { 0 };
    struct mail_header header = { 0 };
    struct dns_question question;
    size_t ticket = 0;

    if (!mail_header_index(message, &header))
        abort();
    struct slice author = SLICE_OF("example.org");
    struct dkim_verify_request request = { .header = &header,
                                           .authors = &author,
                                           .author_count = 1,
                                           .max = max,
                                           .now = NOW };
    struct dkim_verifier *verifier = dkim_verifier_new(&request);
    if (verifier == NULL)
        abort();
    struct dns_record txt = { .text = record };
    struct dns_answer answer = { .status =
                                     record.len != 0 ? DNS_FOUND : DNS_NO_NAME,
                                 .records = &txt,
                                 .count = record.len != 0 };
    while (dkim_verifier_ask(verifier, &question, &ticket)) {
        if (question.name.len > DKIM_DOMAIN_MAX || ++outcome.questions > max)
            abort();
        check_name(question.name);
        dkim_verifier_answer(verifier, ticket, &answer, NULL);
    }
    struct dkim_bodies *bodies = dkim_bodies_new(verifier, DKIM_BODIES_VERIFY);
    if (bodies == NULL)
        abort();
    struct slice body = slice_tail(message, header.length);
    while (body.len != 0) {
        if (!dkim_bodies_update(bodies, slice_head(body, piece)))
            abort();
        body = slice_tail(body, piece);
    }
    if (!dkim_bodies_update(bodies, added) || !dkim_bodies_finish(bodies, NULL))
        abort();
    dkim_verifier_check(verifier, bodies);
    check_signatures(verifier, max, &outcome);
    dkim_bodies_free(bodies);
    dkim_verifier_free(verifier);
    mail_header_free(&header);
    return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message = { (const char *)data, size };
    struct slice record = slice_cut(&message, '\n');
    struct slice sizes = slice_cut(&message, '\n');
    size_t piece = sizes.len > 0 ? (unsigned char)sizes.ptr[0] % 64 + 1u : 64;
    size_t max = sizes.len > 1 ? (unsigned char)sizes.ptr[1] % 9 : 8;
    struct slice nothing = { 0 };

    struct outcome cut = verify(message, record, nothing, piece, max);
    struct outcome whole = verify(message, record, nothing, SIZE_MAX, max);
    if (cut.passed != whole.passed)
        abort();
    if (whole.passed &&
        (record.len == 0 || verify(message, nothing, nothing, 64, max).passed))
        abort();
    if (whole.passed &&
        verify(message, record, SLICE_OF("\r\nappended"), 64, max).passed)
        abort();
    return 0;
}
