/*
 * Command lines. Only CRLF ends one (RFC 5321, 2.3.8): a CR or LF alone, or a
 * NUL, makes what follows untrustworthy, because others may see a line end
 * there.
 */
#ifndef ONWARD_SMTP_LINE_H
#define ONWARD_SMTP_LINE_H

#include "base.h"

enum smtp_line {
    SMTP_LINE_PARTIAL,
    SMTP_LINE_WHOLE,
    SMTP_LINE_BARE, /* a CR, LF or NUL that ends no line */
    SMTP_LINE_LONG, /* no end within the window */
};

/*
 * The line at the start of in, looked for in the first `window` octets.
 * *length: without the CRLF. The same in whatever pieces it comes: a CR at
 * the very end is not judged until more is there.
 */
enum smtp_line smtp_line_find(struct slice in, size_t window, size_t *length);

#endif
