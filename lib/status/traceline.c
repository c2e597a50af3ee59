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

static bool
starts(struct slice text, struct slice with)
{
    return slice_equal(slice_head(text, with.len), with);
}

/* The text behind the first `mark`; false: there is none. */
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

/* ---- keys and values ---------------------------------------------------- */

/* The length of <...> at the start of s, 0: it does not end. Postfix writes
 * addresses as they stand in SMTP, where a quoted local part may hold '>'. */
static size_t
group_length(struct slice s)
{
    bool quoted = false;

    if (s.len == 0 || s.ptr[0] != '<')
        return 0;
    for (size_t i = 1; i < s.len; i++)
        if (quoted && s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            quoted = !quoted;
        else if (s.ptr[i] == '>' && !quoted)
            return i + 1;
    return 0;
}

/* The length of "..." at the start of s, with \" inside; 0: it does not end. */
static size_t
string_length(struct slice s)
{
    if (s.len == 0 || s.ptr[0] != '"')
        return 0;
    for (size_t i = 1; i < s.len; i++)
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
    return 0;
}

struct field {
    struct slice key;
    struct slice value; /* as it stands: <a>,<b>  "a"  a  ["a", "b"] */
};

static size_t
list_length(struct slice s)
{
    size_t end = 0, n;

    while ((n = group_length(slice_tail(s, end))) != 0) {
        end += n;
        if (end == s.len || s.ptr[end] != ',')
            return end;
        if (end + 1 == s.len || s.ptr[end + 1] != '<')
            return end;
        end++;
    }
    return 0;
}

/* A word ends at a blank (Postfix) or a comma with a blank behind it. */
static size_t
word_length(struct slice s, bool onward)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.ptr[i] == ' ' && !onward) ||
            (s.ptr[i] == ',' && i + 1 < s.len && s.ptr[i + 1] == ' '))
            return i;
    return s.len;
}

/* key=value at the start of *rest; false: what follows is another thing. */
static bool
next_of_text(struct slice *rest, bool onward, struct field *field)
{
    size_t n = 0;

    while (n < rest->len && (ascii_is_alpha(rest->ptr[n]) ||
                             rest->ptr[n] == '_' || rest->ptr[n] == '-'))
        n++;
    if (n == 0 || n == rest->len || rest->ptr[n] != '=')
        return false;
    field->key = slice_head(*rest, n);
    *rest = slice_tail(*rest, n + 1);
    if (!onward && slice_equal(field->key, SLICE_OF("status")))
        n = rest->len; /* and what the next hop said */
    else if (rest->len != 0 && rest->ptr[0] == '<')
        n = list_length(*rest);
    else if (rest->len != 0 && rest->ptr[0] == '"')
        n = string_length(*rest);
    else
        n = word_length(*rest, onward);
    field->value = slice_head(*rest, n);
    *rest = slice_tail(*rest, n);
    if (rest->len != 0 && rest->ptr[0] == ',')
        *rest = slice_tail(*rest, 1);
    if (rest->len != 0 && rest->ptr[0] == ' ')
        *rest = slice_tail(*rest, 1);
    return n != 0;
}

static void
skip_blanks(struct slice *rest)
{
    while (rest->len != 0 && rest->ptr[0] == ' ')
        *rest = slice_tail(*rest, 1);
}

/* A member of the object that we write: strings, numbers, lists of strings. */
static bool
next_of_json(struct slice *rest, struct field *field)
{
    size_t n;

    if (rest->len != 0 && (rest->ptr[0] == '{' || rest->ptr[0] == ','))
        *rest = slice_tail(*rest, 1);
    skip_blanks(rest);
    if ((n = string_length(*rest)) == 0)
        return false;
    field->key = slice_head(slice_tail(*rest, 1), n - 2);
    *rest = slice_tail(*rest, n);
    if (rest->len == 0 || rest->ptr[0] != ':')
        return false;
    *rest = slice_tail(*rest, 1);
    skip_blanks(rest);
    if (rest->len != 0 && rest->ptr[0] == '"') {
        n = string_length(*rest);
    } else if (rest->len != 0 && rest->ptr[0] == '[') {
        for (n = 1; n < rest->len && rest->ptr[n] != ']';) {
            size_t string = string_length(slice_tail(*rest, n));
            n += string != 0 ? string : 1;
        }
        n = n < rest->len ? n + 1 : 0;
    } else {
        for (n = 0;
             n < rest->len && rest->ptr[n] != ',' && rest->ptr[n] != '}';)
            n++;
    }
    field->value = slice_head(*rest, n);
    *rest = slice_tail(*rest, n);
    return n != 0;
}

