#include "import.h"

#include "jsontree.h"
#include "smtp.h"
#include "table.h"

struct job {
    const struct import_haraka *input;
    struct import_result *result;
    struct arena arena;
    const struct json_value *domains;
    bool any; /* a comma is due before the next entry */
};

static struct slice
lower_copy(struct job *job, struct slice text)
{
    char *copy = arena_cstr(&job->arena, text);

    for (size_t i = 0; i < text.len; i++)
        copy[i] = ascii_lower(copy[i]);
    return (struct slice){ copy, text.len };
}

/* ---- srs.ini ---- */

static struct slice
ini_value(struct slice text, const char *name)
{
    while (text.len != 0) {
        struct slice line = slice_cut(&text, '\n');
        if (line.len != 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        struct slice key = slice_trim(slice_cut(&line, '='));
        if (slice_equal(key, slice_from(name)))
            return slice_trim(line);
    }
    return (struct slice){ 0 };
}

static void
put_srs(struct job *job)
{
    struct import_result *result = job->result;
    struct slice domain = ini_value(job->input->srs, "sender_domain");
    struct slice secret = ini_value(job->input->srs, "secret");

    if (domain.len == 0) {
        import_note(result, "srs.ini names no sender_domain: no srs group was "
                            "written; senders are not rewritten");
        return;
    }
    buf_puts(&result->conf, "srs = {\n  domain      = ");
    import_string(&result->conf, domain);
    buf_puts(&result->conf,
             ";\n  secret_file = \"/etc/onward/srs.secret\";\n};\n");
    if (slice_equal(domain, SLICE_OF("yourdomain.me")))
        import_note(result,
                    "srs.ini: sender_domain is still \"yourdomain.me\": put "
                    "your own domain into srs.domain");
    if (slice_equal(secret, SLICE_OF("ChangeThisWithWhateverYouInvented")))
        import_note(result,
                    "srs.ini: the secret is the one that everybody has; make "
                    "a new one");
    import_note(result, "make a secret: (umask 027; openssl rand -base64 24 > "
                        "/etc/onward/srs.secret; chgrp onward "
                        "/etc/onward/srs.secret)");
    import_note(result,
                "SRS addresses that Haraka made cannot be verified by "
                "anybody else: bounces to those of the last weeks are lost");
}

/* ---- rules ---- */

static bool
is_plain(char c)
{
    return ascii_is_alnum(c) || c == '.' || c == '_' || c == '-' || c == '+' ||
           c == '=' || (unsigned char)c >= 0x80;
}

/* Only characters of addresses, and "*". In ".+" the plus is none. */
static bool
is_glob(struct slice name, bool *star)
{
    *star = false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '*')
            *star = true;
        else if (!is_plain(name.ptr[i]) ||
                 (name.ptr[i] == '+' && i != 0 && name.ptr[i - 1] == '.'))
            return false;
    }
    return name.len != 0;
}

/* "fwd.*" was meant with its dot. At the start and behind other punctuation
 * (".*", "fwd-.*") there is no dot to mean: it is a star. */
static void
put_glob(struct slice name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        bool loose = i == 0 || !ascii_is_alnum(name.ptr[i - 1]);
        if (name.ptr[i] == '.' && loose && i + 1 < name.len &&
            name.ptr[i + 1] == '*')
            continue;
        buf_putc(out, name.ptr[i]);
    }
}

static void
put_escaped(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_is_alnum(text.ptr[i]) && (unsigned char)text.ptr[i] < 0x80)
            buf_putc(out, '\\');
        buf_putc(out, text.ptr[i]);
    }
}

/* The plugin saw the local part alone, we see the address: its end is the
 * "@". */
static void
put_expression(struct buf *out, struct slice name)
{
    bool in_class = false;

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '\\' && i + 1 < name.len) {
            buf_putc(out, c);
            buf_putc(out, name.ptr[++i]);
            continue;
        }
        if (c == '[' || c == ']')
            in_class = c == '[';
        if (c == '$' && !in_class)
            buf_puts(out, "(?=@)");
        else
            buf_putc(out, c);
    }
}

