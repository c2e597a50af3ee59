#include "dot.h"

#include <assert.h>
#include <string.h>

enum {
    LINE_LIMIT = 998, /* RFC 5322, 2.1.1, without the CRLF */
    BLOCK = 64
};

/*
 * Nothing in ptr[0..BLOCK) is for us to act on: each CR has its LF, each LF
 * behind the first octet its CR, and no line begins with a dot. Reads one
 * octet more. Written so that compilers make vector code of it.
 */
static bool
block_is_plain(const char *ptr)
{
    unsigned char any = 0;

    for (size_t i = 0; i < BLOCK; i++) {
        unsigned char cr = ptr[i] == '\r';
        unsigned char lf = ptr[i] == '\n';
        unsigned char lf_next = ptr[i + 1] == '\n';
        unsigned char dot_next = ptr[i + 1] == '.';
        any |= (unsigned char)((cr ^ lf_next) | (lf & dot_next));
    }
    return any == 0;
}

/* From at, which is within a line, the end of as many whole blocks as are
 * plain; less a CR there, which is for whoever looks at its LF. */
static const char *
plain_end(const char *at, const char *end)
{
    const char *from = at;

    if (at != end && *at == '\n') /* its CR is not among these */
        return at;
    while (end - at > BLOCK && block_is_plain(at))
        at += BLOCK;
    return at != from && at[-1] == '\r' ? at - 1 : at;
}

/* Where decoding reads and writes. */
struct pass {
    const char *at;
    const char *end;
    char *to;
};

static void
emit(struct dot_decoder *d, struct pass *p, char c)
{
    *p->to++ = c;
    if (++d->line > LINE_LIMIT)
        d->long_line = true;
}

static void
end_line(struct dot_decoder *d, struct pass *p)
{
    *p->to++ = '\r';
    *p->to++ = '\n';
    d->line = 0;
    d->state = DOT_AT_LINE_START;
}

/* A CR that no LF follows. */
static void
replace_cr(struct dot_decoder *d, struct pass *p)
{
    emit(d, p, ' ');
    d->bare_cr = true;
}

/* Line after line in one go: this is where the time is spent. False: there
 * are no such blocks here, or a line may be long and has to be counted. */
static bool
copy_blocks(struct dot_decoder *d, struct pass *p)
{
    const char *end = p->end;
    if (end - p->at > LINE_LIMIT / 2)
        end = p->at + LINE_LIMIT / 2;
    const char *stop = plain_end(p->at, end);
    size_t run = (size_t)(stop - p->at);

    if (run == 0 || d->line + run > LINE_LIMIT)
        return false;
    memcpy(p->to, p->at, run);
    p->to += run;
    p->at = stop;
    const char *lf = memrchr(stop - run, '\n', run);
    d->line = lf != NULL ? (size_t)(stop - lf - 1) : d->line + run;
    if (d->line == 0)
        d->state = DOT_AT_LINE_START;
    return true;
}

/* Everything up to the next CR. */
static void
copy_run(struct dot_decoder *d, struct pass *p)
{
    size_t left = (size_t)(p->end - p->at);
    const char *cr = memchr(p->at, '\r', left);
    size_t run = cr != NULL ? (size_t)(cr - p->at) : left;

    if (memchr(p->at, '\n', run) != NULL)
        d->bare_lf = true; /* starts no line: "\n.\r\n" is content */
    memcpy(p->to, p->at, run);
    p->to += run;
    p->at += run;
    d->line += run;
    if (d->line > LINE_LIMIT)
        d->long_line = true;
    if (cr != NULL) {
        p->at++;
        d->state = DOT_AFTER_CR;
    }
}

