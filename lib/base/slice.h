/*
 * A view of octets that somebody else owns. Never kept beyond the call it was
 * given to, unless it points into memory that lives as long (the same arena).
 */
#ifndef ONWARD_BASE_SLICE_H
#define ONWARD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const char *ptr;
    size_t len;
};

/* A slice of a string literal; also usable in static initializers. */
#define SLICE(literal)                                                         \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define SLICE_OF(literal) ((struct slice)SLICE(literal))

/* For printf: "%.*s", SLICE_ARG(s). */
#define SLICE_ARG(s) ((int)(s).len), ((s).ptr != NULL ? (s).ptr : "")

struct slice slice_from(const char *text); /* NULL gives the empty slice */

bool slice_equal(struct slice a, struct slice b);

/* ASCII letters compare equal in either case, all other octets as they are. */
bool slice_equal_nocase(struct slice a, struct slice b);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends_nocase(struct slice s, struct slice suffix);

/* Index of the first (last) c, or s.len if there is none. */
size_t slice_find(struct slice s, char c);
size_t slice_find_last(struct slice s, char c);

/* The first n octets; all but the first n. n beyond the end is clamped. */
static inline struct slice
slice_head(struct slice s, size_t n)
{
    return (struct slice){ s.ptr, n < s.len ? n : s.len };
}

static inline struct slice
slice_tail(struct slice s, size_t n)
{
    if (n > s.len)
        n = s.len;
    /* NULL + 0 is undefined in C, and the empty slice may be all zeroes. */
    return (struct slice){ n != 0 ? s.ptr + n : s.ptr, s.len - n };
}

/* Without the blanks and tabs at both ends. */
struct slice slice_trim(struct slice s);

/*
 * Cut the part before the first c off *s and return it; *s is left after c.
 * Without a c the whole of *s is returned and *s is left empty.
 */
struct slice slice_cut(struct slice *s, char c);

/* Unsigned decimal, digits only. False if empty, too large or not a number. */
bool slice_to_u64(struct slice s, uint64_t *number);

/*
 * How far apart two words are: insertions, deletions, changes and exchanged
 * neighbours (the restricted Damerau-Levenshtein distance), without regard to
 * case. SLICE_WORD_MAX where one of them is longer than that.
 */
enum {
    SLICE_WORD_MAX = 32
};
unsigned slice_distance(struct slice a, struct slice b);

/* ASCII only and independent of any locale. */
static inline bool
ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool
ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
ascii_is_alnum(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* 0 to 31 and 127. */
static inline bool
ascii_is_control(char c)
{
    return (unsigned char)c < 32 || c == 127;
}

/* How many octets at the start of s are printable ASCII, from blank to '~'. */
size_t ascii_printable_length(struct slice s);

static inline char
ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#endif