/* An expression that is none never matched but as the text it is. */
static bool
is_expression(struct job *job, struct slice pattern)
{
    const struct slice target = SLICE("a@a.example");
    struct alias_rule_spec spec = { .regex = pattern,
                                    .to = &target,
                                    .to_count = 1 };
    const char *field;
    struct buf why = { 0 };
    struct alias_rule *rule = alias_rule_new(&spec, &job->arena, &field, &why);

    if (rule != NULL)
        alias_rule_free(rule);
    buf_free(&why);
    return rule != NULL;
}

static void
put_pattern(struct job *job, const char *kind, struct slice local,
            struct slice domain)
{
    struct buf address = { 0 };

    buf_append(&address, local);
    buf_putc(&address, '@');
    buf_append(&address, domain);
    buf_printf(&job->result->conf, "%s = ", kind);
    import_string(&job->result->conf, buf_slice(&address));
    buf_free(&address);
}

static void
put_regex(struct job *job, const struct buf *pattern)
{
    buf_puts(&job->result->conf, "regex = ");
    import_string(&job->result->conf, buf_slice(pattern));
}

/* The plugin's own meaning: anywhere in the local part, in any case; or the
 * very text. */
static void
print_literal(struct slice name, struct slice domain, struct buf *pattern)
{
    buf_puts(pattern, "(?i)^(?:(?=[^@]*(?:");
    put_expression(pattern, name);
    buf_puts(pattern, "))[^@]*|");
    put_escaped(pattern, name);
    buf_puts(pattern, ")@");
    put_escaped(pattern, domain);
    buf_putc(pattern, '$');
}

static void
print_anchored(struct slice name, struct slice domain, struct buf *pattern)
{
    buf_puts(pattern, "(?i)^(?:");
    put_expression(pattern, name);
    buf_puts(pattern, ")@");
    put_escaped(pattern, domain);
    buf_putc(pattern, '$');
}

static void
narrowed(struct job *job, const struct json_value *rule, struct slice name,
         struct slice domain, const char *how)
{
    import_note(job->result,
                "%.*s:%u: narrowed: \"%.*s\" of %.*s matched anywhere in the "
                "local part, in any case; %s (--literal keeps the old "
                "meaning)",
                SLICE_ARG(job->input->aliases_name), rule->line,
                SLICE_ARG(name), SLICE_ARG(domain), how);
}

/* A name with "*" or none of the signs of an expression. */
static void
put_simple(struct job *job, const struct json_value *rule, struct slice name,
           struct slice domain, bool star)
{
    struct buf glob = { 0 };

    put_glob(name, &glob);
    put_pattern(job, "match", buf_slice(&glob), domain);
    if (!slice_equal(buf_slice(&glob), SLICE_OF("*")))
        narrowed(job, rule, name, domain,
                 star ? "now \".\" is a dot and the whole local part has to "
                        "match"
                      : "now only that very name does");
    buf_free(&glob);
}

static void
put_match(struct job *job, const struct json_value *rule, struct slice name,
          struct slice domain)
{
    bool star;
    struct buf pattern = { 0 };
    bool literal = job->input->meaning == IMPORT_LITERAL;

    if (slice_equal(name, SLICE_OF("*"))) {
        put_pattern(job, "match", name, domain);
        return;
    }
    if (!literal && is_glob(name, &star)) {
        put_simple(job, rule, name, domain, star);
        return;
    }
    if (literal)
        print_literal(name, domain, &pattern);
    else
        print_anchored(name, domain, &pattern);
    if (!is_expression(job, buf_slice(&pattern))) {
        buf_clear(&pattern);
        buf_puts(&pattern, "^");
        put_escaped(&pattern, lower_copy(job, name));
        buf_putc(&pattern, '@');
        put_escaped(&pattern, domain);
        buf_putc(&pattern, '$');
        import_note(job->result,
                    "%.*s:%u: \"%.*s\" is no expression: it matches only "
                    "that very text, as before",
                    SLICE_ARG(job->input->aliases_name), rule->line,
                    SLICE_ARG(name));
    } else if (!literal && !(name.len > 1 && name.ptr[0] == '^' &&
                             name.ptr[name.len - 1] == '$')) {
        narrowed(job, rule, name, domain,
                 "now the whole local part has to match");
    }
    put_regex(job, &pattern);
    buf_free(&pattern);
}

