#include "auth_dmarc.h"

/* The data of the n-th line of this name. */
static bool
find_line(const char *text, struct slice name, size_t n, struct slice *data)
{
    struct slice rest = slice_from(text);

    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        if (slice_equal(slice_cut(&line, ' '), name) && n-- == 0) {
            *data = line;
            return true;
        }
    }
    return false;
}

static void
answer(struct dmarc_zone *zone, const struct dns_question *question,
       struct dns_record *records, struct dns_answer *made)
{
    struct slice data = { 0 };

    *made = (struct dns_answer){ .status = DNS_NO_NAME, .records = records };
    zone->questions++;
    buf_append(&zone->asked, question->name);
    buf_putc(&zone->asked, '\n');
    if (zone->fail_after != 0 && zone->questions > zone->fail_after) {
        made->status = DNS_TROUBLE;
        return;
    }
    for (size_t n = 0; find_line(zone->text, question->name, n, &data); n++) {
        if (slice_equal(data, SLICE_OF("!"))) {
            made->status = DNS_TROUBLE;
            return;
        }
        bool is_alias = slice_equal(data, SLICE_OF("@"));
        if (slice_equal(data, SLICE_OF("+")) || question->type != DNS_TXT)
            made->status = DNS_NO_DATA;
        else if (is_alias)
            made->status = DNS_NO_NAME;
        else
            records[made->count++] = (struct dns_record){ .text = data };
        assert_true(made->count < 8);
    }
    if (made->count != 0)
        made->status = DNS_FOUND;
}

struct dmarc *
evaluate(const struct dmarc_case *c, struct dmarc_zone *zone)
{
    struct dns_record records[8];
    struct dns_answer made;
    struct dmarc *dmarc = dmarc_new(slice_from(c->author), c->extent);

    assert_non_null(dmarc);
    for (int round = 0; round < 2; round++) {
        const struct dns_question *question = dmarc_step(dmarc, NULL);
        while (question != NULL) {
            assert_true(zone->questions < DMARC_QUESTIONS_MAX);
            answer(zone, question, records, &made);
            question = dmarc_step(dmarc, &made);
        }
        if (round == 0)
            assert_true(dmarc_identify(dmarc, c->identifiers, c->count));
    }
    assert_int_equal(dmarc_verdict(dmarc)->questions, zone->questions);
    return dmarc;
}
