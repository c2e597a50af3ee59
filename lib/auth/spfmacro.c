#include "spfmacro.h"

#include <string.h>

enum {
    /* An expansion is kept from the right, where the name is decided. */
    KEPT = 512,
    TOO_LONG = 2048,
    PARTS_MAX = 1000, /* asking for more than there can be is asking for all */
};

/* One piece of a macro-string. */
struct piece {
    struct slice literal; /* to be taken as it is */
    char letter;          /* 0: literal */
    bool is_upper;        /* to be URL-escaped */
    bool reversed;
    unsigned parts; /* rightmost ones wanted; 0: all */
    struct slice delimiters;
};

static bool
is_letter(char c, enum spf_letters letters)
{
    const struct slice known = letters == SPF_LETTERS_ALL
                                   ? SLICE_OF("slodiphvcrt")
                                   : SLICE_OF("slodiphv");

    return slice_find(known, ascii_lower(c)) < known.len;
}

static bool
is_delimiter(char c)
{
    const struct slice known = SLICE(".-+,/_=");

    return slice_find(known, c) < known.len;
}

/* The inside of %{...}. */
static bool
read_macro(struct slice inside, enum spf_letters letters, struct piece *piece)
{
    size_t at = 1;
    bool has_digits = false;

    if (inside.len == 0 || !is_letter(inside.ptr[0], letters))
        return false;
    piece->letter = ascii_lower(inside.ptr[0]);
    piece->is_upper = inside.ptr[0] != piece->letter;
    for (; at < inside.len && ascii_is_digit(inside.ptr[at]); at++) {
        has_digits = true;
        piece->parts = piece->parts * 10 + (unsigned)(inside.ptr[at] - '0');
        if (piece->parts > PARTS_MAX)
            piece->parts = PARTS_MAX;
    }
    if (has_digits && piece->parts == 0)
        return false;
    if (at < inside.len && ascii_lower(inside.ptr[at]) == 'r') {
        piece->reversed = true;
        at++;
    }
    piece->delimiters = slice_tail(inside, at);
    for (size_t i = 0; i < piece->delimiters.len; i++)
        if (!is_delimiter(piece->delimiters.ptr[i]))
            return false;
    return true;
}

/* The next piece of *text, which is not empty. */
static bool
next_piece(struct slice *text, enum spf_letters letters, struct piece *piece)
{
    *piece = (struct piece){ .literal = slice_head(*text, 1) };
    if (text->ptr[0] != '%') {
        *text = slice_tail(*text, 1);
        return piece->literal.ptr[0] > ' ' && piece->literal.ptr[0] <= '~';
    }
    const char kind = text->len > 1 ? text->ptr[1] : '\0';
    *text = slice_tail(*text, 2);
    switch (kind) {
    case '%':
        return true;
    case '_':
        piece->literal = SLICE_OF(" ");
        return true;
    case '-':
        piece->literal = SLICE_OF("%20");
        return true;
    case '{': {
        const size_t close = slice_find(*text, '}');
        const struct slice inside = slice_head(*text, close);

        if (close == text->len)
            return false;
        *text = slice_tail(*text, close + 1);
        return read_macro(inside, letters, piece);
    }
    }
    return false;
}

bool
spf_macro_string_is_valid(struct slice text, enum spf_letters letters)
{
    struct piece piece;

    while (text.len != 0)
        if (!next_piece(&text, letters, &piece))
            return false;
    return true;
}

/* Letters, digits and inner hyphens, not all digits. */
static bool
is_top_label(struct slice label)
{
    bool all_digits = true;

    if (label.len == 0 || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-')
            return false;
        all_digits = all_digits && ascii_is_digit(label.ptr[i]);
    }
    return !all_digits;
}

bool
spf_domain_spec_is_valid(struct slice spec)
{
    struct slice rest = spec;
    struct slice end = SLICE(""); /* what follows the last macro */
    struct piece piece = { 0 };

    if (spec.len == 0)
        return false;
    end = spec;
    while (rest.len != 0) {
        const bool is_macro = rest.ptr[0] == '%';

        if (!next_piece(&rest, SPF_LETTERS_OF_NAMES, &piece))
            return false;
        if (is_macro)
            end = rest;
    }
    if (end.len == 0)
        return true;
    if (end.ptr[end.len - 1] == '.')
        end.len--;
    const size_t dot = slice_find_last(end, '.');
    return dot < end.len && is_top_label(slice_tail(end, dot + 1));
}

static bool
has_letter(struct slice spec, char letter)
{
    struct piece piece;

    while (spec.len != 0) {
        if (!next_piece(&spec, SPF_LETTERS_OF_NAMES, &piece))
            return false;
        if (piece.letter == letter)
            return true;
    }
    return false;
}

bool
spf_spec_wants_name(struct slice spec)
{
    return has_letter(spec, 'p');
}

/* ---- values ---------------------------------------------------------------
 */