static bool
is_alias_domain(const struct job *job, struct slice domain)
{
    for (const struct json_value *d = job->domains->first; d != NULL;
         d = d->next)
        if (slice_equal_nocase(d->name, domain))
            return true;
    return false;
}

static void
put_target(struct job *job, const struct json_value *target, bool *first)
{
    struct smtp_path path;

    if (target->kind != JSON_IS_STRING ||
        !smtp_address_parse(target->text, &job->arena, &path)) {
        import_note(job->result,
                    "%.*s:%u: a target is no address: \"%.*s\": left out",
                    SLICE_ARG(job->input->aliases_name), target->line,
                    SLICE_ARG(target->text));
        return;
    }
    if (is_alias_domain(job, path.domain))
        import_note(job->result,
                    "%.*s:%u: the target %.*s is in an alias domain: its own "
                    "rules are asked here, as Haraka did not",
                    SLICE_ARG(job->input->aliases_name), target->line,
                    SLICE_ARG(path.text));
    buf_puts(&job->result->conf, *first ? " " : ", ");
    *first = false;
    import_string(&job->result->conf, path.text);
}

/* Where nothing of it is an address, mail is refused: a later catch-all was
 * not meant. */
static void
put_targets(struct job *job, const struct json_value *rule,
            const struct json_value *to)
{
    struct buf *out = &job->result->conf;
    size_t before = out->len;
    bool first = true;

    buf_puts(out, "; to = (");
    if (to->kind == JSON_IS_ARRAY)
        for (const struct json_value *t = to->first; t != NULL; t = t->next)
            put_target(job, t, &first);
    else
        put_target(job, to, &first);
    if (!first) {
        buf_puts(out, " ); }");
        return;
    }
    out->len = before;
    buf_puts(out, "; action = \"reject\"; }");
    import_note(job->result,
                "%.*s:%u: a rule whose forward_to names no address: mail to "
                "it is rejected",
                SLICE_ARG(job->input->aliases_name), rule->line);
}

static bool
is_true(const struct json_value *value)
{
    return value != NULL && value->kind == JSON_IS_TRUE;
}

static void
put_comment(struct job *job, const struct json_value *text)
{
    struct buf *out = &job->result->conf;

    if (text == NULL || text->kind != JSON_IS_STRING || text->text.len == 0)
        return;
    buf_puts(out, "    # ");
    for (size_t i = 0; i < text->text.len; i++)
        buf_putc(out,
                 ascii_is_control(text->text.ptr[i]) ? ' ' : text->text.ptr[i]);
    buf_putc(out, '\n');
}

static void
put_rule(struct job *job, const struct json_value *rule, struct slice domain)
{
    const struct json_value *name = json_get(rule, "local_name");
    const struct json_value *to = json_get(rule, "forward_to");
    struct buf *out = &job->result->conf;
    bool disabled = is_true(json_get(rule, "disable"));

    if (name == NULL || name->kind != JSON_IS_STRING ||
        (to == NULL && !disabled)) {
        import_note(job->result,
                    "%.*s:%u: a rule without local_name or forward_to: left "
                    "out",
                    SLICE_ARG(job->input->aliases_name), rule->line);
        return;
    }
    buf_puts(out, job->any ? ",\n" : "\n");
    job->any = true;
    put_comment(job, json_get(rule, "__DESCRIPTION__"));
    buf_puts(out, "    { ");
    put_match(job, rule, name->text, domain);
    if (disabled) {
        buf_puts(out, "; action = \"reject\"; }");
        return;
    }
    put_targets(job, rule, to);
    if (json_get(rule, "accept_when_match") != NULL ||
        json_get(rule, "discard_income_mail") != NULL)
        import_note(job->result,
                    "%.*s:%u: accept_when_match and discard_income_mail never "
                    "did anything: left out",
                    SLICE_ARG(job->input->aliases_name), rule->line);
}

