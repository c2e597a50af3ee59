#include "results.h"

enum {
    LINE_WANTED = 78,
    VALUE_MAX = 255,
};

/* ---- values ------------------------------------------------------------ */

/* token of RFC 2045, 5.1: no blanks, no controls, no tspecials. */
static bool
is_token(struct slice s)
{
    static const struct slice specials = SLICE("()<>@,;:\\\"/[]?=");

    if (s.len == 0 || s.len > VALUE_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 127 ||
            slice_find(specials, s.ptr[i]) < specials.len)
            return false;
    return true;
}

/* Letters, digits, hyphens, underscores and dots. */
static bool
is_dns_name(struct slice s)
{
    if (s.len == 0 || s.len > VALUE_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '-' && s.ptr[i] != '_' &&
            s.ptr[i] != '.')
            return false;
    return true;
}

static bool
is_base64(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alnum(s.ptr[i]) && s.ptr[i] != '+' && s.ptr[i] != '/' &&
            s.ptr[i] != '=')
            return false;
    return s.len != 0;
}

/* ---- the field --------------------------------------------------------- */

struct printer {
    struct buf *out;
    size_t column;
};

/* Words with a blank before them, or on a line of their own. */
static void
put(struct printer *printer, const char *key, struct slice value,
    const char *quote)
{
    struct buf *out = printer->out;
    size_t len = slice_from(key).len + value.len + 2 * slice_from(quote).len;

    if (printer->column + 1 + len > LINE_WANTED) {
        buf_puts(out, "\r\n\t");
        printer->column = 8;
    } else {
        buf_putc(out, ' ');
        printer->column++;
    }
    buf_puts(out, key);
    buf_puts(out, quote);
    buf_append(out, value);
    buf_puts(out, quote);
    printer->column += len;
}

/* "; METHOD=RESULT" on a line of its own. */
static void
put_method(struct printer *printer, const char *method, const char *result)
{
    buf_puts(printer->out, ";\r\n\t");
    buf_puts(printer->out, method);
    buf_puts(printer->out, result);
    printer->column = 8 + slice_from(method).len + slice_from(result).len;
}

static void
put_name(struct printer *printer, const char *key, struct slice name)
{
    if (is_dns_name(name))
        put(printer, key, name, "");
}

static void
put_b(struct printer *printer, struct slice b)
{
    bool plain = slice_find(b, '/') == b.len && slice_find(b, '+') == b.len &&
                 slice_find(b, '=') == b.len;

    if (is_base64(b))
        put(printer, "header.b=", b, plain ? "" : "\"");
}

static void
put_signature(struct printer *printer, const struct dkim_signature *signature)
{
    put_method(printer, "dkim=", dkim_result_word(signature->result));
    put_name(printer, "header.d=", signature->domain);
    put_name(printer, "header.s=", signature->selector);
    if (is_token(signature->algorithm))
        put(printer, "header.a=", signature->algorithm, "");
    put_b(printer, signature->b);
}

bool
auth_results_print(const struct auth_results *results, struct buf *out)
{
    struct printer printer = { .out = out };

    if (!is_token(results->id))
        return false;
    buf_puts(out, "Authentication-Results: ");
    buf_append(out, results->id);
    if (results->spf != NULL) {
        put_method(&printer, "spf=", results->spf);
        put_name(&printer,
                 results->spf_is_helo ? "smtp.helo=" : "smtp.mailfrom=",
                 results->spf_domain);
    }
    for (size_t i = 0; i < results->signature_count; i++)
        put_signature(&printer, &results->signatures[i]);
    if (results->has_dkim && results->signature_count == 0)
        put_method(&printer, "dkim=", "none");
    if (results->dmarc != NULL) {
        put_method(&printer, "dmarc=", results->dmarc);
        put_name(&printer, "header.from=", results->author);
        if (results->dmarc_policy != NULL)
            put(&printer, "policy.dmarc=", slice_from(results->dmarc_policy),
                "");
    }
    if (printer.column == 0)
        buf_puts(out, "; none");
    buf_puts(out, "\r\n");
    return true;
}

/* ---- our own ----------------------------------------------------------- */

void
auth_arrival_print(enum auth_arrival arrival, struct slice domain,
                   enum dmarc_policy policy, struct buf *out)
{
    buf_puts(out, "X-Onward-Arrival: ");
    buf_puts(out, auth_arrival_word(arrival));
    if (is_dns_name(domain)) {
        buf_puts(out, "; domain=");
        buf_append(out, domain);
    }
    buf_puts(out, "; policy=");
    buf_puts(out, dmarc_policy_word(policy));
    buf_puts(out, "\r\n");
}

void
auth_verified_print(const struct dkim_signature *signatures, size_t count,
                    enum dkim_reason why, struct buf *out)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        const struct dkim_signature *one = &signatures[i];
        if (one->result != DKIM_PASS || !is_dns_name(one->domain) ||
            !is_dns_name(one->selector))
            continue;
        if (any)
            buf_putc(out, ',');
        buf_append(out, one->domain);
        buf_putc(out, '/');
        buf_append(out, one->selector);
        any = true;
    }
    if (!any)
        buf_printf(out, "none(%s)", dkim_reason_word(why));
}
