#include "verify.h"

/* Nothing is written as a domain that is none: octets of a stranger. */
static struct slice
shown(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] >= 127)
            return (struct slice){ 0 };
    return name;
}

/* What DMARC has to say of the policy: nothing while it is open. */
static const char *
policy_of(const struct dmarc_verdict *dmarc)
{
    if (dmarc == NULL || dmarc->result == DMARC_TEMPERROR ||
        dmarc->result == DMARC_NONE)
        return NULL;
    return dmarc_policy_word(dmarc->policies);
}

static struct slice
record_of(const struct dmarc_verdict *dmarc)
{
    return policy_of(dmarc) != NULL ? dmarc->record : (struct slice){ 0 };
}

/* ---- text -------------------------------------------------------------- */

static void
text_spf(const struct verified *verified, struct buf *out)
{
    const struct spf_verdict *spf = auth_evaluation_spf(verified->evaluation);

    buf_printf(out, "SPF      %-10s ", spf_result_word(spf->result));
    buf_append(out, shown(spf->domain));
    buf_printf(out, "  %s", verified->client_ip);
    if (spf->path.len != 0) {
        buf_puts(out, " by ");
        buf_append(out, spf->path);
    }
    if (spf->problem != NULL) {
        buf_printf(out, ": %s", spf->problem);
        if (spf->about.len != 0) {
            buf_puts(out, " (");
            buf_append(out, spf->about);
            buf_putc(out, ')');
        }
    }
    buf_printf(out, "  (%u of %d look-ups, %u void)\n", spf->terms,
               SPF_TERMS_MAX, spf->voids);
    if (spf->anybody && spf->result == SPF_PASS)
        buf_puts(out, "                    it passes for every client\n");
}

static void
text_signature(const struct dkim_signature *signature, const char *label,
               struct buf *out)
{
    buf_printf(out, "%-8s %-10s d=%.*s s=%.*s", label,
               dkim_result_word(signature->result),
               SLICE_ARG(signature->domain), SLICE_ARG(signature->selector));
    if (signature->algorithm.len != 0)
        buf_printf(out, "  %.*s", SLICE_ARG(signature->algorithm));
    if (signature->result == DKIM_PASS)
        buf_printf(out, ", %u bits", signature->bits);
    if (signature->reason != DKIM_REASON_NONE)
        buf_printf(out, "  %s", dkim_reason_word(signature->reason));
    buf_putc(out, '\n');
}

static void
text_dkim(const struct verified *verified, struct buf *out)
{
    struct dkim_verifier *verifier =
        auth_evaluation_verifier(verified->evaluation);
    size_t count = dkim_verifier_count(verifier);

    if (count == 0)
        buf_puts(out, "DKIM     none       no signature\n");
    for (size_t i = 0; i < count; i++) {
        struct dkim_signature one = dkim_verifier_signature(verifier, i);
        text_signature(&one, i == 0 ? "DKIM" : "", out);
    }
}

static void
text_dmarc(const struct verified *verified, struct buf *out)
{
    const struct dmarc_verdict *dmarc =
        auth_evaluation_dmarc(verified->evaluation);
    struct slice record = record_of(dmarc);

    if (dmarc == NULL) {
        buf_printf(out, "DMARC    none       %s\n",
                   auth_evaluation_author(verified->evaluation) ==
                           AUTH_AUTHOR_SEVERAL
                       ? "From names several authors"
                       : "From names no author");
        return;
    }
    buf_printf(out, "DMARC    %-10s author %.*s",
               dmarc_result_word(dmarc->result), SLICE_ARG(dmarc->author));
    if (dmarc->spf || dmarc->dkim)
        buf_printf(out, " by %s",
                   !dmarc->spf    ? "DKIM"
                   : !dmarc->dkim ? "SPF"
                                  : "DKIM and SPF");
    if (record.len != 0)
        buf_printf(out, "; p=%s at _dmarc.%.*s", policy_of(dmarc),
                   SLICE_ARG(record));
    buf_putc(out, '\n');
}

