#include "dnsanswer.h"

enum {
    HEADER = 12,
    QUESTION = 4, /* behind the name: type, class */
    RECORD = 10,  /* type, class, time to live, length */
    CNAME = 5,
    NAME_MAX = 255,
    POINTER = 0xC0,
};

struct reader {
    const unsigned char *octets;
    size_t len;
    size_t at;
};

static unsigned
number(const struct reader *r, size_t at)
{
    return (unsigned)r->octets[at] << 8 | r->octets[at + 1];
}

static void
put_label(const unsigned char *label, size_t len, struct buf *name)
{
    for (size_t i = 0; i < len; i++) {
        if (label[i] <= ' ' || label[i] >= 0x7F)
            buf_printf(name, "\\%03u", label[i]);
        else if (label[i] == '.' || label[i] == '\\')
            buf_printf(name, "\\%c", label[i]);
        else
            buf_putc(name, (char)label[i]);
    }
}

/*
 * The name here, and past it; name may be NULL. A pointer leads to what stands
 * before the name it is part of, so each one leads further back and none goes
 * round in a circle.
 */
static bool
take_name(struct reader *r, struct buf *name)
{
    size_t total = 0;
    size_t from = r->at; /* of the octets that are being read */
    size_t at = r->at;
    bool jumped = false;

    while (at < r->len) {
        const unsigned length = r->octets[at];
        if (length == 0) {
            if (!jumped)
                r->at = at + 1;
            return true;
        }
        if ((length & POINTER) == POINTER) {
            if (r->len - at < 2)
                return false;
            const size_t to = number(r, at) & 0x3FFF;
            if (to >= from)
                return false;
            if (!jumped)
                r->at = at + 2;
            jumped = true;
            from = at = to;
            continue;
        }
        total += 1 + length;
        if ((length & POINTER) != 0 || total >= NAME_MAX ||
            r->len - at - 1 < length)
            return false;
        if (name != NULL) {
            if (name->len != 0)
                buf_putc(name, '.');
            put_label(r->octets + at + 1, length, name);
        }
        at += 1 + length;
    }
    return false;
}

static bool
skip(struct reader *r, size_t len)
{
    if (r->len - r->at < len)
        return false;
    r->at += len;
    return true;
}

/* Behind the questions. */
static bool
skip_questions(struct reader *r)
{
    const unsigned questions = number(r, 4);

    r->at = HEADER;
    for (unsigned i = 0; i < questions; i++)
        if (!take_name(r, NULL) || !skip(r, QUESTION))
            return false;
    return true;
}

enum dns_cname_answer
dns_answer_cname(struct slice message, struct buf *target)
{
    struct reader r = { (const unsigned char *)message.ptr, message.len, 0 };
    struct buf name = { 0 };
    enum dns_cname_answer answer = DNS_ANSWER_NONE;

    if (r.len < HEADER || !skip_questions(&r))
        return DNS_ANSWER_BAD;
    const unsigned answers = number(&r, 6);
    for (unsigned i = 0; i < answers && answer == DNS_ANSWER_NONE; i++) {
        if (!take_name(&r, NULL) || !skip(&r, RECORD))
            return DNS_ANSWER_BAD;
        const size_t length = number(&r, r.at - 2);
        const size_t data = r.at;
        if (!skip(&r, length))
            return DNS_ANSWER_BAD;
        if (number(&r, data - RECORD) != CNAME)
            continue;
        /* Its data is one name and nothing else. */
        struct reader inside = { r.octets, data + length, data };
        answer = take_name(&inside, &name) && inside.at == data + length
                     ? DNS_ANSWER_FOUND
                     : DNS_ANSWER_BAD;
    }
    if (answer == DNS_ANSWER_FOUND)
        buf_append(target, buf_slice(&name));
    buf_free(&name);
    return answer;
}
