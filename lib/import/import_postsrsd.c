#include "import.h"

#include "smtp.h"

/* ---- NAME=value (1.x) and name = value (2.x) ---- */

/* Without quotes, and without a comment behind. */
static struct slice
bare_value(struct slice value)
{
    value = slice_trim(value);
    if (value.len != 0 && (value.ptr[0] == '"' || value.ptr[0] == '\'')) {
        char quote = value.ptr[0];
        value = slice_tail(value, 1);
        return slice_head(value, slice_find(value, quote));
    }
    if (value.len != 0 && value.ptr[0] == '{')
        return value;
    return slice_trim(slice_head(value, slice_find(value, '#')));
}

static bool
find_setting(struct slice text, const char *name, struct slice *value)
{
    bool found = false;

    while (text.len != 0) {
        struct slice line = slice_cut(&text, '\n');
        if (line.len != 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        struct slice key = slice_trim(slice_cut(&line, '='));
        if (!slice_equal(key, slice_from(name)))
            continue;
        found = true; /* the last one counts, as in a shell */
        *value = slice_trim(line);
        if (value->len == 0 || value->ptr[0] != '{' ||
            slice_find(*value, '}') < value->len)
            continue;
        /* A list over several lines: up to its brace, or the end of all. */
        struct slice whole = { value->ptr,
                               (size_t)(text.ptr + text.len - value->ptr) };
        *value = slice_head(whole, slice_find(whole, '}'));
    }
    return found;
}

static struct slice
setting(struct slice text, const char *old_name, const char *new_name)
{
    struct slice value = { 0 };

    if (find_setting(text, old_name, &value) ||
        find_setting(text, new_name, &value))
        return bare_value(value);
    return (struct slice){ 0 };
}

void
import_postsrsd_domains_file(struct slice text, struct buf *path)
{
    buf_append(path, setting(text, "-", "domains-file"));
}

/* ---- domains ---- */

struct domains {
    struct import_result *result;
    struct slice first;
    bool any;
};

static void
put_domain(struct domains *domains, struct slice name)
{
    name = slice_trim(name);
    if (name.len != 0 && name.ptr[0] == '.') {
        import_note(domains->result,
                    "\"%.*s\" stands for all sub-domains there: name each "
                    "one in local_domains",
                    SLICE_ARG(name));
        return;
    }
    if (!smtp_domain_is_valid(name))
        return;
    if (!domains->any)
        domains->first = name;
    buf_puts(&domains->result->conf, domains->any ? ", " : " ");
    import_string(&domains->result->conf, name);
    domains->any = true;
}

/* Words between blanks, commas, quotes and braces; a # up to the line's end
 * is a comment. */
static void
put_domains(struct domains *domains, struct slice text)
{
    size_t at = 0;

    while (at < text.len) {
        char c = text.ptr[at];
        if (c == '#') {
            at += slice_find(slice_tail(text, at), '\n');
            continue;
        }
        size_t start = at;
        while (at < text.len &&
               (ascii_is_alnum(text.ptr[at]) || text.ptr[at] == '.' ||
                text.ptr[at] == '-' || (unsigned char)text.ptr[at] >= 0x80))
            at++;
        if (at == start)
            at++;
        else
            put_domain(domains,
                       slice_head(slice_tail(text, start), at - start));
    }
}

/* ---- the rest ---- */

static void
put_number(struct import_result *result, const char *name, struct slice value,
           unsigned least, unsigned most, unsigned usual)
{
    uint64_t number;

    if (!slice_to_u64(value, &number))
        number = usual;
    if (number < least || number > most) {
        import_note(result, "%s %llu: Onward takes %u to %u", name,
                    (unsigned long long)number, least, most);
        number = number < least ? least : most;
    }
    buf_printf(&result->conf, "  %s = %llu;\n", name,
               (unsigned long long)number);
}

void
import_postsrsd(const struct import_postsrsd *input,
                struct import_result *result)
{
    struct slice text = input->text;
    struct domains domains = { .result = result };
    struct slice srs_domain = setting(text, "SRS_DOMAIN", "srs-domain");
    struct slice secret = setting(text, "SRS_SECRET", "secrets-file");
    struct slice separator = setting(text, "SRS_SEPARATOR", "separator");

    import_frame(&result->conf, "PostSRSd");
    buf_puts(&result->conf, "forward = {\n  local_domains = (");
    put_domains(&domains, setting(text, "SRS_EXCLUDE_DOMAINS", "domains"));
    if (input->domains_file.ptr != NULL)
        put_domains(&domains, input->domains_file);
    else if (setting(text, "-", "domains-file").len != 0)
        import_note(result, "domains-file cannot be read: put its names into "
                            "forward.local_domains");
    buf_puts(&result->conf, " );\n};\n");

    if (srs_domain.len == 0)
        srs_domain = domains.first; /* as PostSRSd 2 does */
    if (srs_domain.len == 0) {
        import_note(result, "no SRS domain is set (PostSRSd 1 takes "
                            "mydomain): fill in srs.domain");
        srs_domain = SLICE_OF("srs.example.org");
    }
    if (slice_find(srs_domain, '.') == srs_domain.len)
        import_note(result,
                    "SRS domain \"%.*s\" has no dot: bounces cannot find "
                    "their way to it; put a domain of yours into srs.domain",
                    SLICE_ARG(srs_domain));
    if (secret.len == 0)
        secret = SLICE_OF("/etc/postsrsd.secret");
    buf_puts(&result->conf, "srs = {\n  domain = ");
    import_string(&result->conf, srs_domain);
    buf_puts(&result->conf, ";\n  secret_file = ");
    import_string(&result->conf, secret);
    buf_puts(&result->conf, ";\n  mac = \"classic\";\n");
    put_number(result, "hash_length",
               setting(text, "SRS_HASHLENGTH", "hash-length"), 4, 27, 4);
    put_number(result, "hash_minimum",
               setting(text, "SRS_HASHMIN", "hash-minimum"), 4, 27, 4);
    if (slice_equal(setting(text, "-", "original-envelope"),
                    SLICE_OF("database")))
        buf_puts(&result->conf, "  long_sender = \"store\";\n");
    buf_puts(&result->conf, "};\n");

    if (separator.len != 0 && !slice_equal(separator, SLICE_OF("=")))
        import_note(result,
                    "separator \"%.*s\": Onward writes \"=\" and reads all "
                    "three",
                    SLICE_ARG(separator));
    if (slice_equal(setting(text, "-", "original-envelope"),
                    SLICE_OF("database")))
        import_note(result,
                    "original-envelope = database: senders that PostSRSd "
                    "stored cannot be read back; long ones are stored by "
                    "Onward from now on");
    if (slice_equal(setting(text, "-", "always-rewrite"), SLICE_OF("true")) ||
        slice_equal(setting(text, "-", "always-rewrite"), SLICE_OF("on")))
        import_note(result, "always-rewrite: Onward rewrites only what leaves "
                            "by an alias");
    import_note(result,
                "the secret stays where it is (%.*s); the group onward must "
                "be able to read it: chgrp onward, chmod 0640",
                SLICE_ARG(secret));
    import_note(result, "take PostSRSd out of Postfix: postconf -X "
                        "sender_canonical_maps sender_canonical_classes "
                        "recipient_canonical_maps recipient_canonical_classes");
}
