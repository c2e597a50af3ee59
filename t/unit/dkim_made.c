#include "dkim_made.h"

#include "key.h"

#include <openssl/evp.h>

/* ---- making ------------------------------------------------------------ */

/* The value of a tag in "name=value; ..."; NULL if it is not there. */
static const char *
tag_value(const char *tags, const char *name, struct buf *value)
{
    struct slice rest = slice_from(tags);

    buf_clear(value);
    while (rest.len != 0) {
        struct slice tag = slice_cut(&rest, ';');
        struct slice found = slice_trim(slice_cut(&tag, '='));
        if (!slice_equal(found, slice_from(name)))
            continue;
        for (size_t i = 0; i < tag.len; i++)
            if (tag.ptr[i] > ' ')
                buf_putc(value, tag.ptr[i]);
        return buf_cstr(value);
    }
    return NULL;
}

static bool
is_relaxed(const char *tags, bool of_body)
{
    struct buf c = { 0 };
    bool relaxed = false;

    if (tag_value(tags, "c", &c) != NULL) {
        struct slice body = buf_slice(&c);
        struct slice header = slice_cut(&body, '/');
        relaxed = slice_equal(of_body ? body : header, SLICE_OF("relaxed"));
    }
    buf_free(&c);
    return relaxed;
}

/* Simple: no empty lines at the end, and one line end there. */
static void
simple_body(struct slice body, struct buf *out)
{
    while (body.len >= 2 && memcmp(body.ptr + body.len - 2, "\r\n", 2) == 0)
        body.len -= 2;
    buf_append(out, body);
    buf_puts(out, "\r\n");
}

static void
relaxed_line(struct slice line, struct buf *out)
{
    line.len = slice_trim((struct slice){ line.ptr, line.len }).len == 0
                   ? 0
                   : line.len;
    while (line.len != 0 &&
           (line.ptr[line.len - 1] == ' ' || line.ptr[line.len - 1] == '\t'))
        line.len--;
    for (size_t i = 0; i < line.len; i++) {
        bool blank = line.ptr[i] == ' ' || line.ptr[i] == '\t';
        bool again =
            i != 0 && (line.ptr[i - 1] == ' ' || line.ptr[i - 1] == '\t');
        if (!blank)
            buf_putc(out, line.ptr[i]);
        else if (!again)
            buf_putc(out, ' ');
    }
    buf_puts(out, "\r\n");
}

static void
relaxed_body(struct slice body, struct buf *out)
{
    while (body.len != 0) {
        const char *end = memmem(body.ptr, body.len, "\r\n", 2);
        size_t len = end != NULL ? (size_t)(end - body.ptr) : body.len;
        relaxed_line(slice_head(body, len), out);
        body = slice_tail(body, len + 2);
    }
    while (out->len >= 2 && memcmp(out->ptr + out->len - 2, "\r\n", 2) == 0)
        out->len -= 2;
    if (out->len != 0)
        buf_puts(out, "\r\n");
}

static void
base64(const void *octets, size_t len, struct buf *out)
{
    char text[2048];

    assert_true(len <= 1024);
    EVP_EncodeBlock((unsigned char *)text, octets, (int)len);
    buf_puts(out, text);
}

static void
put_body_hash(const char *tags, struct slice body, struct buf *out)
{
    unsigned char hash[32];
    struct buf canonical = { 0 };
    struct buf l = { 0 };

    if (is_relaxed(tags, true))
        relaxed_body(body, &canonical);
    else
        simple_body(body, &canonical);
    if (tag_value(tags, "l", &l) != NULL &&
        strtoull(buf_cstr(&l), NULL, 10) < canonical.len)
        canonical.len = strtoull(buf_cstr(&l), NULL, 10);
    assert_int_equal(EVP_Digest(canonical.ptr, canonical.len, hash, NULL,
                                EVP_sha256(), NULL),
                     1);
    base64(hash, sizeof(hash), out);
    buf_free(&canonical);
    buf_free(&l);
}

static void
put_field(struct slice raw, bool relaxed, struct buf *input)
{
    struct buf unfolded = { 0 };

    if (!relaxed) {
        buf_append(input, raw);
        return;
    }
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] != '\r' && raw.ptr[i] != '\n')
            buf_putc(&unfolded, raw.ptr[i]);
    struct slice value = buf_slice(&unfolded);
    struct slice name = slice_trim(slice_cut(&value, ':'));
    for (size_t i = 0; i < name.len; i++)
        buf_putc(input, ascii_lower(name.ptr[i]));
    buf_putc(input, ':');
    relaxed_line(slice_trim(value), input);
    buf_free(&unfolded);
}

/* The instance of a name that h= means when it says it for the n-th time. */
static void
put_instance(const struct mail_header *header, struct slice name, size_t n,
             bool relaxed, struct buf *input)
{
    for (size_t i = header->count; i > 0; i--) {
        if (!slice_equal_nocase(mail_header_name(header, i - 1), name) ||
            n-- != 0)
            continue;
        put_field(mail_header_field(header, i - 1).raw, relaxed, input);
        return;
    }
}

