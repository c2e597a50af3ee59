#include "line.h"

enum smtp_line
smtp_line_find(struct slice in, size_t window, size_t *length)
{
    struct slice seen = slice_head(in, window);
    size_t cr = slice_find(seen, '\r');

    *length = cr;
    if (slice_find(slice_head(seen, cr), '\n') != cr ||
        slice_find(slice_head(seen, cr), '\0') != cr)
        return SMTP_LINE_BARE;
    if (cr + 1 < seen.len)
        return seen.ptr[cr + 1] == '\n' ? SMTP_LINE_WHOLE : SMTP_LINE_BARE;
    return in.len >= window ? SMTP_LINE_LONG : SMTP_LINE_PARTIAL;
}
