/* libconfig's lexical rules (scanner.l of 1.5 to 1.8), as far as files of
 * ours may use them. */
#include "source.h"

#include <stdlib.h>
#include <string.h>

static bool
is_name_start(char c)
{
    return ascii_is_alpha(c) || c == '*';
}

static bool
is_name(char c)
{
    return is_name_start(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

static bool
is_hex(char c)
{
    return ascii_is_digit(c) ||
           (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

static size_t
digits(struct slice s, size_t i)
{
    while (i < s.len && ascii_is_digit(s.ptr[i]))
        i++;
    return i;
}

/* Of an exponent at i: where it ends, or i if there is none. */
static size_t
exponent(struct slice s, size_t i)
{
    size_t k = i + 1;

    if (i >= s.len || ascii_lower(s.ptr[i]) != 'e')
        return i;
    if (k < s.len && (s.ptr[k] == '-' || s.ptr[k] == '+'))
        k++;
    size_t end = digits(s, k);
    return end == k ? i : end;
}

/* Length of the number at the front of s, 0 if there is none. */
static size_t
number_length(struct slice s, bool *is_float)
{
    size_t i = 0;
    bool sign = s.len != 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');

    *is_float = false;
    if (s.len > 2 && s.ptr[0] == '0' && ascii_lower(s.ptr[1]) == 'x' &&
        is_hex(s.ptr[2])) {
        i = 2;
        while (i < s.len && is_hex(s.ptr[i]))
            i++;
    } else {
        size_t start = sign ? 1 : 0;
        i = digits(s, start);
        if (i < s.len && s.ptr[i] == '.') {
            *is_float = true;
            i = digits(s, i + 1);
            return exponent(s, i);
        }
        if (i == start)
            return 0;
        /* Without a point it is a float only with a sign in front: "1e5" is
         * the number 1 and the name e5. */
        if (sign && exponent(s, i) != i) {
            *is_float = true;
            return exponent(s, i);
        }
    }
    if (i < s.len && s.ptr[i] == 'L')
        i++;
    if (i < s.len && s.ptr[i] == 'L' && s.ptr[i - 1] == 'L')
        i++;
    return i;
}

static size_t
string_length(struct slice s, bool *closed)
{
    *closed = false;
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 1 < s.len &&
            (s.ptr[i + 1] == '"' || s.ptr[i + 1] == '\\')) {
            i++;
        } else if (s.ptr[i] == '"') {
            *closed = true;
            return i + 1;
        }
    }
    return s.len;
}

/* Length of blanks and comments at the front of s. */
static size_t
skip_length(struct slice s)
{
    size_t i = 0;

    while (i < s.len) {
        char c = s.ptr[i];
        char next = i + 1 < s.len ? s.ptr[i + 1] : '\0';
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            i++;
        } else if (c == '#' || (c == '/' && next == '/')) {
            i += slice_find(slice_tail(s, i), '\n');
        } else if (c == '/' && next == '*') {
            i += 2;
            while (i < s.len &&
                   !(s.ptr[i] == '*' && i + 1 < s.len && s.ptr[i + 1] == '/'))
                i++;
            i = i + 2 < s.len ? i + 2 : s.len;
        } else {
            break;
        }
    }
    return i;
}

static struct conf_token
token_at(struct slice s)
{
    struct conf_token token = { .kind = TOKEN_GARBAGE };
    size_t length = 1;
    bool flag;

    if (s.len == 0) {
        token.kind = TOKEN_END;
        length = 0;
    } else if (s.ptr[0] == '"') {
        length = string_length(s, &flag);
        token.kind = flag ? TOKEN_STRING : TOKEN_OPEN_STRING;
    } else if (is_name_start(s.ptr[0])) {
        while (length < s.len && is_name(s.ptr[length]))
            length++;
        struct slice name = slice_head(s, length);
        token.kind = slice_equal_nocase(name, SLICE_OF("true")) ||
                             slice_equal_nocase(name, SLICE_OF("false"))
                         ? TOKEN_BOOL
                         : TOKEN_NAME;
    } else if (number_length(s, &flag) != 0) {
        length = number_length(s, &flag);
        token.kind = flag ? TOKEN_FLOAT : TOKEN_NUMBER;
    } else if (memchr("=:;,()[]{}", s.ptr[0], 10) != NULL) {
        token.kind = TOKEN_MARK;
    }
    token.text = slice_head(s, length);
    return token;
}

static unsigned
count_lines(struct slice s)
{
    unsigned lines = 0;

    for (size_t i = 0; i < s.len; i++)
        lines += s.ptr[i] == '\n';
    return lines;
}

void
conf_source_tokens(struct conf_source *source)
{
    size_t at = 0;
    unsigned line = 0;

    /* The tokens point into the text, so it must not move any more: not even
     * for the NUL that libconfig wants behind it. */
    buf_cstr(&source->text);
    struct slice all = buf_slice(&source->text);

    source->token_count = 0;
    for (;;) {
        size_t skip = skip_length(slice_tail(all, at));
        line += count_lines(slice_head(slice_tail(all, at), skip));
        at += skip;
        struct conf_token token = token_at(slice_tail(all, at));
        token.offset = at;
        token.line = line;
        if (source->token_count == source->token_room) {
            source->token_room =
                source->token_room == 0 ? 256 : 2 * source->token_room;
            source->tokens = mem_realloc(
                source->tokens, source->token_room * sizeof(source->tokens[0]));
        }
        source->tokens[source->token_count++] = token;
        if (token.kind == TOKEN_END)
            return;
        line += count_lines(token.text);
        at += token.text.len;
    }
}

bool
conf_token_is(const struct conf_token *token, char mark)
{
    return token->kind == TOKEN_MARK && token->text.ptr[0] == mark;
}
