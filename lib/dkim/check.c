#include "verifier.h"

#include "key.h"
#include "taglist.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ------------------------------------------------------------- */

const char *
dkim_result_word(enum dkim_result result)
{
    switch (result) {
    case DKIM_NONE:
        return "none";
    case DKIM_PASS:
        return "pass";
    case DKIM_FAIL:
        return "fail";
    case DKIM_POLICY:
        return "policy";
    case DKIM_TEMPERROR:
        return "temperror";
    case DKIM_PERMERROR:
        return "permerror";
    }
    return "";
}

const char *
dkim_reason_word(enum dkim_reason reason)
{
    switch (reason) {
    case DKIM_REASON_NONE:
        return "";
    case DKIM_NO_SIGNATURE:
        return "no-signature";
    case DKIM_BODY_HASH:
        return "body-hash";
    case DKIM_SIGNATURE:
        return "signature";
    case DKIM_KEY_MISSING:
        return "key-missing";
    case DKIM_KEY_REVOKED:
        return "key-revoked";
    case DKIM_KEY_WEAK:
        return "key-weak";
    case DKIM_EXPIRED:
        return "expired";
    case DKIM_SYNTAX:
        return "syntax";
    case DKIM_SHA1:
        return "sha1";
    case DKIM_PARTIAL_BODY:
        return "partial-body";
    case DKIM_TOO_MANY:
        return "too-many";
    case DKIM_TROUBLE:
        return "trouble";
    case DKIM_NOT_EXAMINED:
        return "not-examined";
    }
    return "";
}

static enum dkim_result
result_of(enum dkim_reason reason)
{
    switch (reason) {
    case DKIM_REASON_NONE:
        return DKIM_PASS;
    case DKIM_BODY_HASH:
    case DKIM_SIGNATURE:
        return DKIM_FAIL;
    case DKIM_PARTIAL_BODY:
        return DKIM_POLICY;
    case DKIM_TROUBLE:
        return DKIM_TEMPERROR;
    case DKIM_NO_SIGNATURE:
    case DKIM_TOO_MANY:
    case DKIM_NOT_EXAMINED:
        return DKIM_NONE;
    case DKIM_KEY_MISSING:
    case DKIM_KEY_REVOKED:
    case DKIM_KEY_WEAK:
    case DKIM_EXPIRED:
    case DKIM_SYNTAX:
    case DKIM_SHA1:
        break;
    }
    return DKIM_PERMERROR;
}

/* ---- judging ----------------------------------------------------------- */

/* What all signatures of one check share. */
struct check {
    const struct dkim_bodies *bodies;
    struct dkim_fields fields;
    bool has_fields;
};

static enum dkim_reason
judge_body(struct dkim_examined *one, const struct dkim_bodies *bodies)
{
    const struct dkim_parsed *parsed = &one->parsed;
    unsigned char hash[DKIM_DIGEST];

    if (bodies == NULL || !bodies->finished ||
        bodies->body[parsed->body_canon] == NULL)
        return DKIM_TROUBLE;
    const struct dkim_body *body = bodies->body[parsed->body_canon];
    memcpy(hash, bodies->hash[parsed->body_canon], sizeof(hash));
    if (parsed->has_limit) {
        if (parsed->limit > dkim_body_length(body)) {
            one->result = DKIM_PERMERROR;
            return DKIM_BODY_HASH;
        }
        if (!dkim_body_part(body, parsed->limit, hash))
            return DKIM_TROUBLE;
    }
    return memcmp(hash, parsed->body_hash, sizeof(hash)) == 0 ? DKIM_REASON_NONE
                                                              : DKIM_BODY_HASH;
}

/* Try the keys in turn. */
static enum dkim_reason
judge_signature(struct dkim_examined *one, struct check *check)
{
    unsigned char signature[DKIM_SIGNATURE_MAX];
    unsigned char digest[DKIM_DIGEST];
    size_t len = 0;

    if (!check->has_fields ||
        !dkim_signed_digest(&check->fields, &one->parsed, digest) ||
        !dkim_base64_decode(one->parsed.b, signature, sizeof(signature), &len))
        return DKIM_TROUBLE;
    for (size_t i = 0; i < one->key_count; i++) {
        struct dkim_pubkey *key = one->keys[i];
        if (dkim_judge_key(key, &one->parsed) != DKIM_REASON_NONE)
            continue;
        if (!dkim_verify_digest(key->pkey, key->algorithm, digest,
                                (struct slice){ (const char *)signature, len }))
            continue;
        one->bits = key->bits;
        return DKIM_REASON_NONE;
    }
    return DKIM_SIGNATURE;
}

static bool
is_test(const struct dkim_examined *one)
{
    for (size_t i = 0; i < one->key_count; i++)
        if (!one->keys[i]->is_test)
            return false;
    return one->key_count != 0;
}

