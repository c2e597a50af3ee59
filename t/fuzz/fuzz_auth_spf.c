/*
 * A sender, a client and whatever DNS says of them: an evaluation ends, asks
 * a bounded number of questions that can be asked, says the same each time,
 * shows no octet that is not printable, and says "pass" only for a reason: if
 * everything but the records is in trouble, by a mechanism without a question.
 *
 * Input: an octet of flags; 16 of the address; lines of HELO and sender; then,
 * as the first flag says, a zone, or a record in which names have whatever a
 * hash of theirs gives.
 */
#include "auth.h"

#include <stdlib.h>
#include <string.h>

enum {
    IS_ZONE = 1,
    IS_IP4 = 2,
};

struct world {
    const struct dns_zone *zone; /* NULL: by hash */
    struct slice record;
    struct arena arena;
    bool is_in_trouble; /* but for records */
    unsigned questions;
};

static void
require(bool ok)
{
    if (!ok)
        abort();
}

static uint32_t
hash_of(const struct dns_question *question)
{
    uint32_t hash = 2166136261u ^ (uint32_t)question->type;

    for (size_t i = 0; i < question->name.len; i++)
        hash = (hash ^ (unsigned char)question->name.ptr[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* The octets of the input are records too, and addresses, and names. */
static void
answer_by_hash(struct world *w, const struct dns_question *question,
               struct dns_answer *answer)
{
    const uint32_t hash = hash_of(question);
    struct dns_record *records = arena_alloc(&w->arena, 12 * sizeof(*records));

    *answer = (struct dns_answer){ .status = DNS_FOUND, .records = records };
    if (question->type != DNS_TXT && hash % 8 < 3) {
        answer->status = hash % 8 == 0   ? DNS_NO_NAME
                         : hash % 8 == 1 ? DNS_NO_DATA
                                         : DNS_TROUBLE;
        return;
    }
    answer->count = question->type == DNS_TXT ? 1 : 1 + hash / 8 % 12;
    for (size_t i = 0; i < answer->count; i++) {
        const uint32_t value = hash * (uint32_t)(i + 1);
        const size_t at = w->record.len != 0 ? value % w->record.len : 0;

        memcpy(records[i].address, &value, sizeof(value));
        records[i].name = (value & 64) != 0 ? SLICE_OF("mail.a.example")
                                            : SLICE_OF("b.example");
        records[i].text =
            (value & 32) != 0 ? w->record : slice_tail(w->record, at);
    }
}

static void
answer_it(struct world *w, const struct dns_question *question,
          struct dns_answer *answer)
{
    require(dns_name_is_askable(question->name));
    for (size_t i = 0; i < question->name.len; i++)
        require(question->name.ptr[i] == ascii_lower(question->name.ptr[i]));
    if (w->is_in_trouble && question->type != DNS_TXT)
        *answer = (struct dns_answer){ .status = DNS_TROUBLE };
    else if (w->zone != NULL)
        dns_zone_answer(w->zone, question, answer);
    else
        answer_by_hash(w, question, answer);
}

static struct spf *
run(struct world *w, const struct spf_client *client)
{
    struct spf *spf = spf_new(client);
    const struct dns_question *question = spf_step(spf, NULL);
    struct dns_answer answer;

    w->questions = 0;
    while (question != NULL) {
        require(++w->questions <= SPF_QUESTIONS_MAX);
        answer_it(w, question, &answer);
        question = spf_step(spf, &answer);
    }
    return spf;
}

static void
check(struct world *w, const struct spf_client *client)
{
    struct spf *spf = run(w, client);
    const struct spf_verdict *v = spf_verdict(spf);

    require(v->questions == w->questions);
    require(v->terms <= SPF_TERMS_MAX && v->voids <= SPF_VOID_MAX + 1);
    require(ascii_printable_length(v->mechanism) == v->mechanism.len);
    require(ascii_printable_length(v->path) == v->path.len);
    require(ascii_printable_length(v->about) == v->about.len);
    require(v->result != SPF_PASS || v->mechanism.len != 0);
    require(v->result != SPF_NONE || v->questions <= 1);

    struct spf *again = run(w, client);
    require(spf_verdict(again)->result == v->result);
    require(slice_equal(spf_verdict(again)->path, v->path));
    spf_free(again);

    w->is_in_trouble = true;
    again = run(w, client);
    const struct slice mechanism = spf_verdict(again)->mechanism;
    if (spf_verdict(again)->result == SPF_PASS)
        require(slice_starts_nocase(mechanism, SLICE_OF("all")) ||
                slice_starts_nocase(mechanism, SLICE_OF("ip4:")) ||
                slice_starts_nocase(mechanism, SLICE_OF("ip6:")));
    spf_free(again);
    spf_free(spf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    struct spf_client client = { 0 };
    struct world w = { 0 };
    struct buf errors = { 0 };
    struct dns_zone *zone = NULL;

    if (size < 17)
        return 0;
    memcpy(client.address, data + 1, 16);
    if ((data[0] & IS_IP4) != 0) {
        memset(client.address, 0, 10);
        memset(client.address + 10, 0xff, 2);
    }
    input = slice_tail(input, 17);
    client.helo = slice_cut(&input, '\n');
    client.domain = slice_cut(&input, '\n');
    client.local = slice_cut(&client.domain, '@');
    if ((data[0] & IS_ZONE) != 0) {
        zone = dns_zone_read(input, SLICE_OF("F"), &errors);
        if (zone == NULL)
            goto out;
    }
    w.zone = zone;
    w.record = input;
    check(&w, &client);
out:
    dns_zone_free(zone);
    buf_free(&errors);
    arena_free(&w.arena);
    return 0;
}