static void
step(struct dot_decoder *d, struct pass *p)
{
    char c = *p->at;

    switch (d->state) {
    case DOT_AT_LINE_START:
        if (c == '.') {
            p->at++;
            d->state = DOT_AFTER_DOT;
        } else {
            d->state = DOT_IN_LINE;
        }
        break;
    case DOT_AFTER_DOT:
        if (c == '\r') {
            p->at++;
            d->state = DOT_AFTER_DOT_CR;
            break;
        }
        if (c == '.')
            d->stuffed = true;
        d->state = DOT_IN_LINE;
        break;
    case DOT_AFTER_DOT_CR:
        if (c == '\n') {
            p->at++;
            d->state = DOT_FINISHED;
            break;
        }
        /* ". CR CR LF" is no end, whatever other servers think. */
        replace_cr(d, p);
        d->state = DOT_IN_LINE;
        break;
    case DOT_AFTER_CR:
        if (c == '\n') {
            p->at++;
            end_line(d, p);
            break;
        }
        replace_cr(d, p);
        d->state = DOT_IN_LINE;
        break;
    case DOT_IN_LINE:
        if (!copy_blocks(d, p))
            copy_run(d, p);
        break;
    case DOT_FINISHED:
        break;
    }
}

bool
dot_decode(struct dot_decoder *decoder, struct slice *in, struct buf *out,
           enum dot_status *status)
{
    *status = decoder->state == DOT_FINISHED ? DOT_END : DOT_MORE;
    if (in->len == 0 || *status == DOT_END)
        return true;
    /* One more than comes in, for a CR that was held back. */
    if (!buf_try_reserve(out, in->len + 1))
        return false;

    struct pass pass = { in->ptr, in->ptr + in->len, out->ptr + out->len };
    while (pass.at != pass.end && decoder->state != DOT_FINISHED)
        step(decoder, &pass);

    size_t used = (size_t)(pass.at - in->ptr);
    if (memchr(in->ptr, '\0', used) != NULL)
        decoder->nul = true;
    out->len = (size_t)(pass.to - out->ptr);
    *in = slice_tail(*in, used);
    if (decoder->state == DOT_FINISHED)
        *status = DOT_END;
    return true;
}

/* ---- encoder ----------------------------------------------------------- */

/* The end of the line at `at`, or of many of which none begins with a dot,
 * behind an LF; or somewhere within a line, or the end of the content. What
 * could be read in two ways ends the process (I5). */
static const char *
line_end(struct dot_encoder *e, const char *at, const char *end)
{
    if (e->after_cr) {
        assert(*at == '\n');
        e->after_cr = false;
        e->in_line = false;
        return at + 1;
    }
    e->in_line = true;
    const char *plain = plain_end(at, end);
    if (plain != at) {
        e->in_line = plain[-1] != '\n';
        return plain;
    }
    const char *cr = memchr(at, '\r', (size_t)(end - at));
    assert(memchr(at, '\n', (size_t)((cr != NULL ? cr : end) - at)) == NULL);
    if (cr == NULL)
        return end;
    if (cr + 1 == end) {
        e->after_cr = true;
        return end;
    }
    assert(cr[1] == '\n');
    e->in_line = false;
    return cr + 2;
}

bool
dot_encode(struct dot_encoder *encoder, struct slice content, struct buf *out)
{
    struct dot_encoder e = *encoder;
    size_t before = out->len;

    if (content.len == 0)
        return true;
    assert(memchr(content.ptr, '\0', content.len) == NULL);
    const char *end = content.ptr + content.len;
    const char *copied = content.ptr;
    const char *at = content.ptr;
    while (at != end) {
        if (!e.in_line && *at == '.') {
            /* The dot is copied twice: with what stood before it, and with
             * what follows. */
            struct slice run = { copied, (size_t)(at + 1 - copied) };
            if (!buf_try_append(out, run))
                goto no_memory;
            copied = at;
        }
        at = line_end(&e, at, end);
    }
    struct slice run = { copied, (size_t)(end - copied) };
    if (!buf_try_append(out, run))
        goto no_memory;
    *encoder = e;
    return true;
no_memory:
    out->len = before;
    return false;
}

void
dot_encode_behind(struct dot_encoder *encoder, char last)
{
    encoder->in_line = last != '\n';
    encoder->after_cr = last == '\r';
}

void
dot_finish(struct dot_encoder *encoder, struct buf *out)
{
    assert(!encoder->after_cr);
    if (encoder->in_line)
        buf_puts(out, "\r\n");
    buf_puts(out, ".\r\n");
    *encoder = (struct dot_encoder){ 0 };
}