void
verify_print_text(const struct verified *verified, struct buf *out)
{
    if (verified->client_ip != NULL)
        text_spf(verified, out);
    if (!verified->has_message)
        return;
    text_dkim(verified, out);
    text_dmarc(verified, out);
    if (!verified->has_arc)
        buf_puts(out, "ARC      none\n");
    buf_printf(out, "arrival  %s\n", auth_arrival_word(verified->arrival));
}

/* ---- JSON -------------------------------------------------------------- */

static void
member_or_null(struct json *json, const char *key, struct slice value)
{
    json_key(json, key);
    if (value.len != 0)
        json_put_string(json, value);
    else
        json_put_null(json);
}

static void
json_spf(const struct spf_verdict *spf, struct json *json)
{
    json_key(json, "spf");
    json_open(json, '{');
    json_member(json, "result", slice_from(spf_result_word(spf->result)));
    json_member(json, "domain", shown(spf->domain));
    json_member(json, "identity",
                spf->identity == SPF_HELO ? SLICE_OF("helo")
                                          : SLICE_OF("mailfrom"));
    json_member(json, "mechanism", spf->mechanism);
    json_key(json, "queries");
    json_put_number(json, spf->terms);
    json_key(json, "void");
    json_put_number(json, spf->voids);
    json_close(json, '}');
}

static void
json_dkim(struct dkim_verifier *verifier, struct json *json)
{
    json_key(json, "dkim");
    json_open(json, '[');
    for (size_t i = 0; i < dkim_verifier_count(verifier); i++) {
        struct dkim_signature one = dkim_verifier_signature(verifier, i);
        json_open(json, '{');
        json_member(json, "result", slice_from(dkim_result_word(one.result)));
        json_member(json, "domain", one.domain);
        json_member(json, "selector", one.selector);
        json_member(json, "algorithm", one.algorithm);
        json_member(json, "reason", slice_from(dkim_reason_word(one.reason)));
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void
json_dmarc(const struct dmarc_verdict *dmarc, struct json *json)
{
    struct slice record = record_of(dmarc);
    struct buf name = { 0 };

    json_key(json, "dmarc");
    json_open(json, '{');
    json_member(
        json, "result",
        slice_from(dmarc != NULL ? dmarc_result_word(dmarc->result) : "none"));
    member_or_null(json, "author",
                   dmarc != NULL ? dmarc->author : (struct slice){ 0 });
    member_or_null(json, "policy", slice_from(policy_of(dmarc)));
    if (record.len != 0)
        buf_printf(&name, "_dmarc.%.*s", SLICE_ARG(record));
    member_or_null(json, "record", buf_slice(&name));
    json_key(json, "aligned");
    json_open(json, '[');
    if (dmarc != NULL && dmarc->result != DMARC_NONE && dmarc->dkim)
        json_put_string(json, SLICE_OF("dkim"));
    if (dmarc != NULL && dmarc->result != DMARC_NONE && dmarc->spf)
        json_put_string(json, SLICE_OF("spf"));
    json_close(json, ']');
    json_close(json, '}');
    buf_free(&name);
}

void
verify_print_json(const struct verified *verified, struct buf *out)
{
    struct json json = { .out = out };

    json_open(&json, '{');
    if (verified->client_ip != NULL)
        json_spf(auth_evaluation_spf(verified->evaluation), &json);
    if (verified->has_message) {
        json_dkim(auth_evaluation_verifier(verified->evaluation), &json);
        json_dmarc(auth_evaluation_dmarc(verified->evaluation), &json);
        if (!verified->has_arc) {
            json_key(&json, "arc");
            json_open(&json, '{');
            json_member(&json, "result", SLICE_OF("none"));
            json_close(&json, '}');
        }
        json_member(&json, "arrival",
                    slice_from(auth_arrival_word(verified->arrival)));
    }
    json_close(&json, '}');
    buf_putc(out, '\n');
}
