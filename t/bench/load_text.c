#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    HELLO,
    FORWARDED,
    MAIL,
    RCPT,
    DATA,
    CONTENT,
    QUIT
};

static const struct text *text;
static struct iovec shared; /* the content without its first fields */

static const char hello[] = "EHLO load.example\r\n";
static const char forwarded[] =
    "XFORWARD NAME=load.example ADDR=192.0.2.7 PORT=2525 HELO=load.example "
    "IDENT=[UNAVAILABLE] PROTO=ESMTP SOURCE=REMOTE\r\n";
static const char fields[] = "Subject: a message of the benchmark\r\n"
                             "Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n"
                             "Message-ID: <bench@load.example>\r\n"
                             "MIME-Version: 1.0\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\n";
static const char line[] = "The quick brown fox jumps over the lazy dog, "
                           "and again it does so.\r\n";

static size_t
append(char *to, size_t at, const char *what)
{
    size_t len = strlen(what);

    memcpy(to + at, what, len);
    return at + len;
}

/* From and To come in front of it and are each message's own. */
void
text_prepare(const struct text *wanted)
{
    size_t room = wanted->octets + sizeof(fields) + 64UL * wanted->fields + 256;
    char *content = malloc(room);

    if (content == NULL)
        abort();
    text = wanted;
    size_t at = append(content, 0, fields);
    for (unsigned i = 0; i < wanted->fields; i++)
        at += (size_t)snprintf(content + at, room - at,
                               "X-Field-%05u: one of many\r\n", i);
    at = append(content, at, "\r\n");
    while (at < wanted->octets)
        at = append(content, at, line);
    at = append(content, at, ".\r\n");
    shared = (struct iovec){ content, at };
}

unsigned
text_steps(void)
{
    return 5 + text->recipients + text->xforward;
}

unsigned
text_content(void)
{
    return text_steps() - 2;
}

static enum kind
kind_of(unsigned step)
{
    unsigned mail = 1 + text->xforward;

    if (step == 0)
        return HELLO;
    if (step < mail)
        return FORWARDED;
    if (step == mail)
        return MAIL;
    if (step <= mail + text->recipients)
        return RCPT;
    return step < text_content()    ? DATA
           : step == text_content() ? CONTENT
                                    : QUIT;
}

/* A prime above any number of addresses: each comes once before one comes
 * again. */
static const unsigned long stride = 2654435761UL;

static size_t
put_address(char *own, size_t at, const char *pattern, unsigned long n)
{
    const char *percent = strchr(pattern, '%');
    int front = percent != NULL ? (int)(percent - pattern) : 0;

    if (percent == NULL)
        return at + (size_t)snprintf(own + at, TEXT_OWN - at, "<%s>", pattern);
    return at + (size_t)snprintf(own + at, TEXT_OWN - at, "<%.*s%lu%s>", front,
                                 pattern,
                                 n % text->different * stride % text->different,
                                 percent + 1);
}

int
text_step(unsigned step, unsigned long n, char own[TEXT_OWN],
          struct iovec parts[TEXT_PARTS])
{
    unsigned long first = n * text->recipients;
    size_t at = 0;

    switch (kind_of(step)) {
    case HELLO:
        at = append(own, at, hello);
        break;
    case FORWARDED:
        at = append(own, at, forwarded);
        break;
    case MAIL:
        at = put_address(own, append(own, at, "MAIL FROM:"), text->from, n);
        at = append(own, at, "\r\n");
        break;
    case RCPT:
        at = put_address(own, append(own, at, "RCPT TO:"), text->rcpt,
                         first + step - 2 - text->xforward);
        at = append(own, at, "\r\n");
        break;
    case DATA:
        at = append(own, at, "DATA\r\n");
        break;
    case CONTENT:
        at = put_address(own, append(own, at, "From: Load "), text->from, n);
        at = put_address(own, append(own, at, "\r\nTo: "), text->rcpt, first);
        at = append(own, at, "\r\n");
        parts[1] = shared;
        break;
    case QUIT:
        at = append(own, at, "QUIT\r\n");
        break;
    }
    parts[0] = (struct iovec){ own, at };
    return kind_of(step) == CONTENT ? 2 : 1;
}
