/*
 * libconfig says "syntax error" and no more. This walks the tokens by the
 * same grammar and says what it is and how it is written. Where the meaning
 * is plain the text is put right (never more lines or fewer), so that one
 * forgotten comma does not hide all other errors.
 */
#include "mend.h"

#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 16
};

struct check {
    struct conf_source *source;
    struct problems *problems;
    size_t at; /* token */
    unsigned depth;
    struct buf path; /* of the setting we are in, "srs.domain" */
    bool lost;       /* what follows cannot be understood */
    struct mend mend;
};

static const struct conf_token *
token(const struct check *c)
{
    return &c->source->tokens[c->at];
}

static const struct conf_token *
token_after(const struct check *c)
{
    return token(c)->kind == TOKEN_END ? token(c) : token(c) + 1;
}

/* The message, then the line with a caret below the token. */
static void
report(struct check *c, const struct conf_token *where, const char *text)
{
    struct arena *arena = c->source->arena;
    struct slice line = conf_source_line(c->source, where->offset);
    size_t column = (size_t)(c->source->text.ptr + where->offset - line.ptr);
    struct buf marked = { 0 };

    buf_puts(&marked, text);
    if (line.len != 0 && line.len <= 200 && column <= line.len) {
        buf_puts(&marked, "\n    ");
        for (size_t i = 0; i < line.len; i++)
            buf_putc(&marked,
                     ascii_is_control(line.ptr[i]) ? ' ' : line.ptr[i]);
        buf_puts(&marked, "\n    ");
        for (size_t i = 0; i < column; i++) /* not for continuation octets */
            if (((unsigned char)line.ptr[i] & 0xC0) != 0x80)
                buf_putc(&marked, ' ');
        buf_putc(&marked, '^');
    }
    problem_add(c->problems, conf_source_place(c->source, where->line),
                buf_slice(&c->path), "%s",
                arena_cstr(arena, buf_slice(&marked)));
    buf_free(&marked);
}

static void
lose(struct check *c, const struct conf_token *where, const char *text)
{
    report(c, where, text);
    c->lost = true;
}