static void
put_named(const char *tags, const struct mail_header *header, bool relaxed,
          struct buf *input)
{
    struct buf h = { 0 };

    if (tag_value(tags, "h", &h) == NULL)
        return;
    struct slice rest = buf_slice(&h);
    while (rest.len != 0) {
        struct slice seen = slice_head(buf_slice(&h), h.len - rest.len);
        struct slice name = slice_cut(&rest, ':');
        size_t n = 0;
        while (seen.len != 0)
            n += slice_equal_nocase(slice_cut(&seen, ':'), name);
        put_instance(header, name, n, relaxed, input);
    }
    buf_free(&h);
}

void
made_sign(const struct made_signer *signer, struct slice message,
          struct buf *out)
{
    unsigned char digest[32];
    struct mail_header header = { 0 };
    struct buf input = { 0 };
    struct buf field = { 0 };
    struct buf signature = { 0 };
    bool relaxed = is_relaxed(signer->tags, false);

    assert_true(mail_header_index(message, &header));
    buf_printf(&field, "DKIM-Signature: a=%s;\r\n %sbh=", signer->algorithm,
               signer->tags);
    put_body_hash(signer->tags, slice_tail(message, header.length), &field);
    buf_puts(&field, ";\r\n b=");
    put_named(signer->tags, &header, relaxed, &input);
    put_field(buf_slice(&field), relaxed, &input);
    if (relaxed)
        input.len -= 2;
    assert_int_equal(
        EVP_Digest(input.ptr, input.len, digest, NULL, EVP_sha256(), NULL), 1);
    assert_true(dkim_key_sign(signer->key, digest, &signature));
    base64(signature.ptr, signature.len, &field);
    buf_append(out, buf_slice(&field));
    buf_puts(out, "\r\n");
    buf_append(out, message);
    mail_header_free(&header);
    buf_free(&input);
    buf_free(&field);
    buf_free(&signature);
}

/* ---- verifying --------------------------------------------------------- */

static void
answer(const struct made_zone *zone, struct slice name,
       struct dns_record *records, struct dns_answer *made)
{
    *made = (struct dns_answer){ .status = DNS_NO_NAME, .records = records };
    for (const char *const *at = zone->records; at != NULL && *at != NULL;
         at += 2) {
        if (!slice_equal(slice_from(at[0]), name))
            continue;
        if (strcmp(at[1], "TROUBLE") == 0) {
            made->status = DNS_TROUBLE;
            return;
        }
        assert_true(made->count < 8);
        made->status = DNS_FOUND;
        records[made->count++] =
            (struct dns_record){ .text = slice_from(at[1]) };
    }
}

static struct dkim_bodies *
hash_bodies(const struct dkim_verifier *verifier, struct slice body,
            size_t piece)
{
    struct dkim_bodies *bodies = dkim_bodies_new(verifier, DKIM_BODIES_VERIFY);

    assert_non_null(bodies);
    while (body.len != 0) {
        struct slice part = slice_head(body, piece != 0 ? piece : body.len);
        assert_true(dkim_bodies_update(bodies, part));
        body = slice_tail(body, part.len);
    }
    assert_true(dkim_bodies_finish(bodies, NULL));
    return bodies;
}

void
made_verify(struct slice message, struct made_zone *zone,
            const struct made_options *options, struct made_result *result)
{
    static const struct made_options usual = { 0 };
    struct dns_record records[8];
    struct dns_question question;
    struct dns_answer found;
    size_t ticket = 0;

    if (options == NULL)
        options = &usual;
    *result = (struct made_result){ 0 };
    assert_true(mail_header_index(message, &result->header));
    struct dkim_verify_request request = {
        .header = &result->header,
        .authors = options->authors,
        .author_count = options->author_count,
        .max = options->max != 0 ? options->max : 8,
        .extent = options->extent,
        .now = options->now != 0 ? options->now : MADE_NOW,
    };
    result->verifier = dkim_verifier_new(&request);
    assert_non_null(result->verifier);
    while (dkim_verifier_ask(result->verifier, &question, &ticket)) {
        assert_int_equal(question.type, DNS_TXT);
        zone->questions++;
        answer(zone, question.name, records, &found);
        dkim_verifier_answer(result->verifier, ticket, &found, options->cache);
    }
    assert_false(dkim_verifier_waits(result->verifier));
    struct dkim_bodies *bodies =
        hash_bodies(result->verifier,
                    slice_tail(message, result->header.length), options->piece);
    dkim_verifier_check(result->verifier, bodies);
    dkim_bodies_free(bodies);
    result->count = dkim_verifier_count(result->verifier);
    for (size_t i = 0; i < result->count && i < 16; i++)
        result->signatures[i] = dkim_verifier_signature(result->verifier, i);
    result->why = dkim_verifier_why(result->verifier);
}

void
made_free(struct made_result *result)
{
    dkim_verifier_free(result->verifier);
    mail_header_free(&result->header);
}
