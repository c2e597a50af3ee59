/*
 * DMARC records of any form. The first line is the author's domain, the second
 * holds identifiers (a "?" before those that did not pass), then each line is a
 * record: those of one name and of its parents in turn. Whatever they are: the
 * evaluation ends, its questions are bounded and names of the tree above a
 * domain that was given; a pass has an identifier that shares the author's
 * organizational domain; and with DNS in trouble nothing passes that did not.
 */
#include "auth.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    IDS = 12
};

struct input {
    struct slice author;
    struct dmarc_identifier ids[IDS];
    size_t count;
    struct slice records; /* lines */
    unsigned fail_after;
};

static bool
is_suffix(struct slice name, struct slice of)
{
    return name.len <= of.len && slice_ends_nocase(of, name);
}

static struct slice
without_dot(struct slice s)
{
    if (s.len != 0 && s.ptr[s.len - 1] == '.')
        s.len--;
    return s;
}

static void
check_question(const struct input *input, const struct dns_question *question)
{
    struct slice name = question->name;
    bool known = false;

    if (name.len == 0 || name.len > 253)
        abort();
    if (question->type == DNS_TXT) {
        if (!slice_starts_nocase(name, SLICE_OF("_dmarc.")))
            abort();
        name = slice_tail(name, sizeof("_dmarc.") - 1);
    }
    known |= is_suffix(name, without_dot(input->author));
    for (size_t i = 0; i < input->count; i++)
        known |= is_suffix(name, without_dot(input->ids[i].domain));
    if (!known)
        abort();
}

/* The answer depends on the name alone. */
static void
answer(const struct input *input, const struct dns_question *question,
       unsigned number, struct dns_record *records, struct dns_answer *made)
{
    struct slice rest = input->records;
    size_t nth = 0;

    for (size_t i = 0; i < question->name.len; i++)
        nth = (nth * 31 + (unsigned char)question->name.ptr[i]) % 5;
    *made = (struct dns_answer){ .status = DNS_NO_NAME, .records = records };
    if (input->fail_after != 0 && number > input->fail_after)
        made->status = DNS_TROUBLE;
    for (size_t i = 0; rest.len != 0 && made->status != DNS_TROUBLE; i++) {
        struct slice line = slice_cut(&rest, '\n');
        if (i % 5 != nth || made->count == 2)
            continue;
        made->status = line.len == 1 ? DNS_TROUBLE : DNS_FOUND;
        records[made->count++].text = line;
    }
}

static enum dmarc_result
evaluate(const struct input *input, enum dmarc_extent extent)
{
    struct dns_record records[2] = { 0 };
    struct dns_answer made;
    unsigned asked = 0;
    struct dmarc *dmarc = dmarc_new(input->author, extent);

    if (dmarc == NULL)
        abort();
    for (int round = 0; round < 2; round++) {
        const struct dns_question *question = dmarc_step(dmarc, NULL);
        while (question != NULL) {
            if (++asked > DMARC_QUESTIONS_MAX)
                abort();
            check_question(input, question);
            answer(input, question, asked, records, &made);
            question = dmarc_step(dmarc, &made);
        }
        if (round == 0 && !dmarc_identify(dmarc, input->ids, input->count))
            abort();
    }
    const struct dmarc_verdict *v = dmarc_verdict(dmarc);
    enum dmarc_result result = v->result;
    if (asked != v->questions || (v->lasting && !v->dkim) ||
        (result == DMARC_PASS) !=
            ((v->spf || v->dkim) && (v->policies & DMARC_NO_POLICY) == 0))
        abort();
    bool possible = false;
    for (size_t i = 0; i < input->count; i++)
        possible |=
            input->ids[i].passed &&
            is_suffix(v->organization, without_dot(input->ids[i].domain));
    if (result == DMARC_PASS && !possible)
        abort();
    dmarc_free(dmarc);
    return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { .records = { (const char *)data, size } };

    input.author = slice_cut(&input.records, '\n');
    struct slice ids = slice_cut(&input.records, '\n');
    while (ids.len != 0 && input.count < IDS) {
        struct slice id = slice_cut(&ids, ' ');
        bool passed = id.len == 0 || id.ptr[0] != '?';
        input.ids[input.count] = (struct dmarc_identifier){
            passed ? id : slice_tail(id, 1),
            input.count % 2 != 0 ? DMARC_BY_SPF : DMARC_BY_DKIM,
            passed,
            input.count % 3 != 0,
        };
        input.count++;
    }
    enum dmarc_result all = evaluate(&input, DMARC_ALL);
    if (evaluate(&input, DMARC_ENOUGH) != all)
        abort();
    for (input.fail_after = 1; input.fail_after < 4; input.fail_after++) {
        enum dmarc_result failing = evaluate(&input, DMARC_ALL);
        if (failing != all && failing != DMARC_TEMPERROR)
            abort();
    }
    return 0;
}
