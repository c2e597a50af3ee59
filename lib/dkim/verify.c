#include "verifier.h"

#include <stdlib.h>
#include <string.h>

/* ---- which signatures, in which order ---------------------------------- */

/* True if the last two labels are the same. */
static bool
is_related(struct slice a, struct slice b)
{
    size_t dots = 0;

    for (size_t i = 0; i < a.len && i < b.len; i++) {
        char c = ascii_lower(a.ptr[a.len - 1 - i]);
        if (c != ascii_lower(b.ptr[b.len - 1 - i]))
            return false;
        dots += c == '.';
        if (dots == 2)
            return true;
    }
    /* One of them has ended: at a label of the other? */
    if (dots != 1 || a.len == b.len)
        return dots == 1;
    struct slice longer = a.len > b.len ? a : b;
    size_t shorter = a.len > b.len ? b.len : a.len;
    return longer.ptr[longer.len - 1 - shorter] == '.';
}

static enum dkim_rank
rank_of(struct slice domain, const struct dkim_verify_request *request)
{
    enum dkim_rank rank = DKIM_RANK_OTHER;

    for (size_t i = 0; i < request->author_count; i++) {
        if (slice_equal_nocase(domain, request->authors[i]))
            return DKIM_RANK_SAME;
        if (is_related(domain, request->authors[i]))
            rank = DKIM_RANK_RELATED;
    }
    return rank;
}

/* Those that may align with From come first, or decoys above the good one
 * would push it out; then those that can pass; RSA, which takes a fifth of the
 * time of Ed25519 and which every receiver knows; then from the top down. */
static bool
comes_before(const struct dkim_examined *a, const struct dkim_examined *b)
{
    bool a_is_broken = a->parsed.reason != DKIM_REASON_NONE;
    bool b_is_broken = b->parsed.reason != DKIM_REASON_NONE;

    if (a->rank != b->rank)
        return a->rank < b->rank;
    if (a_is_broken != b_is_broken)
        return b_is_broken;
    if (!a_is_broken && a->parsed.algorithm != b->parsed.algorithm)
        return a->parsed.algorithm == DKIM_RSA_SHA256;
    return a->place < b->place;
}

/* Take the candidate in, if it is among the first; its question is copied.
 * False: memory is gone. */
static bool
consider(struct dkim_verifier *verifier, const struct dkim_examined *candidate)
{
    struct slice question = dkim_parsed_question(&candidate->parsed);
    size_t at = verifier->count;

    while (at > 0 && comes_before(candidate, &verifier->examined[at - 1]))
        at--;
    if (at == verifier->max)
        return true;
    char *copy = mem_try(question.len + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, question.ptr, question.len);
    if (verifier->count == verifier->max)
        free(verifier->examined[verifier->count - 1].parsed.question);
    else
        verifier->count++;
    memmove(&verifier->examined[at + 1], &verifier->examined[at],
            (verifier->count - at - 1) * sizeof(*candidate));
    verifier->examined[at] = *candidate;
    verifier->examined[at].parsed.question = copy;
    return true;
}

static bool
collect(struct dkim_verifier *verifier,
        const struct dkim_verify_request *request)
{
    const struct mail_header *header = request->header;
    struct slice name = SLICE_OF("DKIM-Signature");
    size_t total = mail_header_count(header, name);
    char question[DKIM_DOMAIN_MAX];

    if (total == 0)
        return true;
    verifier->max = request->max < total ? request->max : total;
    verifier->fields = mem_try(total * sizeof(uint32_t));
    verifier->examined =
        mem_try((verifier->max + 1) * sizeof(struct dkim_examined));
    if (verifier->fields == NULL || verifier->examined == NULL)
        return false;
    for (size_t i = 0; i < header->count; i++) {
        if (!slice_equal_nocase(mail_header_name(header, i), name))
            continue;
        struct mail_field field = mail_header_field(header, i);
        struct dkim_examined candidate = { .place = verifier->total };
        verifier->fields[verifier->total++] = (uint32_t)i;
        dkim_signature_parse(&field, request->now, question, &candidate.parsed);
        /* Of a header that is not indexed to its end nobody can say which
         * instance of a field is the last. */
        if (header->oddities & MAIL_MANY_FIELDS)
            candidate.parsed.reason = DKIM_SYNTAX;
        candidate.rank =
            rank_of(dkim_parsed_domain(&candidate.parsed), request);
        candidate.reason = DKIM_TROUBLE;
        candidate.result = DKIM_TEMPERROR;
        if (!consider(verifier, &candidate))
            return false;
    }
    return true;
}

static void
find_askers(struct dkim_verifier *verifier)
{
    for (size_t i = 0; i < verifier->count; i++) {
        struct dkim_examined *one = &verifier->examined[i];
        one->asker = i;
        for (size_t k = 0; k < i; k++) {
            const struct dkim_examined *other = &verifier->examined[k];
            if (other->asker != k || other->parsed.reason != DKIM_REASON_NONE ||
                !slice_equal(dkim_parsed_question(&other->parsed),
                             dkim_parsed_question(&one->parsed)))
                continue;
            one->asker = k;
            break;
        }
    }
}

