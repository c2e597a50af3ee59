#include "import.h"

void
import_result_free(struct import_result *result)
{
    buf_free(&result->conf);
    buf_free(&result->notes);
}

void
import_note(struct import_result *result, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(&result->notes, format, args);
    va_end(args);
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

void
import_key(struct import_result *result, const struct import_dkim_key *key)
{
    import_note(result,
                "copy the key: install -D -m 0640 -g onward '%.*s' "
                "'/etc/onward/dkim/%.*s/%.*s.pem'",
                SLICE_ARG(key->path), SLICE_ARG(key->domain),
                SLICE_ARG(key->selector));
}