static void
put_domain(struct job *job, const struct json_value *rules)
{
    struct slice domain = lower_copy(job, rules->name);

    if (!slice_equal(domain, rules->name))
        import_note(job->result,
                    "%.*s:%u: \"%.*s\" has capitals, so it never matched; it "
                    "does now",
                    SLICE_ARG(job->input->aliases_name), rules->line,
                    SLICE_ARG(rules->name));
    if (!smtp_domain_is_valid(domain)) {
        import_note(job->result, "%.*s:%u: \"%.*s\" is no domain: left out",
                    SLICE_ARG(job->input->aliases_name), rules->line,
                    SLICE_ARG(domain));
        return;
    }
    if (rules->kind == JSON_IS_OBJECT) { /* a single rule, as some write it */
        put_rule(job, rules, domain);
        return;
    }
    for (const struct json_value *rule = rules->first; rule != NULL;
         rule = rule->next)
        put_rule(job, rule, domain);
}

static void
put_aliases(struct job *job)
{
    unsigned line;
    const char *why;
    const struct json_value *root =
        json_read(job->input->aliases, &job->arena, &line, &why);

    if (root == NULL) {
        import_note(job->result, "%.*s:%u: %s",
                    SLICE_ARG(job->input->aliases_name), line, why);
        job->result->failed = true;
        return;
    }
    const struct json_value *domains = json_get(root, "alias");
    if (domains == NULL || domains->kind != JSON_IS_OBJECT) {
        import_note(job->result, "%.*s: there is no object \"alias\" in it",
                    SLICE_ARG(job->input->aliases_name));
        job->result->failed = true;
        return;
    }
    job->domains = domains;
    buf_puts(&job->result->conf, "  aliases = (");
    for (const struct json_value *d = domains->first; d != NULL; d = d->next)
        put_domain(job, d);
    buf_puts(&job->result->conf, "\n  );\n");
}

static void
put_host_list(struct job *job)
{
    struct slice text = job->input->host_list;
    struct buf *out = &job->result->conf;
    bool first = true;

    buf_puts(out, "  local_domains = (");
    while (text.len != 0) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        if (line.len != 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (!smtp_domain_is_valid(line))
            continue;
        buf_puts(out, first ? " " : ", ");
        first = false;
        import_string(out, lower_copy(job, line));
    }
    buf_puts(out, first ? ");\n" : " );\n");
}

void
import_haraka(const struct import_haraka *input, struct import_result *result)
{
    struct job job = { .input = input, .result = result };

    import_frame(&result->conf, "Haraka");
    buf_puts(&result->conf, "forward = {\n");
    if (input->host_list.ptr != NULL)
        put_host_list(&job);
    if (input->aliases.ptr != NULL) {
        put_aliases(&job);
    } else {
        import_note(result, "there is no rcpt_to.alias_forward: no aliases");
        result->failed = true;
    }
    buf_puts(&result->conf, "};\n");
    if (input->srs.ptr != NULL)
        put_srs(&job);
    else
        import_note(result, "there is no srs.ini: senders are not rewritten");
    import_note(result, "what no rule knows is left to Postfix: its front "
                        "refuses unknown recipients (onward setup)");
    if (input->key_count != 0)
        buf_puts(&result->conf,
                 "dkim = { key_directory = \"/etc/onward/dkim\"; };\n");
    for (size_t i = 0; i < input->key_count; i++)
        import_key(result, &input->keys[i]);
    arena_free(&job.arena);
}