bool
spf_address_is_ip4(const unsigned char address[16])
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0,    0,
                                              0, 0, 0, 0, 0xff, 0xff };

    return memcmp(address, mapped, sizeof(mapped)) == 0;
}

void
spf_address_print(const unsigned char address[16], struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    const bool is_ip4 = spf_address_is_ip4(address);

    for (size_t i = is_ip4 ? 12 : 0; i < 16; i++) {
        if (is_ip4) {
            buf_put_number(out, address[i]);
        } else {
            buf_putc(out, digits[address[i] >> 4]);
            buf_putc(out, '.');
            buf_putc(out, digits[address[i] & 15]);
        }
        if (i != 15)
            buf_putc(out, '.');
    }
}

static struct slice
value_of(char letter, const struct spf_values *values, struct buf *scratch)
{
    switch (letter) {
    case 's':
        return values->sender;
    case 'l':
        return values->local;
    case 'o':
        return values->sender_domain;
    case 'd':
        return values->domain;
    case 'p':
        return values->name;
    case 'h':
        return values->helo;
    case 'v':
        return spf_address_is_ip4(values->address) ? SLICE_OF("in-addr")
                                                   : SLICE_OF("ip6");
    case 'i':
        buf_clear(scratch);
        spf_address_print(values->address, scratch);
        return buf_slice(scratch);
    }
    return SLICE_OF("");
}

/* ---- expansion ------------------------------------------------------------
 */

static void
put_escaped(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];

        if (ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
            buf_putc(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

static void
put_part(const struct piece *piece, struct slice part, struct buf *out)
{
    if (piece->is_upper)
        put_escaped(part, out);
    else
        buf_append(out, part);
}

static bool
is_split_at(const struct piece *piece, char c)
{
    return piece->delimiters.len == 0
               ? c == '.'
               : slice_find(piece->delimiters, c) < piece->delimiters.len;
}

/* Cut the first part off, or the last one. */
static struct slice
cut_part(const struct piece *piece, struct slice *value, bool last)
{
    const size_t len = value->len;
    size_t n = 0;

    while (n < len && !is_split_at(piece, value->ptr[last ? len - n - 1 : n]))
        n++;
    const struct slice part =
        last ? slice_tail(*value, len - n) : slice_head(*value, n);
    *value = last ? slice_head(*value, n < len ? len - n - 1 : 0)
                  : slice_tail(*value, n + 1);
    return part;
}

static size_t
count_parts(const struct piece *piece, struct slice value)
{
    size_t count = 1;

    for (size_t i = 0; i < value.len; i++)
        count += is_split_at(piece, value.ptr[i]);
    return count;
}

/* Split, turn round, take those at the right, join with dots. */
static void
put_value(const struct piece *piece, struct slice value, struct buf *out)
{
    size_t count = count_parts(piece, value);
    const size_t wanted =
        piece->parts != 0 && piece->parts < count ? piece->parts : count;

    /* The rightmost of the reversed are the leftmost as they stood. */
    for (; count > wanted; count--)
        cut_part(piece, &value, piece->reversed);
    for (size_t i = 0; i < wanted; i++) {
        if (i != 0)
            buf_putc(out, '.');
        put_part(piece, cut_part(piece, &value, piece->reversed), out);
    }
}

/* Labels go from the left until the name is short enough (7.3). */
static void
shorten(struct buf *name)
{
    struct slice kept = buf_slice(name);

    if (kept.len != 0 && kept.ptr[kept.len - 1] == '.')
        kept.len--;
    name->len = kept.len;
    while (kept.len > DNS_NAME_MAX)
        kept = slice_tail(kept, slice_find(kept, '.') + 1);
    if (kept.len != name->len)
        buf_drop(name, name->len - kept.len);
}

bool
spf_name_is_askable(struct slice name)
{
    return slice_find(name, '.') < name.len && dns_name_is_askable(name);
}

bool
spf_expand(struct slice spec, const struct spf_values *values, struct buf *name)
{
    struct buf scratch = { 0 };
    struct piece piece;
    bool fits = true;

    buf_clear(name);
    while (spec.len != 0 && fits) {
        fits = next_piece(&spec, SPF_LETTERS_OF_NAMES, &piece);
        if (piece.letter == 0) {
            buf_append(name, piece.literal);
        } else {
            const struct slice value = value_of(piece.letter, values, &scratch);
            /* Such a local part matches no label of a name. */
            if (piece.letter == 's' || piece.letter == 'l')
                for (size_t i = 0; i < values->local.len; i++)
                    fits = fits && (unsigned char)values->local.ptr[i] < 0x80;
            put_value(&piece, value, name);
        }
        if (name->len > TOO_LONG)
            buf_drop(name, name->len - KEPT);
    }
    buf_free(&scratch);

    shorten(name);
    for (size_t i = 0; i < name->len; i++)
        name->ptr[i] = ascii_lower(name->ptr[i]);
    return fits && spf_name_is_askable(buf_slice(name));
}