static bool
next_field(const struct trace_line *line, struct slice *rest,
           struct field *field)
{
    return line->json ? next_of_json(rest, field)
                      : next_of_text(rest, line->onward, field);
}

/* Postfix ends a line of smtpd with "; from=<a> to=<b> proto=ESMTP helo=<c>".
 * Text of strangers may stand before it, with the same words in it, but only
 * the true end is nothing but fields. */
static struct slice
find_fields(const struct trace_line *line)
{
    static const struct slice mark = SLICE("; from=<");
    struct slice rest = line->text, fields;
    struct field field;

    if (line->json)
        return rest;
    fields = slice_tail(rest, id_at(rest).len);
    if (starts(fields, SLICE_OF(": "))) {
        fields = slice_tail(fields, 2);
        struct slice left = fields;
        if (next_of_text(&left, line->onward, &field))
            return fields;
    }
    while (!line->onward && find_behind(rest, mark, &rest)) {
        size_t at = line->text.len - rest.len - strlen("from=<");
        fields = slice_tail(line->text, at);
        struct slice left = fields;
        while (next_of_text(&left, false, &field))
            continue;
        if (left.len == 0)
            return fields;
    }
    return SLICE_OF("");
}

static bool
find_field(const struct trace_line *line, const char *key, struct slice *value)
{
    struct slice rest = line->fields;
    struct field field;

    while (next_field(line, &rest, &field))
        if (slice_equal(field.key, slice_from(key))) {
            *value = field.value;
            return true;
        }
    return false;
}

/* The octets between the quotes, where there are any. */
static struct slice
unquote(struct slice value)
{
    return value.len >= 2 && value.ptr[0] == '"'
               ? slice_head(slice_tail(value, 1), value.len - 2)
               : value;
}

/* ---- queue ids ---------------------------------------------------------- */

static void
add_link(struct trace_line *line, struct slice id)
{
    if (is_id(id) && line->link_count < TRACE_LINKS_MAX)
        line->links[line->link_count++] = id;
}

/* "queued as ID" in a reply that took a message. */
static void
add_queued_as(struct trace_line *line, struct slice reply)
{
    struct slice rest;

    if (find_behind(reply, SLICE_OF("queued as "), &rest))
        add_link(line, id_at(rest));
}

static void
find_links_of_ours(struct trace_line *line)
{
    struct slice value, status;

    if (find_field(line, "status", &status) &&
        slice_equal(unquote(status), SLICE_OF("sent")) &&
        find_field(line, "reply", &value) &&
        starts(unquote(value), SLICE_OF("2")))
        add_queued_as(line, unquote(value));
    if (find_field(line, "queued", &value))
        for (value = unquote(value); value.len != 0;)
            add_link(line, slice_cut(&value, ','));
}

static void
find_links_of_postfix(struct trace_line *line)
{
    static const struct slice accept = SLICE("proxy-accept: END-OF-MESSAGE: 2");
    struct slice said = slice_tail(line->text, line->own.len + 2);
    struct slice value;

    if (starts(line->text, accept)) {
        const char *end = memmem(line->text.ptr, line->text.len, "; from=<", 8);
        add_queued_as(
            line, end == NULL
                      ? line->text
                      : slice_head(line->text, (size_t)(end - line->text.ptr)));
    }
    if (find_field(line, "status", &value) &&
        starts(value, SLICE_OF("sent (2")))
        add_queued_as(line, value);
    if (find_field(line, "orig_queue_id", &value))
        add_link(line, value);
    /* bounce(8): "sender non-delivery notification: ID" */
    if (line->own.len != 0 &&
        (starts(said, SLICE_OF("sender ")) ||
         starts(said, SLICE_OF("postmaster "))) &&
        find_behind(said, SLICE_OF("notification: "), &value))
        add_link(line, id_at(value));
}

bool
trace_line_parse(struct slice line, struct trace_line *parsed)
{
    struct slice text;
    struct field first;

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
    parsed->json = parsed->onward && text.len != 0 && text.ptr[0] == '{';
    if (parsed->json) {
        if (next_of_json(&text, &first) &&
            slice_equal(first.key, SLICE_OF("id")) &&
            is_id(unquote(first.value)))
            parsed->own = unquote(first.value);
    } else {
        struct slice own = id_at(text);
        if (is_id(own) && own.len < text.len && text.ptr[own.len] == ':')
            parsed->own = own;
    }
    parsed->fields = find_fields(parsed);
    if (parsed->onward)
        find_links_of_ours(parsed);
    else
        find_links_of_postfix(parsed);
    return true;
}

/* ---- addresses ---------------------------------------------------------- */

