#include "import.h"

#include "smtp.h"

void
import_result_free(struct import_result *result)
{
    buf_free(&result->conf);
    buf_free(&result->notes);
}

/* One line, and nothing that moves the cursor, whatever the file holds. */
void
import_note(struct import_result *result, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    for (struct slice rest = buf_slice(&text); rest.len != 0;) {
        size_t n = utf8_shown_length(rest);
        if (n != 0)
            buf_append(&result->notes, slice_head(rest, n));
        else
            buf_putc(&result->notes, '?');
        rest = slice_tail(rest, n != 0 ? n : 1);
    }
    buf_free(&text);
    buf_putc(&result->notes, '\n');
}

void
import_string(struct buf *out, struct slice text)
{
    buf_putc(out, '"');
    while (text.len != 0) {
        size_t shown = utf8_shown_length(text);
        size_t n = shown != 0 ? shown : 1;
        if (text.ptr[0] == '"' || text.ptr[0] == '\\')
            buf_putc(out, '\\');
        if (shown != 0)
            buf_append(out, slice_head(text, n));
        else
            buf_printf(out, "\\x%02x", (unsigned)(unsigned char)text.ptr[0]);
        text = slice_tail(text, n);
    }
    buf_putc(out, '"');
}

void
import_frame(struct buf *out, const char *from)
{
    buf_printf(out,
               "# Made by onward import from %s.\n"
               "listeners = (\n"
               "  { name = \"mx\";         address = \"127.0.0.1:10025\"; "
               "role = \"inbound\";  },\n"
               "  { name = \"submission\"; address = \"127.0.0.1:10027\"; "
               "role = \"outbound\"; }\n"
               ");\n"
               "upstream = { address = \"127.0.0.1:10026\"; };\n",
               from);
}

/* What stands in the line is typed into a shell: it names one file, and one
 * below the key directory. */
void
import_key(struct import_result *result, const struct import_dkim_key *key)
{
    if (!smtp_domain_is_valid(key->domain) ||
        !smtp_domain_is_valid(key->selector) ||
        slice_find(key->path, '\'') < key->path.len) {
        import_note(result,
                    "the key %.*s of domain \"%.*s\", selector \"%.*s\": one "
                    "of these cannot be: left out",
                    SLICE_ARG(key->path), SLICE_ARG(key->domain),
                    SLICE_ARG(key->selector));
        return;
    }
    import_note(result,
                "copy the key: install -D -m 0640 -g onward '%.*s' "
                "'/etc/onward/dkim/%.*s/%.*s.pem'",
                SLICE_ARG(key->path), SLICE_ARG(key->domain),
                SLICE_ARG(key->selector));
}