/* "TEXT", with what stands there in place of %s; in the arena. */
static const char *
about(struct check *c, const char *before, struct slice what, const char *after)
{
    struct buf text = { 0 };

    buf_puts(&text, before);
    buf_puts(&text, problem_quote(c->source->arena, what));
    buf_puts(&text, after);
    const char *copy = arena_cstr(c->source->arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

/* A string that ends on another line began with a quote too much, or one is
 * missing in its line: from here on strings and the rest are exchanged. */
static bool
string_is_closed(struct check *c)
{
    const struct conf_token *t = token(c);

    if (t->kind == TOKEN_STRING && slice_find(t->text, '\n') == t->text.len)
        return true;
    lose(c, t,
         "syntax error: the string that begins here has no closing quote in "
         "its line");
    return false;
}

static bool
ends_value(const struct conf_token *t)
{
    return t->kind == TOKEN_END || conf_token_is(t, ';') ||
           conf_token_is(t, ',') || conf_token_is(t, ')') ||
           conf_token_is(t, ']') || conf_token_is(t, '}');
}

static bool
starts_comment(struct slice s)
{
    return s.len > 1 && s.ptr[0] == '/' && (s.ptr[1] == '/' || s.ptr[1] == '*');
}

/* Without quotes: what stands from the token on to the end of the value. */
static struct slice
bare_word(const struct check *c, size_t first)
{
    const struct conf_token *start = &c->source->tokens[first];
    struct slice line = conf_source_line(c->source, start->offset);
    size_t used = (size_t)(start->text.ptr - line.ptr);
    struct slice word = slice_tail(line, used);
    size_t end = 0;

    while (end < word.len && memchr(";,)]}\"# \t", word.ptr[end], 9) == NULL &&
           !starts_comment(slice_tail(word, end)))
        end++;
    return slice_head(word, end);
}

static bool
is_word(struct slice word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (slice_equal_nocase(word, slice_from(*words)))
            return true;
    return false;
}

/* Go on behind a word without quotes that begins at token `first`: reported
 * and put in quotes. */
static void
take_bare_word(struct check *c, size_t first)
{
    static const char *const yes[] = { "yes", "on", "enabled", NULL };
    static const char *const no[] = { "no", "off", "disabled", NULL };
    const struct conf_token *start = &c->source->tokens[first];
    struct slice word = bare_word(c, first);
    struct slice right = { 0 };
    unsigned char octet = (unsigned char)start->text.ptr[0];

    /* 0xE2: the typographic quotes that word processors make. */
    if (octet == '\'' || octet == 0xE2) {
        lose(c, start, "syntax error: strings stand in \"double quotes\"");
        return;
    }
    if (word.len == 0 || ascii_is_control(word.ptr[0]) ||
        slice_find(word, '\\') < word.len) {
        lose(c, start, "syntax error: a value is expected here");
        return;
    }
    if (is_word(word, yes) || is_word(word, no)) {
        report(c, start, "syntax error: use true or false");
        right = slice_from(is_word(word, yes) ? "true" : "false");
    } else {
        struct buf quoted = { 0 };
        report(c, start, about(c, "syntax error: write ", word, " in quotes"));
        buf_putc(&quoted, '"');
        buf_append(&quoted, word);
        buf_putc(&quoted, '"');
        right = arena_copy(c->source->arena, buf_slice(&quoted));
        buf_free(&quoted);
    }
    mend_replace(&c->mend, start->offset, word.len, right);
    size_t end = start->offset + word.len;
    while (token(c)->kind != TOKEN_END && token(c)->offset < end)
        c->at++;
}

static void check_value(struct check *c);
static void check_settings(struct check *c, const struct conf_token *open);

static bool
starts_value(const struct conf_token *t)
{
    switch (t->kind) {
    case TOKEN_BOOL:
    case TOKEN_NUMBER:
    case TOKEN_FLOAT:
    case TOKEN_STRING:
    case TOKEN_OPEN_STRING:
    case TOKEN_NAME:
    case TOKEN_GARBAGE:
        return true;
    case TOKEN_MARK:
        return conf_token_is(t, '(') || conf_token_is(t, '[') ||
               conf_token_is(t, '{');
    case TOKEN_END:
        return false;
    }
    abort();
}

static void
lose_unclosed(struct check *c, const struct conf_token *open)
{
    lose(c, open,
         conf_token_is(open, '(')
             ? "syntax error: the ( here is not closed by )"
             : "syntax error: the [ here is not closed by ]");
}

/* libconfig's arrays hold simple values of one type, that of `kind`. */
static void
check_array_element(struct check *c, enum conf_token_kind *kind)
{
    const struct conf_token *t = token(c);

    if (t->kind == TOKEN_MARK)
        lose(c, t,
             "syntax error: an array [ ] holds simple values; use a list "
             "( )");
    else if (*kind != TOKEN_END && *kind != t->kind)
        lose(c, t,
             "syntax error: all values of an array [ ] are of one type; use "
             "a list ( )");
    *kind = t->kind;
}

static bool
is_next_setting(const struct check *c)
{
    return token(c)->kind == TOKEN_NAME &&
           (conf_token_is(token_after(c), '=') ||
            conf_token_is(token_after(c), ':'));
}

/* Behind an element: the comma, if there is one, or what stands for it. */
static const struct conf_token *
take_comma(struct check *c, const struct conf_token *open)
{
    const struct conf_token *t = token(c);

    if (conf_token_is(t, ',')) {
        c->at++;
        return t;
    }
    if (conf_token_is(t, ';') && starts_value(token_after(c)) &&
        token_after(c)->kind != TOKEN_NAME) {
        report(c, t, "syntax error: a comma is wanted between elements");
        mend_replace(&c->mend, t->offset, 1, SLICE_OF(","));
        c->at++;
    } else if (conf_token_is(t, ';') &&
               conf_token_is(token_after(c),
                             conf_token_is(open, '(') ? ')' : ']')) {
        report(c, t,
               "syntax error: no ; stands in a list; between elements it is a "
               "comma");
        mend_blank(&c->mend, t->offset, t->offset + 1);
        c->at++;
    } else if (starts_value(t) && is_next_setting(c)) {
        /* The list ended before it and only its ) is missing. */
        lose_unclosed(c, open);
    } else if (starts_value(t)) {
        report(c, t - 1, "syntax error: a comma is missing behind this");
        mend_replace(&c->mend, t->offset, 0, SLICE_OF(","));
    }
    return NULL;
}

/* The elements of ( ) or [ ]; the opening mark is taken already. */
static void
check_elements(struct check *c, const struct conf_token *open)
{
    bool array = conf_token_is(open, '[');
    const struct conf_token *comma = NULL;
    enum conf_token_kind kind = TOKEN_END;
    size_t above = c->path.len;

    for (size_t index = 0; !c->lost; index++) {
        const struct conf_token *t = token(c);
        if (conf_token_is(t, array ? ']' : ')')) {
            if (comma != NULL) {
                report(c, comma,
                       "syntax error: libconfig 1.5 allows no comma before "
                       "] or )");
                mend_blank(&c->mend, comma->offset, comma->offset + 1);
            }
            c->at++;
            return;
        }
        if (!starts_value(t)) {
            if (t->kind == TOKEN_END || conf_token_is(t, ';') ||
                conf_token_is(t, '}'))
                lose_unclosed(c, open);
            else
                lose(c, t, "syntax error: a value is expected here");
            return;
        }
        if (array)
            check_array_element(c, &kind);
        if (c->lost)
            return;
        buf_printf(&c->path, "[%zu]", index);
        check_value(c);
        if (c->lost)
            return;
        c->path.len = above;
        comma = take_comma(c, open);
    }
}

static void
check_value(struct check *c)
{
    const struct conf_token *t = token(c);
    size_t first = c->at;

    switch (t->kind) {
    case TOKEN_STRING:
    case TOKEN_OPEN_STRING:
        while (token(c)->kind == TOKEN_STRING ||
               token(c)->kind == TOKEN_OPEN_STRING) {
            if (!string_is_closed(c))
                return;
            c->at++;
        }
        return;
    case TOKEN_BOOL:
    case TOKEN_NUMBER:
    case TOKEN_FLOAT: {
        /* 10m, 127.0.0.1:25, 0x1z: a number that goes on is a word. */
        const struct conf_token *next = token_after(c);
        bool touches = next->offset == t->offset + t->text.len;
        c->at++;
        if (touches && !ends_value(next))
            take_bare_word(c, first);
        return;
    }
    case TOKEN_NAME:
    case TOKEN_GARBAGE:
        take_bare_word(c, first);
        return;
    case TOKEN_MARK:
        if (conf_token_is(t, '(') || conf_token_is(t, '[') ||
            conf_token_is(t, '{')) {
            if (++c->depth > DEPTH_MAX) {
                lose(c, t, "syntax error: nested too deep");
                return;
            }
            c->at++;
            if (conf_token_is(t, '{'))
                check_settings(c, t);
            else
                check_elements(c, t);
            c->depth--;
            return;
        }
        lose(c, t, "syntax error: a value is missing before this");
        return;
    case TOKEN_END:
        lose(c, t, "syntax error: a value is missing at the end of the file");
        return;
    }
}

/* A name that does not end where libconfig wants it to. */
static void
odd_name(struct check *c)
{
    const struct conf_token *name = token(c);
    const struct conf_token *next = token_after(c);
    struct slice whole = bare_word(c, c->at);

    if (next->kind == TOKEN_FLOAT || next->kind == TOKEN_GARBAGE) {
        size_t dot = slice_find(whole, '.');
        if (dot < whole.len) {
            struct buf text = { 0 };
            buf_puts(&text, "syntax error: no dots in names: write ");
            log_escape_text(&text, slice_head(whole, dot));
            buf_puts(&text, " = { ... }; with the setting inside; a domain "
                            "is an element of a list or of a table, never a "
                            "name");
            lose(c, name, arena_cstr(c->source->arena, buf_slice(&text)));
            buf_free(&text);
            return;
        }
    }
    if (next->kind == TOKEN_STRING || next->kind == TOKEN_NUMBER ||
        next->kind == TOKEN_BOOL || conf_token_is(next, '{') ||
        conf_token_is(next, '(') || conf_token_is(next, '[')) {
        report(c, name,
               about(c, "syntax error: write = behind ", name->text, ""));
        mend_replace(&c->mend, next->offset, 0, SLICE_OF("="));
        c->at++;
        check_value(c);
        return;
    }
    if (next->kind == TOKEN_GARBAGE &&
        slice_starts_nocase(next->text, SLICE_OF("\xC2"))) {
        lose(c, next,
             "syntax error: here stands a blank of a web page (U+00A0), which "
             "looks like one and is none; type it anew");
        return;
    }
    lose(c, name,
         about(c, "syntax error: = and a value are expected behind ",
               name->text, ""));
}

/* The names of one group. */
struct names {
    struct seen {
        struct slice name;
        unsigned line;
    } * seen;
    size_t count;
    size_t room;
};

/* libconfig refuses a name that the group has already. */
static bool
is_new_name(struct check *c, struct names *names)
{
    const struct conf_token *t = token(c);

    for (size_t i = 0; i < names->count; i++) {
        const struct seen *seen = &names->seen[i];
        if (!slice_equal(seen->name, t->text))
            continue;
        struct conf_place first = conf_source_place(c->source, seen->line);
        problem_add(c->problems, conf_source_place(c->source, t->line),
                    buf_slice(&c->path),
                    "duplicate setting; the first one is at %.*s:%u",
                    SLICE_ARG(first.file), first.line);
        return false;
    }
    /* Far more than there are settings; a group of thousands is a mistake
     * that the reader reports, and looking each up would be quadratic. */
    if (names->count == 256)
        return true;
    if (names->count == names->room) {
        names->room = names->room == 0 ? 16 : 2 * names->room;
        names->seen =
            mem_realloc(names->seen, names->room * sizeof(names->seen[0]));
    }
    names->seen[names->count++] = (struct seen){ t->text, t->line };
    return true;
}

/* Where the name of a setting is wanted and something else stands. True: it
 * was put right. */
static bool
take_misplaced(struct check *c)
{
    const struct conf_token *t = token(c);

    if (conf_token_is(t, ';') || conf_token_is(t, ',')) {
        report(c, t, "syntax error: one ; too many");
        mend_blank(&c->mend, t->offset, t->offset + 1);
        c->at++;
        return true;
    }
    if (conf_token_is(t, '}') || conf_token_is(t, ')') || conf_token_is(t, ']'))
        lose(c, t, "syntax error: nothing was opened that this could close");
    else if (t->kind == TOKEN_GARBAGE && t->text.ptr[0] == '@')
        lose(c, t,
             "syntax error: @include \"FILE\" stands at the start of a line");
    else
        lose(c, t,
             "syntax error: the name of a setting is expected here; is a "
             "quote, a bracket or a name missing before it?");
    return false;
}

/* NAME = VALUE; */
static void
check_setting(struct check *c, struct names *names)
{
    const struct conf_token *t = token(c);
    size_t above = c->path.len;

    if (above != 0)
        buf_putc(&c->path, '.');
    buf_append(&c->path, slice_head(t->text, 64));
    bool is_new = is_new_name(c, names);
    if (is_next_setting(c)) {
        c->at += 2;
        check_value(c);
    } else {
        odd_name(c);
    }
    if (c->lost)
        return; /* the path is for the message */
    c->path.len = above;
    if (conf_token_is(token(c), ';') || conf_token_is(token(c), ','))
        c->at++;
    if (!is_new)
        mend_blank(&c->mend, t->offset, token(c)->offset);
}

/* What stands in the file (open NULL) or between { and }. */
static void
check_settings(struct check *c, const struct conf_token *open)
{
    struct names names = { 0 };

    while (!c->lost) {
        const struct conf_token *t = token(c);
        if (open != NULL && conf_token_is(t, '}')) {
            c->at++;
            break;
        }
        if (t->kind == TOKEN_END) {
            if (open != NULL)
                lose(c, open, "syntax error: the { here is not closed by }");
            break;
        }
        if (t->kind == TOKEN_NAME)
            check_setting(c, &names);
        else if (!take_misplaced(c))
            break;
    }
    free(names.seen);
}

bool
conf_source_check(struct conf_source *source, struct problems *problems)
{
    struct check c = { .source = source,
                       .problems = problems,
                       .mend = { .source = source } };

    check_settings(&c, NULL);
    if (!c.lost)
        mend_apply(&c.mend);
    mend_free(&c.mend);
    buf_free(&c.path);
    return !c.lost;
}