static void
judge(struct dkim_examined *one, struct check *check)
{
    const struct dkim_parsed *parsed = &one->parsed;

    one->result = DKIM_NONE;
    one->reason = dkim_judge_keys(one);
    if (one->reason == DKIM_REASON_NONE)
        one->reason = judge_body(one, check->bodies);
    if (one->reason == DKIM_REASON_NONE)
        one->reason = judge_signature(one, check);
    if (one->reason == DKIM_REASON_NONE && parsed->has_limit &&
        parsed->limit <
            dkim_body_length(check->bodies->body[parsed->body_canon]))
        one->reason = DKIM_PARTIAL_BODY;
    if (one->result != DKIM_PERMERROR)
        one->result = result_of(one->reason);
    if (one->result == DKIM_FAIL && is_test(one))
        one->result = DKIM_NONE;
}

/* True if nothing that the others could say matters any more. */
static bool
is_enough(const struct dkim_verifier *verifier, const struct dkim_examined *one)
{
    return verifier->extent == DKIM_CHECK_ENOUGH && verifier->one_author &&
           one->rank == DKIM_RANK_SAME && one->result == DKIM_PASS &&
           (one->parsed.expires == 0 ||
            one->parsed.expires - DKIM_LASTS >= verifier->now);
}

void
dkim_verifier_check(struct dkim_verifier *verifier,
                    const struct dkim_bodies *bodies)
{
    struct check check = { .bodies = bodies };
    bool enough = false;

    if (verifier->count == 0)
        return;
    check.has_fields = dkim_fields_index(verifier->header, &check.fields);
    for (size_t i = 0; i < verifier->count; i++) {
        struct dkim_examined *one = &verifier->examined[i];
        if (enough) {
            one->result = DKIM_NONE;
            one->reason = DKIM_NOT_EXAMINED;
            continue;
        }
        judge(one, &check);
        enough = is_enough(verifier, one);
    }
    dkim_fields_free(&check.fields);
    ERR_clear_error();
}

/* ---- what came out ----------------------------------------------------- */

static struct dkim_signature
tell(const struct dkim_parsed *parsed)
{
    return (struct dkim_signature){
        .domain = dkim_parsed_domain(parsed),
        .selector = dkim_parsed_selector(parsed),
        .algorithm = parsed->algorithm_word,
        .b = { parsed->b_start, parsed->b_start_len },
        .result = DKIM_NONE,
        .reason = DKIM_NOT_EXAMINED,
        .expires = parsed->expires,
    };
}

static struct dkim_signature
tell_examined(const struct dkim_examined *one)
{
    struct dkim_signature signature = tell(&one->parsed);

    signature.result = one->result;
    signature.reason = one->reason;
    signature.bits = one->bits;
    return signature;
}

size_t
dkim_verifier_count(const struct dkim_verifier *verifier)
{
    return verifier->total;
}

struct dkim_signature
dkim_verifier_signature(struct dkim_verifier *verifier, size_t n)
{
    for (size_t i = 0; i < verifier->count; i++)
        if (verifier->examined[i].place == n)
            return tell_examined(&verifier->examined[i]);
    struct mail_field field =
        mail_header_field(verifier->header, verifier->fields[n]);
    dkim_signature_parse(&field, verifier->now, verifier->scratch_question,
                         &verifier->scratch);
    return tell(&verifier->scratch);
}

/* The examined signature that stands next below `place`, or NULL. */
static const struct dkim_examined *
next_below(const struct dkim_verifier *verifier, size_t place, bool is_first)
{
    const struct dkim_examined *next = NULL;

    for (size_t i = 0; i < verifier->count; i++) {
        const struct dkim_examined *one = &verifier->examined[i];
        if (one->reason == DKIM_NOT_EXAMINED ||
            (!is_first && one->place <= place))
            continue;
        if (next == NULL || one->place < next->place)
            next = one;
    }
    return next;
}

size_t
dkim_verifier_examined(const struct dkim_verifier *verifier,
                       struct dkim_signature *signatures, size_t max)
{
    const struct dkim_examined *one = next_below(verifier, 0, true);
    size_t count = 0;

    for (; one != NULL && count < max; count++) {
        signatures[count] = tell_examined(one);
        one = next_below(verifier, one->place, false);
    }
    return count;
}

bool
dkim_verifier_is_open(const struct dkim_verifier *verifier)
{
    for (size_t i = 0; i < verifier->count; i++)
        if (verifier->examined[i].result == DKIM_TEMPERROR)
            return true;
    return false;
}

enum dkim_reason
dkim_verifier_why(const struct dkim_verifier *verifier)
{
    if (verifier->total == 0)
        return DKIM_NO_SIGNATURE;
    for (size_t i = 0; i < verifier->count; i++)
        if (verifier->examined[i].result == DKIM_PASS)
            return DKIM_REASON_NONE;
    if (verifier->count < verifier->total)
        return DKIM_TOO_MANY;
    return verifier->examined[0].reason;
}
