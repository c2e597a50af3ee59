#include "traceline.h"

#include <string.h>

/* ---- parts of a line ---------------------------------------------------- */

static struct slice
id_at(struct slice text)
{
    size_t len = 0;

    while (len < text.len && ascii_is_alnum(text.ptr[len]))
        len++;
    return slice_head(text, len);
}

static bool
is_id(struct slice s)
{
    static const char *const words[] = { "NOQUEUE", "warning", "error",
                                         "fatal",   "panic",   "statistics",
                                         "config",  "log",     "upstream" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_equal(s, slice_from(words[i])))
            return false;
    return s.len >= 5 && s.len <= 20;
}

/* What stands behind the mark, with the rest of the text; false: nothing. */
static bool
find_behind(struct slice text, struct slice mark, struct slice *rest)
{
    const char *at =
        memmem(text.ptr != NULL ? text.ptr : "", text.len, mark.ptr, mark.len);

    if (at == NULL)
        return false;
    *rest = slice_tail(text, (size_t)(at - text.ptr) + mark.len);
    return true;
}

static void
find_links(struct trace_line *line, struct slice mark)
{
    struct slice rest = line->text;

    while (find_behind(rest, mark, &rest)) {
        for (;;) { /* "queued=" has a list */
            struct slice id = id_at(rest);
            rest = slice_tail(rest, id.len);
            if (is_id(id) && line->link_count < TRACE_LINKS_MAX)
                line->links[line->link_count++] = id;
            if (id.len == 0 || rest.len == 0 || rest.ptr[0] != ',')
                break;
            rest = slice_tail(rest, 1);
        }
    }
}

bool
trace_line_parse(struct slice line, struct trace_line *parsed)
{
    static const struct slice json_id = SLICE("{\"id\": \"");
    struct slice text;

    *parsed = (struct trace_line){ 0 };
    if (!find_behind(line, SLICE_OF("]: "), &text))
        return false;
    struct slice head = slice_head(line, line.len - text.len - 3);
    head = slice_head(head, slice_find_last(head, '['));
    size_t start = slice_find_last(head, ' ');
    if (start >= head.len)
        return false;
    parsed->program = slice_tail(head, start + 1);
    parsed->prefix = slice_head(head, start);
    parsed->onward = slice_starts_nocase(parsed->program, SLICE_OF("onward"));
    if (!parsed->onward &&
        !slice_starts_nocase(parsed->program, SLICE_OF("postfix")))
        return false;
    parsed->text = text;
    bool json = parsed->onward && slice_starts_nocase(text, json_id);
    struct slice own = id_at(json ? slice_tail(text, json_id.len) : text);
    char behind = json ? '"' : ':';
    if (is_id(own) && own.ptr + own.len < text.ptr + text.len &&
        own.ptr[own.len] == behind)
        parsed->own = own;
    find_links(parsed, SLICE_OF("queued as "));
    if (parsed->onward) { /* of a message that became several */
        find_links(parsed, SLICE_OF(" queued="));
        find_links(parsed, SLICE_OF("\"queued\": \""));
    } else {
        find_links(parsed, SLICE_OF("notification: ")); /* bounce, delay */
        find_links(parsed, SLICE_OF("orig_queue_id="));
    }
    return true;
}

/* ---- addresses ---------------------------------------------------------- */

static bool
has_between(struct slice text, struct slice address, char before, char behind)
{
    while (text.len >= address.len + 2) {
        const char *at = memchr(text.ptr, before, text.len);
        if (at == NULL)
            return false;
        text = slice_tail(text, (size_t)(at - text.ptr) + 1);
        if (address.len < text.len && text.ptr[address.len] == behind &&
            slice_starts_nocase(text, address))
            return true;
    }
    return false;
}

bool
trace_line_has_address(const struct trace_line *line, struct slice address)
{
    if (line->onward && line->text.len != 0 && line->text.ptr[0] == '{')
        return has_between(line->text, address, '"', '"');
    return has_between(line->text, address, '<', '>');
}

/* ---- refusals ----------------------------------------------------------- */

/* The value of a key: what follows `text` or, in JSON, `json`. */
static bool
find_value(const struct trace_line *line, struct slice text, struct slice json,
           struct slice *value)
{
    bool is_json = line->text.len != 0 && line->text.ptr[0] == '{';

    return find_behind(line->text, is_json ? json : text, value);
}

/* <a>,<b>; "a"; ["a", "b"]: without what follows. */
static struct slice
cut_recipients(struct slice rest)
{
    const char *end = NULL;

    if (rest.len != 0 && rest.ptr[0] == '[')
        end = memchr(rest.ptr, ']', rest.len);
    else if (rest.len > 1 && rest.ptr[0] == '"')
        end = memchr(rest.ptr + 1, '"', rest.len - 1);
    else
        end = memmem(rest.ptr != NULL ? rest.ptr : "", rest.len, ", ", 2);
    return end == NULL ? rest : slice_head(rest, (size_t)(end - rest.ptr));
}

bool
trace_line_is_refusal(const struct trace_line *line, struct slice *recipients,
                      struct slice *reply)
{
    struct slice rest;

    if (!line->onward || line->own.len == 0 ||
        !find_value(line, SLICE_OF(" reply=\""), SLICE_OF("\"reply\": \""),
                    &rest) ||
        rest.len == 0 || (rest.ptr[0] != '4' && rest.ptr[0] != '5'))
        return false;
    *reply = slice_head(rest, slice_find(rest, '"'));
    *reply = slice_head(*reply, slice_find(*reply, '\\'));
    if (reply->len <= 3 || !find_value(line, SLICE_OF(" orig_to="),
                                       SLICE_OF("\"orig_to\": "), &rest))
        return false;
    *recipients = cut_recipients(rest);
    return true;
}

bool
trace_line_quotes_refusal(const struct trace_line *line)
{
    static const struct slice marks[] = { SLICE("proxy-reject: "),
                                          SLICE(" rejected \""),
                                          SLICE(" said: ") };
    struct slice rest;

    for (size_t i = 0; !line->onward && i < 3; i++)
        if (find_behind(line->text, marks[i], &rest))
            return true;
    return false;
}

bool
trace_line_quotes(const struct trace_line *line, struct slice recipients,
                  struct slice reply)
{
    struct slice rest;

    if (!find_behind(line->text, reply, &rest))
        return false;
    while (recipients.len != 0) {
        /* "<a>,<b>" or "["a", "b"]": what stands between the delimiters */
        while (recipients.len != 0 &&
               memchr("<>\"[], ", recipients.ptr[0], 7) != NULL)
            recipients = slice_tail(recipients, 1);
        size_t len = 0;
        while (len < recipients.len && recipients.ptr[len] != '>' &&
               recipients.ptr[len] != '"')
            len++;
        if (len != 0 &&
            trace_line_has_address(line, slice_head(recipients, len)))
            return true;
        recipients = slice_tail(recipients, len + 1);
    }
    return false;
}
