/* Fields lie one behind the other and cover the header; what a field is does
 * not depend on what stands behind the header. */
#include "mail.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_field(const struct mail_field *field)
{
    const char *end = field->raw.ptr + field->raw.len;

    if (field->name.len == 0 || field->name.ptr != field->raw.ptr ||
        field->body.ptr[-1] != ':' || field->body.ptr + field->body.len > end)
        abort();
    for (size_t i = 0; i < field->name.len; i++)
        if (field->name.ptr[i] <= ' ' || field->name.ptr[i] >= 127 ||
            field->name.ptr[i] == ':')
            abort();
    /* A CRLF inside is a fold. */
    for (size_t i = 0; i + 2 < field->raw.len; i++)
        if (field->raw.ptr[i] == '\r' && field->raw.ptr[i + 1] == '\n' &&
            field->raw.ptr[i + 2] != ' ' && field->raw.ptr[i + 2] != '\t')
            abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice content = { (const char *)data, size };
    struct mail_header header = { 0 };
    struct mail_header again = { 0 };

    if (!mail_header_index(content, &header))
        abort();
    if (header.length > size)
        abort();
    const char *at =
        header.count != 0 ? mail_header_field(&header, 0).raw.ptr : NULL;
    for (size_t i = 0; i < header.count; i++) {
        struct mail_field field = mail_header_field(&header, i);
        check_field(&field);
        if (field.raw.ptr != at)
            abort();
        at += field.raw.len;
    }
    if (header.count != 0 &&
        at + (header.complete ? 2 : 0) != content.ptr + header.length)
        abort();
    if (header.complete &&
        memcmp(content.ptr + header.length - 2, "\r\n", 2) != 0)
        abort();

    if (!mail_header_index(slice_head(content, header.length), &again))
        abort();
    if (again.count != header.count || again.length != header.length ||
        again.complete != header.complete)
        abort();
    size_t length = mail_header_length(content);
    if (header.complete && header.oddities == 0 && length != header.length)
        abort();
    mail_header_free(&header);
    mail_header_free(&again);
    return 0;
}
