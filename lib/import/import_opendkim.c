#include "import.h"

#include "smtp.h"

/* ---- opendkim.conf: NAME value ---- */

static struct slice
next_word(struct slice *line)
{
    size_t at = 0;

    *line = slice_trim(*line);
    while (at < line->len && line->ptr[at] != ' ' && line->ptr[at] != '\t')
        at++;
    struct slice word = slice_head(*line, at);
    *line = slice_trim(slice_tail(*line, at));
    return word;
}

static struct slice
next_line(struct slice *text)
{
    struct slice line = slice_cut(text, '\n');

    if (line.len != 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    line = slice_trim(line);
    return line.len != 0 && line.ptr[0] == '#' ? (struct slice){ 0 } : line;
}

static struct slice
setting(struct slice text, const char *name)
{
    struct slice value = { 0 };

    while (text.len != 0) {
        struct slice line = next_line(&text);
        struct slice key = next_word(&line);
        if (slice_equal_nocase(key, slice_from(name)))
            value = line;
    }
    return value;
}

void
import_opendkim_file(struct slice conf, const char *name, struct buf *path)
{
    struct slice value = setting(conf, name);
    size_t colon = slice_find(value, ':');

    /* "refile:/etc/opendkim/SigningTable", "file:..." or a bare path */
    if (colon < value.len && slice_find(value, '/') > colon)
        value = slice_tail(value, colon + 1);
    if (value.len != 0 && value.ptr[0] == '/')
        buf_append(path, value);
}

/* ---- KeyTable and SigningTable ---- */

struct job {
    const struct import_opendkim *input;
    struct import_result *result;
    size_t keys;
};

/* "NAME domain:selector:/path/of/key" */
static bool
parse_key(struct slice line, struct slice *name, struct import_dkim_key *key)
{
    *name = next_word(&line);
    key->domain = slice_cut(&line, ':');
    key->selector = slice_cut(&line, ':');
    key->path = slice_trim(line);
    return key->path.len != 0 && key->selector.len != 0;
}

/* Domains that the table signs with this key; what is not the key's own
 * domain or below it we sign otherwise. */
static void
check_signing(struct job *job, struct slice name,
              const struct import_dkim_key *key)
{
    struct slice text = job->input->signing_table;

    while (text.len != 0) {
        struct slice line = next_line(&text);
        struct slice pattern = next_word(&line);
        if (pattern.len == 0 || !slice_equal(next_word(&line), name))
            continue;
        struct slice domain =
            slice_tail(pattern, slice_find(pattern, '@') < pattern.len
                                    ? slice_find_last(pattern, '@') + 1
                                    : 0);
        if (slice_equal(pattern, SLICE_OF("*")) ||
            slice_equal(pattern, SLICE_OF("*@*"))) {
            import_note(job->result,
                        "SigningTable: \"%.*s\" signs every author with "
                        "d=%.*s: Onward signs only authors of that domain and "
                        "below it",
                        SLICE_ARG(pattern), SLICE_ARG(key->domain));
            continue;
        }
        if (slice_find(domain, '*') < domain.len)
            continue; /* *.example.org: below it */
        if (!slice_equal_nocase(domain, key->domain) &&
            !(slice_ends_nocase(domain, key->domain) &&
              domain.len > key->domain.len &&
              domain.ptr[domain.len - key->domain.len - 1] == '.'))
            import_note(job->result,
                        "SigningTable: authors at %.*s were signed with "
                        "d=%.*s; make a key of their own: onward dkim keygen "
                        "%.*s",
                        SLICE_ARG(domain), SLICE_ARG(key->domain),
                        SLICE_ARG(domain));
        else if (slice_find(pattern, '@') != 0 &&
                 slice_find(pattern, '@') < pattern.len &&
                 pattern.ptr[0] != '*')
            import_note(job->result,
                        "SigningTable: \"%.*s\" named one address; Onward "
                        "signs the whole domain",
                        SLICE_ARG(pattern));
    }
}

static void
take_key(struct job *job, struct slice name, const struct import_dkim_key *key)
{
    if (slice_equal(key->domain, SLICE_OF("%"))) {
        import_note(job->result,
                    "KeyTable: \"%.*s\" takes the author's domain (%%) for "
                    "d=: copy the key once for each domain",
                    SLICE_ARG(name));
        return;
    }
    if (!smtp_domain_is_valid(key->domain)) {
        import_note(job->result, "KeyTable: \"%.*s\" is no domain: left out",
                    SLICE_ARG(key->domain));
        return;
    }
    job->keys++;
    import_key(job->result, key);
    check_signing(job, name, key);
}

static void
take_key_table(struct job *job)
{
    struct slice text = job->input->key_table;
    struct import_dkim_key key;
    struct slice name;

    while (text.len != 0) {
        struct slice line = next_line(&text);
        if (line.len == 0)
            continue;
        if (parse_key(line, &name, &key))
            take_key(job, name, &key);
        else
            import_note(job->result, "KeyTable: not understood: %.*s",
                        SLICE_ARG(line));
    }
}

static void
take_single_key(struct job *job)
{
    struct import_dkim_key key = {
        .domain = setting(job->input->conf, "Domain"),
        .selector = setting(job->input->conf, "Selector"),
        .path = setting(job->input->conf, "KeyFile"),
    };
    struct slice domains = key.domain;

    if (key.path.len == 0 || key.selector.len == 0)
        return;
    while (domains.len != 0) {
        key.domain = slice_trim(slice_cut(&domains, ','));
        take_key(job, (struct slice){ 0 }, &key);
    }
}

static void
note_settings(struct job *job)
{
    static const struct {
        const char *name;
        const char *text;
    } notes[] = {
        { "Canonicalization", "Onward signs relaxed/relaxed" },
        { "SignHeaders", "the default of dkim.headers is proposed instead" },
        { "OversignHeaders", "the default of dkim.oversign holds more" },
        { "SubDomains", "dkim.subdomains is true by default" },
        { "Mode", "Onward signs; verifying stays with what you have" },
        { "InternalHosts", "who is signed for is decided by the listener: "
                           "submission goes to the outbound one" },
        { "ExternalIgnoreList", "there is no such thing here" },
        { "BodyLengths", "l= is never written" },
    };

    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        struct slice value = setting(job->input->conf, notes[i].name);
        if (value.len != 0)
            import_note(job->result, "%s %.*s: %s", notes[i].name,
                        SLICE_ARG(value), notes[i].text);
    }
}

void
import_opendkim(const struct import_opendkim *input,
                struct import_result *result)
{
    struct job job = { .input = input, .result = result };

    take_key_table(&job);
    if (job.keys == 0)
        take_single_key(&job);
    if (job.keys == 0) {
        import_note(result, "no KeyTable and no KeyFile with Domain and "
                            "Selector: there is nothing to import");
        result->failed = true;
    }
    import_frame(&result->conf, "OpenDKIM");
    buf_puts(&result->conf, "dkim = {\n"
                            "  key_directory = \"/etc/onward/dkim\";\n"
                            "  sign_forwarded = false;\n"
                            "};\n");
    note_settings(&job);
    import_note(result, "take OpenDKIM out of Postfix: remove its address from "
                        "smtpd_milters and non_smtpd_milters");
}
