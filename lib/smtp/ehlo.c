#include "ehlo.h"

static const struct {
    struct slice name;
    unsigned keyword;
} keywords[] = {
    { SLICE("PIPELINING"), SMTP_HAS_PIPELINING },
    { SLICE("8BITMIME"), SMTP_HAS_8BITMIME },
    { SLICE("SIZE"), SMTP_HAS_SIZE },
    { SLICE("DSN"), SMTP_HAS_DSN },
    { SLICE("SMTPUTF8"), SMTP_HAS_SMTPUTF8 },
    { SLICE("ENHANCEDSTATUSCODES"), SMTP_HAS_ENHANCED },
    { SLICE("XFORWARD"), SMTP_HAS_XFORWARD },
};

static struct slice
take_word(struct slice *in)
{
    *in = slice_trim(*in);
    struct slice word = slice_cut(in, ' ');
    return word;
}

static void
parse_keyword(struct slice line, struct smtp_ehlo *ehlo)
{
    struct slice name = take_word(&line);
    unsigned keyword = 0;

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (slice_equal_nocase(name, keywords[i].name))
            keyword = keywords[i].keyword;
    ehlo->keywords |= keyword;
    if (keyword == SMTP_HAS_SIZE) {
        struct slice number = take_word(&line);
        if (!slice_to_u64(number, &ehlo->size))
            ehlo->size = 0;
    } else if (keyword == SMTP_HAS_XFORWARD) {
        enum xforward_attribute attribute;
        while ((name = take_word(&line)).len != 0)
            if (xforward_attribute_find(name, &attribute))
                ehlo->xforward |= 1u << attribute;
    }
}

void
smtp_ehlo_parse(const struct smtp_reply *reply, struct smtp_ehlo *ehlo)
{
    struct slice text = reply->text;

    *ehlo = (struct smtp_ehlo){ 0 };
    slice_cut(&text, '\n'); /* the name and the greeting */
    while (text.len != 0)
        parse_keyword(slice_cut(&text, '\n'), ehlo);
}

void
smtp_ehlo_print(struct slice hostname, const struct smtp_ehlo *upstream,
                uint64_t size_limit, struct buf *out)
{
    unsigned offered = upstream != NULL ? upstream->keywords : SMTP_HAS_ALL;
    uint64_t size = upstream != NULL ? upstream->size : 0;

    if (size == 0 || (size_limit != 0 && size_limit < size))
        size = size_limit;
    buf_puts(out, "250-");
    buf_append(out, hostname);
    buf_puts(out, "\r\n250-PIPELINING\r\n");
    if ((offered & SMTP_HAS_SIZE) != 0) {
        buf_puts(out, size != 0 ? "250-SIZE " : "250-SIZE");
        if (size != 0)
            buf_put_number(out, size);
        buf_puts(out, "\r\n");
    }
    if ((offered & SMTP_HAS_8BITMIME) != 0)
        buf_puts(out, "250-8BITMIME\r\n");
    if ((offered & SMTP_HAS_SMTPUTF8) != 0)
        buf_puts(out, "250-SMTPUTF8\r\n");
    if ((offered & SMTP_HAS_DSN) != 0)
        buf_puts(out, "250-DSN\r\n");
    buf_puts(out, "250-ENHANCEDSTATUSCODES\r\n"
                  "250 XFORWARD NAME ADDR PORT HELO IDENT PROTO SOURCE\r\n");
}