struct dkim_verifier *
dkim_verifier_new(const struct dkim_verify_request *request)
{
    struct dkim_verifier *verifier = mem_try(sizeof(*verifier));

    if (verifier == NULL)
        return NULL;
    verifier->header = request->header;
    verifier->now = request->now;
    verifier->extent = request->extent;
    verifier->one_author = request->author_count == 1;
    if (!collect(verifier, request)) {
        dkim_verifier_free(verifier);
        return NULL;
    }
    find_askers(verifier);
    return verifier;
}

void
dkim_verifier_free(struct dkim_verifier *verifier)
{
    if (verifier == NULL)
        return;
    for (size_t i = 0; i < verifier->count; i++) {
        for (size_t k = 0; k < verifier->examined[i].key_count; k++)
            dkim_pubkey_unref(verifier->examined[i].keys[k]);
        free(verifier->examined[i].parsed.question);
    }
    free(verifier->examined);
    free(verifier->fields);
    free(verifier);
}

/* ---- keys -------------------------------------------------------------- */

bool
dkim_verifier_ask(struct dkim_verifier *verifier, struct dns_question *question,
                  size_t *ticket)
{
    for (size_t i = 0; i < verifier->count; i++) {
        struct dkim_examined *one = &verifier->examined[i];
        if (one->asker != i || one->asked ||
            one->parsed.reason != DKIM_REASON_NONE)
            continue;
        one->asked = true;
        *question = (struct dns_question){
            .name = dkim_parsed_question(&one->parsed),
            .type = DNS_TXT,
        };
        *ticket = i;
        return true;
    }
    return false;
}

bool
dkim_verifier_waits(const struct dkim_verifier *verifier)
{
    for (size_t i = 0; i < verifier->count; i++)
        if (verifier->examined[i].asked && !verifier->examined[i].answered)
            return true;
    return false;
}

void
dkim_verifier_give_up(struct dkim_verifier *verifier)
{
    for (size_t i = 0; i < verifier->count; i++) {
        struct dkim_examined *one = &verifier->examined[i];
        one->asked = true;
        if (one->answered)
            continue;
        one->answered = true;
        one->answer = DKIM_TROUBLE;
    }
}

/* The keys among the records. Texts that are none are passed over. */
static enum dkim_reason
read_keys(struct dkim_examined *one, const struct dns_answer *answer,
          struct dkim_keycache *cache)
{
    for (size_t i = 0; i < answer->count && one->key_count < DKIM_KEYS_MAX;
         i++) {
        struct dkim_pubkey *key =
            dkim_keycache_get(cache, answer->records[i].text);
        if (key == NULL)
            return DKIM_TROUBLE;
        if (key->is_record)
            one->keys[one->key_count++] = key;
        else
            dkim_pubkey_unref(key);
    }
    return one->key_count != 0 ? DKIM_REASON_NONE : DKIM_KEY_MISSING;
}

static void
share_keys(const struct dkim_examined *asker, struct dkim_examined *one)
{
    one->answered = true;
    one->answer = asker->answer;
    one->key_count = asker->key_count;
    for (size_t i = 0; i < asker->key_count; i++)
        one->keys[i] = dkim_pubkey_ref(asker->keys[i]);
}

void
dkim_verifier_answer(struct dkim_verifier *verifier, size_t ticket,
                     const struct dns_answer *answer,
                     struct dkim_keycache *cache)
{
    struct dkim_examined *asker = &verifier->examined[ticket];

    if (asker->answered)
        return;
    asker->answered = true;
    switch (answer->status) {
    case DNS_FOUND:
        asker->answer = read_keys(asker, answer, cache);
        break;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        asker->answer = DKIM_KEY_MISSING;
        break;
    case DNS_TROUBLE:
        asker->answer = DKIM_TROUBLE;
        break;
    }
    for (size_t i = ticket + 1; i < verifier->count; i++)
        if (verifier->examined[i].asker == ticket)
            share_keys(asker, &verifier->examined[i]);
}

enum dkim_reason
dkim_judge_key(const struct dkim_pubkey *key, const struct dkim_parsed *parsed)
{
    if (key->reason != DKIM_REASON_NONE)
        return key->reason;
    if (key->algorithm != parsed->algorithm ||
        (key->same_domain && parsed->below_domain))
        return DKIM_KEY_WEAK;
    return DKIM_REASON_NONE;
}

enum dkim_reason
dkim_judge_keys(const struct dkim_examined *one)
{
    if (one->parsed.reason != DKIM_REASON_NONE)
        return one->parsed.reason;
    if (!one->answered)
        return DKIM_TROUBLE;
    if (one->answer != DKIM_REASON_NONE)
        return one->answer;
    for (size_t i = 0; i < one->key_count; i++)
        if (dkim_judge_key(one->keys[i], &one->parsed) == DKIM_REASON_NONE)
            return DKIM_REASON_NONE;
    return dkim_judge_key(one->keys[0], &one->parsed);
}
