#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    INCLUDE_DEPTH = 10, /* libconfig's own limit */
    FILE_MAX = 64 * 1024 * 1024,
};

/* Where the text stands that is being put together. */
enum scan {
    IN_TEXT,
    IN_STRING,
    IN_LINE_COMMENT,
    IN_COMMENT
};

static bool
read_whole(const char *path, struct buf *out, const char **why)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        *why = strerror(errno);
        return false;
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        *why = "is a directory";
        close(fd);
        return false;
    }
    for (;;) {
        buf_reserve(out, 16 * 1024);
        ssize_t n = read(fd, out->ptr + out->len, 16 * 1024);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            *why = strerror(errno);
            break;
        }
        if (n == 0) {
            close(fd);
            return true;
        }
        out->len += (size_t)n;
        if (out->len > FILE_MAX) {
            *why = "is larger than 64 MiB";
            break;
        }
    }
    close(fd);
    return false;
}

static void
begin_line(struct conf_source *source, struct conf_place place)
{
    if (source->line_count == source->line_room) {
        source->line_room =
            source->line_room == 0 ? 256 : 2 * source->line_room;
        source->places = mem_realloc(
            source->places, source->line_room * sizeof(source->places[0]));
    }
    source->places[source->line_count++] = place;
}

/* The name between the quotes of `@include "NAME"` at the front of s; *length
 * is that of the whole directive. False: there is none. */
static bool
include_at(struct slice s, struct slice *name, size_t *length)
{
    static const struct slice word = SLICE("@include");
    size_t i = 0;

    while (i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t'))
        i++;
    if (s.len - i < word.len || memcmp(s.ptr + i, word.ptr, word.len) != 0)
        return false;
    i += word.len;
    size_t blanks = i;
    while (i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t'))
        i++;
    if (i == blanks || i == s.len || s.ptr[i] != '"')
        return false;
    struct slice rest = slice_tail(s, i + 1);
    size_t end = slice_find(rest, '"');
    if (end == rest.len || slice_find(slice_head(rest, end), '\n') != end)
        return false;
    *name = slice_head(rest, end);
    *length = i + 1 + end + 1;
    return true;
}

static enum scan
scan_next(enum scan state, struct slice text, size_t *i, struct buf *out)
{
    char c = text.ptr[*i];
    char next = *i + 1 < text.len ? text.ptr[*i + 1] : '\0';

    buf_putc(out, c);
    switch (state) {
    case IN_TEXT:
        if (c == '"')
            return IN_STRING;
        if (c == '#' || (c == '/' && next == '/'))
            return IN_LINE_COMMENT;
        if (c == '/' && next == '*') {
            buf_putc(out, next);
            ++*i;
            return IN_COMMENT;
        }
        return IN_TEXT;
    case IN_STRING:
        if (c == '\\' && (next == '"' || next == '\\')) {
            buf_putc(out, next);
            ++*i;
            return IN_STRING;
        }
        return c == '"' ? IN_TEXT : IN_STRING;
    case IN_LINE_COMMENT:
        return c == '\n' ? IN_TEXT : IN_LINE_COMMENT;
    case IN_COMMENT:
        if (c == '*' && next == '/') {
            buf_putc(out, next);
            ++*i;
            return IN_TEXT;
        }
        return IN_COMMENT;
    }
    abort();
}

static bool add_file(struct conf_source *source, const char *path,
                     const struct conf_place *from, unsigned depth,
                     struct problems *problems);

static bool
include(struct conf_source *source, struct slice name,
        const struct conf_place *here, unsigned depth,
        struct problems *problems)
{
    static const struct slice setting = SLICE("@include");
    struct buf path = { 0 };
    size_t slash = slice_find_last(here->file, '/');

    if (depth == INCLUDE_DEPTH) {
        problem_add(problems, *here, setting,
                    "more than %d files deep; does a file include itself?",
                    INCLUDE_DEPTH);
        return false;
    }
    if (name.len == 0 || name.ptr[0] != '/')
        if (slash < here->file.len)
            buf_append(&path, slice_head(here->file, slash + 1));
    buf_append(&path, name);
    bool ok = add_file(source, buf_cstr(&path), here, depth + 1, problems);
    buf_free(&path);
    return ok;
}

static bool
add_text(struct conf_source *source, struct slice text, struct conf_place *at,
         unsigned depth, struct problems *problems)
{
    enum scan state = IN_TEXT;
    bool line_start = true;
    bool ok = true;

    begin_line(source, *at);
    for (size_t i = 0; i < text.len; i++) {
        struct slice name;
        size_t length;
        if (line_start && state == IN_TEXT &&
            include_at(slice_tail(text, i), &name, &length)) {
            buf_putc(&source->text, '\n');
            ok &= include(source, name, at, depth, problems);
            buf_putc(&source->text, '\n');
            begin_line(source, *at);
            i += length - 1;
            line_start = false;
            continue;
        }
        line_start = text.ptr[i] == '\n';
        state = scan_next(state, text, &i, &source->text);
        if (line_start) {
            at->line++;
            begin_line(source, *at);
        }
    }
    return ok;
}

static bool
add_file(struct conf_source *source, const char *path,
         const struct conf_place *from, unsigned depth,
         struct problems *problems)
{
    static const struct slice bom = SLICE("\xEF\xBB\xBF");
    struct buf octets = { 0 };
    const char *why = NULL;
    bool ok = false;
    struct conf_place at = {
        .file = arena_copy(source->arena, slice_from(path)),
        .rank = source->file_count++,
    };

    if (!read_whole(path, &octets, &why)) {
        if (from == NULL)
            problem_add(problems, at, SLICE_OF(""), "cannot be read: %s", why);
        else
            problem_add(problems, *from, SLICE_OF("@include"),
                        "%s cannot be read: %s",
                        problem_quote(source->arena, slice_from(path)), why);
        goto out;
    }
    struct slice text = buf_slice(&octets);
    at.line = 1;
    if (slice_find(text, '\0') < text.len) {
        problem_add(problems, at, SLICE_OF(""),
                    "holds a NUL octet: is this a text file in UTF-8?");
        goto out;
    }
    if (slice_starts_nocase(text, bom)) {
        problem_add(problems, at, SLICE_OF(""),
                    "begins with a byte-order mark; save the file as UTF-8 "
                    "without one");
        text = slice_tail(text, bom.len);
    }
    ok = add_text(source, text, &at, depth, problems);
out:
    buf_free(&octets);
    return ok;
}

bool
conf_source_read(struct conf_source *source, const char *path,
                 struct problems *problems)
{
    bool ok = add_file(source, path, NULL, 0, problems);

    buf_putc(&source->text, '\n');
    conf_source_tokens(source);
    return ok;
}

void
conf_source_free(struct conf_source *source)
{
    buf_free(&source->text);
    free(source->places);
    free(source->tokens);
    *source = (struct conf_source){ 0 };
}

struct conf_place
conf_source_place(const struct conf_source *source, unsigned line)
{
    if (source->line_count == 0)
        return (struct conf_place){ 0 };
    if (line >= source->line_count)
        line = (unsigned)source->line_count - 1;
    return source->places[line];
}

struct slice
conf_source_line(const struct conf_source *source, size_t offset)
{
    struct slice text = buf_slice(&source->text);
    size_t start = slice_find_last(slice_head(text, offset), '\n');

    start = start == slice_head(text, offset).len ? 0 : start + 1;
    struct slice line = slice_tail(text, start);
    line = slice_head(line, slice_find(line, '\n'));
    if (line.len != 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}