/* The next address of a list, without its delimiters. */
static bool
next_address(struct slice *list, bool json, struct slice *address)
{
    size_t n = 0;

    while (list->len != 0 && list->ptr[0] != (json ? '"' : '<'))
        *list = slice_tail(*list, 1);
    n = json ? string_length(*list) : group_length(*list);
    if (n == 0)
        return false;
    *address = slice_head(slice_tail(*list, 1), n - 2);
    *list = slice_tail(*list, n);
    return true;
}

/* In Postfix' lines nothing is escaped. */
static bool
is_address(const struct trace_line *line, struct slice written,
           struct slice address)
{
    struct buf plain = { 0 };

    if (!line->onward || slice_find(written, '\\') == written.len)
        return slice_equal_nocase(written, address);
    log_unescape(&plain, line->json ? LOG_ESCAPE_JSON : LOG_ESCAPE_ADDRESS,
                 written);
    bool equal = slice_equal_nocase(buf_slice(&plain), address);
    buf_free(&plain);
    return equal;
}

static bool
list_has(const struct trace_line *line, struct slice list, struct slice address)
{
    struct slice written;

    while (next_address(&list, line->json, &written))
        if (is_address(line, written, address))
            return true;
    return false;
}

/* What smtpd says of a command that its proxy refused:
 * warning: proxy 127.0.0.1:10025 rejected "RCPT TO:<a>": "550 5.7.1 no" */
static bool
read_rejected(const struct trace_line *line, struct slice *path,
              struct slice *reply)
{
    struct slice rest;
    size_t n;

    *path = SLICE_OF("");
    if (line->onward || !starts(line->text, SLICE_OF("warning: proxy ")) ||
        !find_behind(line->text, SLICE_OF(" rejected \""), &rest))
        return false;
    if (starts(rest, SLICE_OF("RCPT TO:")) ||
        starts(rest, SLICE_OF("MAIL FROM:"))) {
        rest = slice_tail(rest, slice_find(rest, ':') + 1);
        if ((n = group_length(rest)) == 0)
            return false;
        *path = slice_head(rest, n);
        rest = slice_tail(rest, n);
    }
    return find_behind(rest, SLICE_OF("\": \""), reply);
}

bool
trace_line_has_address(const struct trace_line *line, struct slice address)
{
    struct slice rest = line->fields, reply;
    struct field field;

    while (next_field(line, &rest, &field))
        if ((slice_equal(field.key, SLICE_OF("from")) ||
             slice_equal(field.key, SLICE_OF("to")) ||
             slice_equal(field.key, SLICE_OF("orig_to")) ||
             slice_equal(field.key, SLICE_OF("srs"))) &&
            list_has(line, field.value, address))
            return true;
    return read_rejected(line, &rest, &reply) && list_has(line, rest, address);
}

/* ---- refusals ----------------------------------------------------------- */

bool
trace_line_is_refusal(const struct trace_line *line, struct slice *recipients,
                      struct slice *reply)
{
    if (!line->onward || line->own.len == 0 ||
        !find_field(line, "reply", reply) ||
        !find_field(line, "orig_to", recipients))
        return false;
    *reply = unquote(*reply);
    if (!starts(*reply, SLICE_OF("4")) && !starts(*reply, SLICE_OF("5")))
        return false;
    *reply = slice_head(*reply, slice_find(*reply, '\\'));
    return reply->len > 3;
}

/* The reply that Postfix' line quotes; false: it quotes none. */
static bool
read_quoted(const struct trace_line *line, struct slice *reply)
{
    struct slice path, status;

    if (line->onward)
        return false;
    if (starts(line->text, SLICE_OF("proxy-reject: ")))
        return find_behind(slice_tail(line->text, strlen("proxy-reject: ")),
                           SLICE_OF(": "), reply);
    if (read_rejected(line, &path, reply))
        return true;
    return find_field(line, "status", &status) &&
           find_behind(status, SLICE_OF(" said: "), reply);
}

bool
trace_line_quotes_refusal(const struct trace_line *line)
{
    struct slice reply;

    return read_quoted(line, &reply);
}

bool
trace_line_quotes(const struct trace_line *line, const struct trace_line *ours,
                  struct slice recipients, struct slice reply)
{
    struct slice quoted, written;
    struct buf plain = { 0 };
    bool found = false;

    if (!read_quoted(line, &quoted) || !starts(quoted, reply))
        return false;
    while (!found && next_address(&recipients, ours->json, &written)) {
        buf_clear(&plain);
        log_unescape(&plain, ours->json ? LOG_ESCAPE_JSON : LOG_ESCAPE_ADDRESS,
                     written);
        found =
            plain.len != 0 && trace_line_has_address(line, buf_slice(&plain));
    }
    buf_free(&plain);
    return found;
}
