/*
 * Message content as DATA carries it (RFC 5321, 4.5.2).
 *
 * The decoder takes out the dots, ends at CRLF.CRLF and at nothing else, and
 * makes every bare CR a space, as Postfix' cleanup does after us. A bare LF
 * or a NUL is remembered, not acted on: the content is read to its end and
 * then refused, because closing early loses the reply. Feeding a message in
 * one piece or octet by octet gives the same content.
 *
 * The encoder puts the dots back. What it is given holds no bare CR, bare LF
 * or NUL (asserted), so what leaves us has one reading (invariant I5).
 */
#ifndef ONWARD_SMTP_DOT_H
#define ONWARD_SMTP_DOT_H

#include "base.h"

enum dot_state {
    DOT_AT_LINE_START, /* the value of all zeroes */
    DOT_IN_LINE,
    DOT_AFTER_CR,
    DOT_AFTER_DOT,
    DOT_AFTER_DOT_CR,
    DOT_FINISHED,
};

struct dot_decoder {
    enum dot_state state;
    bool bare_lf;
    bool nul;
    bool bare_cr;   /* at least one was replaced */
    bool long_line; /* a line of over 998 octets passed */
    bool stuffed;   /* some line of the content begins with a dot */
    size_t line;    /* octets of the current line so far */
};

enum dot_status {
    DOT_MORE,
    DOT_END
};

/*
 * Decode from *in, appending to out; advances *in behind what was used. At
 * DOT_END *in starts behind the final line. out grows by at most in->len + 2
 * octets; false only if memory is gone, and then nothing was used.
 */
bool dot_decode(struct dot_decoder *decoder, struct slice *in, struct buf *out,
                enum dot_status *status);

struct dot_encoder {
    bool in_line; /* false: at the start of a line */
    bool after_cr;
};

/* Appends content with its dots doubled. False if memory is gone. */
bool dot_encode(struct dot_encoder *encoder, struct slice content,
                struct buf *out);

/* Content went out otherwise, which had no dots to double; `last` was its last
 * octet. */
void dot_encode_behind(struct dot_encoder *encoder, char last);

/* Appends the final line, after a CRLF if the content did not end in one. */
void dot_finish(struct dot_encoder *encoder, struct buf *out);

#endif
