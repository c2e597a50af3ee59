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
    size_t start = result->notes.len;
    va_list args;

    va_start(args, format);
    buf_vprintf(&result->notes, format, args);
    va_end(args);
    for (size_t i = start; i < result->notes.len; i++)
        if (ascii_is_control(result->notes.ptr[i]))
            result->notes.ptr[i] = '?';
    buf_putc(&result->notes, '\n');
}

void
import_string(struct buf *out, struct slice text)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\') {
            buf_putc(out, '\\');
            buf_putc(out, c);
        } else if (ascii_is_control(c)) {
            buf_printf(out, "\\x%02x", (unsigned)(unsigned char)c);
        } else {
            buf_putc(out, c);
        }
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
