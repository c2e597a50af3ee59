#include "slice.h"

#include <string.h>

struct slice
slice_from(const char *text)
{
    return (struct slice){ text, text != NULL ? strlen(text) : 0 };
}

bool
slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
slice_equal_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && slice_starts_nocase(a, b);
}

bool
slice_starts_nocase(struct slice s, struct slice prefix)
{
    if (s.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++)
        if (ascii_lower(s.ptr[i]) != ascii_lower(prefix.ptr[i]))
            return false;
    return true;
}

bool
slice_ends_nocase(struct slice s, struct slice suffix)
{
    if (s.len < suffix.len)
        return false;
    return slice_starts_nocase(slice_tail(s, s.len - suffix.len), suffix);
}

size_t
slice_find(struct slice s, char c)
{
    const char *at = s.len != 0 ? memchr(s.ptr, c, s.len) : NULL;

    return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

size_t
slice_find_last(struct slice s, char c)
{
    for (size_t i = s.len; i > 0; i--)
        if (s.ptr[i - 1] == c)
            return i - 1;
    return s.len;
}

struct slice
slice_trim(struct slice s)
{
    while (s.len != 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_tail(s, 1);
    while (s.len != 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

struct slice
slice_cut(struct slice *s, char c)
{
    size_t at = slice_find(*s, c);
    struct slice head = slice_head(*s, at);

    *s = slice_tail(*s, at + 1);
    return head;
}

bool
slice_to_u64(struct slice s, uint64_t *number)
{
    uint64_t sum = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_digit(s.ptr[i]))
            return false;
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    return true;
}

static unsigned
least_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned
slice_distance(struct slice a, struct slice b)
{
    unsigned d[SLICE_WORD_MAX + 1][SLICE_WORD_MAX + 1];

    if (a.len > SLICE_WORD_MAX || b.len > SLICE_WORD_MAX)
        return SLICE_WORD_MAX;
    for (unsigned i = 0; i <= a.len; i++)
        d[i][0] = i;
    for (unsigned j = 0; j <= b.len; j++)
        d[0][j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        for (unsigned j = 1; j <= b.len; j++) {
            char x = ascii_lower(a.ptr[i - 1]);
            char y = ascii_lower(b.ptr[j - 1]);
            d[i][j] = least_of(least_of(d[i - 1][j], d[i][j - 1]) + 1,
                               d[i - 1][j - 1] + (x != y));
            if (i > 1 && j > 1 && x == ascii_lower(b.ptr[j - 2]) &&
                y == ascii_lower(a.ptr[i - 2]))
                d[i][j] = least_of(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.len][b.len];
}

size_t
ascii_printable_length(struct slice s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] >= ' ' && s.ptr[n] <= '~')
        n++;
    return n;
}
