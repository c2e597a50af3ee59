/* An author that is read is one domain name in A-labels, and neither comments
 * nor letter case change which; a second author elsewhere is noticed. */
#include "mail.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum mail_from_status
read_from(struct slice value, const char *more, struct arena *arena,
          struct slice *domain)
{
    struct buf content = { 0 };
    struct mail_header header = { 0 };

    buf_puts(&content, "From: ");
    buf_append(&content, value);
    buf_puts(&content, more);
    buf_puts(&content, "\r\n\r\n");
    if (!mail_header_index(buf_slice(&content), &header))
        abort();
    /* The value may end the field and begin others. */
    bool whole =
        header.count == 1 && header.complete && header.length == content.len;
    enum mail_from_status status =
        whole ? mail_from_domain(&header, arena, domain) : MAIL_FROM_MISSING;
    mail_header_free(&header);
    buf_free(&content);
    return status;
}

static void
check_domain(struct slice domain)
{
    if (domain.len == 0 || domain.len > 253 || domain.ptr[0] == '.' ||
        domain.ptr[domain.len - 1] == '.')
        abort();
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && c != '-' &&
            c != '.' && c != '_')
            abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice value = { (const char *)data, size };
    struct arena arena = { 0 };
    struct slice domain = { 0 };
    struct slice other = { 0 };

    enum mail_from_status status = read_from(value, "", &arena, &domain);
    if (status == MAIL_FROM_OK) {
        check_domain(domain);
        if (read_from(value, " (c)", &arena, &other) != MAIL_FROM_OK ||
            !slice_equal(domain, other))
            abort();
        /* Another author is noticed, with and without a comma. */
        static const char *const others[] = { ", x@other.invalid",
                                              " x@other.invalid" };
        for (size_t i = 0; i < 2; i++)
            if (read_from(value, others[i], &arena, &other) == MAIL_FROM_OK &&
                !slice_equal(domain, SLICE_OF("other.invalid")))
                abort();
    }
    arena_free(&arena);
    return 0;
}
