#include "robust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[TEXT_LINES * TEXT_LINE];
static char stuffed[TEXT_LINES * (TEXT_LINE + 1)];
static size_t stuffed_at[TEXT_LINES + 1];

void
content_make(void)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+. \t";
    size_t out = 0;
    unsigned x = 1;

    for (size_t i = 0; i < TEXT_LINES; i++) {
        char *line = text + i * TEXT_LINE;
        for (size_t k = 0; k < TEXT_LINE - 2; k++) {
            x = x * 1664525 + 1013904223;
            line[k] = letters[(x >> 16) % (sizeof(letters) - 1)];
        }
        /* Some that look like an end, or like our own marks. */
        if (i % 37 == 0)
            memcpy(line, "..", 2);
        if (i % 41 == 0)
            line[0] = '.';
        memcpy(line + TEXT_LINE - 2, "\r\n", 2);
        stuffed_at[i] = out;
        if (line[0] == '.')
            stuffed[out++] = '.';
        memcpy(stuffed + out, line, TEXT_LINE);
        out += TEXT_LINE;
    }
    stuffed_at[TEXT_LINES] = out;
}

static size_t
mixed(size_t id)
{
    uint64_t x = id + 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (size_t)(x ^ (x >> 31));
}

unsigned long
content_lines(size_t id)
{
    if (run.lines < 0)
        return (unsigned long)-run.lines;
    return 1 + mixed(id) % (unsigned long)run.lines;
}

static size_t
place(size_t id, unsigned long n)
{
    return (mixed(id) / 7 + n) % TEXT_LINES;
}

const char *
content_line(size_t id, unsigned long n)
{
    return text + place(id, n) * TEXT_LINE;
}

struct stretch
content_stuffed(size_t id, unsigned long n, unsigned long most,
                unsigned long *taken)
{
    size_t from = place(id, n);
    unsigned long there = TEXT_LINES - from;

    *taken = most < there ? most : there;
    return (struct stretch){ stuffed + stuffed_at[from],
                             stuffed_at[from + *taken] - stuffed_at[from] };
}
