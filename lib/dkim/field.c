#include "field.h"

#include <openssl/evp.h>
#include <stdio.h>

enum {
    COLUMNS = 78
}; /* RFC 5322, 2.1.1 */

struct printer {
    struct buf *out;
    size_t column;
    bool ok;
};

static void
put(struct printer *p, struct slice s)
{
    p->ok = p->ok && buf_try_append(p->out, s);
    p->column += s.len;
}

static void
fold(struct printer *p)
{
    p->ok = p->ok && buf_try_append(p->out, SLICE_OF("\r\n "));
    p->column = 1;
}

/* A piece of text that is not cut, with `more` octets that must stay with it:
 * on this line, behind a blank, or at the start of the next. */
static void
put_word(struct printer *p, struct slice word, size_t more)
{
    if (p->column + 1 + word.len + more > COLUMNS)
        fold(p);
    else
        put(p, SLICE_OF(" "));
    put(p, word);
}

static void
put_tag(struct printer *p, const char *name, struct slice value)
{
    struct slice tag = slice_from(name);

    put_word(p, tag, value.len + 1);
    put(p, value);
    put(p, SLICE_OF(";"));
}

static void
put_number(struct printer *p, const char *name, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)number);

    put_tag(p, name, (struct slice){ text, (size_t)len });
}

/* Folded behind colons (RFC 6376, 3.5: FWS may stand there). */
static void
put_names(struct printer *p, const struct slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i == 0) {
            put_word(p, SLICE_OF("h="), names[i].len + 1);
        } else {
            put(p, SLICE_OF(":"));
            if (p->column + names[i].len + 1 > COLUMNS)
                fold(p);
        }
        put(p, names[i]);
    }
    put(p, SLICE_OF(";"));
}

bool
dkim_field_print(const struct dkim_field *field, struct buf *out,
                 size_t *column)
{
    struct printer p = { .out = out, .ok = true };

    put(&p, SLICE_OF("DKIM-Signature:"));
    put_tag(&p, "v=", SLICE_OF("1"));
    put_tag(&p, "a=", field->algorithm);
    put_tag(&p, "c=", SLICE_OF("relaxed/relaxed"));
    put_tag(&p, "d=", field->domain);
    put_tag(&p, "s=", field->selector);
    put_number(&p, "t=", field->made);
    if (field->expires != 0)
        put_number(&p, "x=", field->expires);
    put_names(&p, field->names, field->name_count);
    put_tag(&p, "bh=", field->body_hash);
    /* On a line of its own; and no blank ever follows "b=": OpenDKIM fails on
     * one. */
    fold(&p);
    put(&p, SLICE_OF("b="));
    *column = p.column;
    return p.ok;
}

bool
dkim_field_finish(struct slice signature, size_t column, struct buf *out)
{
    struct printer p = { .out = out, .column = column, .ok = true };

    while (signature.len != 0) {
        if (p.column >= COLUMNS)
            fold(&p);
        struct slice piece = slice_head(signature, COLUMNS - p.column);
        put(&p, piece);
        signature = slice_tail(signature, piece.len);
    }
    put(&p, SLICE_OF("\r\n"));
    return p.ok;
}

bool
dkim_base64(struct slice octets, struct buf *out)
{
    size_t len = (octets.len + 2) / 3 * 4;

    /* EVP_EncodeBlock writes a NUL behind it. */
    if (octets.len > INT32_MAX / 2 || !buf_try_reserve(out, len + 1))
        return false;
    EVP_EncodeBlock((unsigned char *)out->ptr + out->len,
                    (const unsigned char *)octets.ptr, (int)octets.len);
    out->len += len;
    return true;
}
