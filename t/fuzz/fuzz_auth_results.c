/*
 * Values of strangers, one a line, in each place of Authentication-Results and
 * of X-Onward-Arrival. Whatever they are, each field is one field of printable
 * ASCII, no line has more than 998 octets, and read by the grammar of RFC 8601
 * it holds our results in our order and nobody else's.
 */
#include "auth.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_octets(struct slice field)
{
    size_t line = 0;

    for (size_t i = 0; i < field.len; i++) {
        char c = field.ptr[i];
        bool is_end =
            c == '\r' && i + 1 < field.len && field.ptr[i + 1] == '\n';
        if (is_end && i + 2 < field.len && field.ptr[i + 2] != '\t')
            abort();
        if (is_end) {
            i++;
            line = 0;
        } else if ((c < ' ' && c != '\t') || c == 127 || (c & 0x80) ||
                   ++line > 998) {
            abort();
        }
    }
    if (field.len < 2 || memcmp(field.ptr + field.len - 2, "\r\n", 2) != 0)
        abort();
}

/* method=result, then ptype.property=value; a value has no blank, and a
 * semicolon stands between methods alone. */
static void
check_methods(struct slice field, const char *const *want, size_t count)
{
    slice_cut(&field, ';');
    for (size_t i = 0; i < count; i++) {
        struct slice part = slice_cut(&field, ';');
        struct slice words = slice_tail(part, 3); /* CRLF, tab */
        if (part.len < 3 || !slice_equal(slice_head(words, strlen(want[i])),
                                         slice_from(want[i])))
            abort();
        size_t equals = 0;
        for (size_t k = 0; k < part.len; k++)
            equals += part.ptr[k] == '=';
        if (equals == 0 || memchr(part.ptr, '(', part.len) != NULL ||
            memchr(part.ptr, ',', part.len) != NULL)
            abort();
    }
    if (field.len != 0)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = { "spf=pass", "dkim=permerror",
                                           "dkim=pass", "dmarc=fail" };
    struct slice rest = { (const char *)data, size };
    struct dkim_signature signatures[2] = { 0 };
    struct buf out = { 0 };

    struct auth_results results = { .id = SLICE("mx.example"),
                                    .spf = "pass",
                                    .has_dkim = true,
                                    .signatures = signatures,
                                    .signature_count = 2,
                                    .dmarc = "fail",
                                    .dmarc_policy = "reject" };
    results.spf_domain = slice_cut(&rest, '\n');
    results.author = slice_cut(&rest, '\n');
    results.spf_is_helo = results.author.len % 2 != 0;
    signatures[0].result = DKIM_PERMERROR;
    signatures[1].result = DKIM_PASS;
    for (int i = 0; i < 2; i++) {
        signatures[i].domain = slice_cut(&rest, '\n');
        signatures[i].selector = slice_cut(&rest, '\n');
        signatures[i].algorithm = slice_cut(&rest, '\n');
        signatures[i].b = slice_cut(&rest, '\n');
    }
    if (!auth_results_print(&results, &out))
        abort();
    check_octets(buf_slice(&out));
    check_methods(buf_slice(&out), methods, 4);
    buf_clear(&out);
    auth_arrival_print(AUTH_FAILS, rest, DMARC_POLICY_REJECT, &out);
    check_octets(buf_slice(&out));
    if (memchr(out.ptr, '\n', out.len) != out.ptr + out.len - 1)
        abort();
    buf_clear(&out);
    auth_verified_print(signatures, 2, DKIM_SYNTAX, &out);
    for (size_t i = 0; i < out.len; i++)
        if (out.ptr[i] <= ' ' || out.ptr[i] >= 127 || out.ptr[i] == '"')
            abort();
    buf_clear(&out);
    results.id = rest;
    if (auth_results_print(&results, &out))
        check_octets(buf_slice(&out));
    buf_free(&out);
    return 0;
}
