/*
 * Rules of `forward.aliases`: globs over the whole address and PCRE2.
 *
 * A glob is a row of literals with a `*` between two of them. Literals are
 * placed from the last to the first, each as far to the right as it goes, so
 * that the first `*` takes the most, as in a regular expression; one pass,
 * no backtracking.
 */
#include "entries.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string.h>

enum {
    CAPTURES = 9
};

/* A regex of an administrator against 320 octets of a stranger: what is not
 * found within these bounds is refused for now (ALIAS_ERROR), not waited
 * for. A few milliseconds at most. */
enum {
    MATCH_LIMIT = 100000,
    DEPTH_LIMIT = 10000,
    HEAP_LIMIT = 4096, /* KiB */
};

struct alias_rule {
    struct slice text; /* as written */
    enum alias_action action;
    struct slice reply;
    struct alias_target *targets;
    size_t target_count;
    unsigned captures; /* how many there are */
    unsigned used;     /* bit n: some target holds $n */

    /* a glob; literals[0] * literals[1] * ... @ domain */
    struct slice *literals;
    struct slice domain;

    /* a regex; NULL: a glob */
    pcre2_code *code;
    pcre2_match_context *limits;
};

/* ---- compiling --------------------------------------------------------- */

static struct slice
lower_copy(struct arena *arena, struct slice s)
{
    char *to = arena_alloc(arena, s.len + 1);

    for (size_t i = 0; i < s.len; i++)
        to[i] = ascii_lower(s.ptr[i]);
    return (struct slice){ to, s.len };
}

/* A literal domain in the form that is compared. */
static bool
fold_domain(struct slice domain, struct arena *arena, struct slice *folded)
{
    if (domain.len != 0 && domain.ptr[0] == '[') {
        *folded = lower_copy(arena, domain);
        return true;
    }
    return smtp_domain_to_ascii(domain, arena, folded);
}

static void
split_glob(struct alias_rule *rule, struct slice local, bool quoted,
           struct arena *arena)
{
    unsigned stars = 0;

    for (size_t i = 0; i < local.len && !quoted; i++)
        stars += local.ptr[i] == '*';
    rule->captures = stars;
    rule->literals = arena_alloc(arena, (stars + 1) * sizeof(struct slice));
    for (unsigned i = 0; i < stars; i++)
        rule->literals[i] = lower_copy(arena, slice_cut(&local, '*'));
    rule->literals[stars] = lower_copy(arena, local);
}

static const char *
compile_glob(struct alias_rule *rule, struct slice match, struct arena *arena)
{
    struct smtp_path path;
    size_t at = slice_find_last(match, '@');

    if (at == match.len)
        return "is no whole address; write local*part@domain";
    if (slice_find(slice_tail(match, at + 1), '*') != match.len - at - 1)
        return "has a \"*\" in the domain; it stands only in the local part";
    /* An asterisk is an ordinary character of a local part (RFC 5322, atext),
     * so a glob reads as the address it is written like. */
    if (!smtp_address_parse(match, arena, &path) || path.domain.len == 0 ||
        !fold_domain(path.domain, arena, &rule->domain))
        return "is not an address";
    split_glob(rule, path.local, match.ptr[0] == '"', arena);
    return NULL;
}

static bool
compile_regex(struct alias_rule *rule, struct slice regex, struct buf *why)
{
    PCRE2_UCHAR text[128];
    PCRE2_SIZE at = 0;
    uint32_t groups = 0;
    int code = 0;

    /* Addresses are valid UTF-8. They are matched in lower case: a capital in
     * the pattern must not mean "never". */
    rule->code =
        pcre2_compile((PCRE2_SPTR)regex.ptr, regex.len,
                      PCRE2_UTF | PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY |
                          PCRE2_NEVER_BACKSLASH_C,
                      &code, &at, NULL);
    if (rule->code == NULL) {
        pcre2_get_error_message(code, text, sizeof(text));
        buf_printf(why, "%s, at offset %zu", (const char *)text, at);
        return false;
    }
    rule->limits = pcre2_match_context_create(NULL);
    if (rule->limits == NULL) {
        pcre2_code_free(rule->code);
        buf_puts(why, "memory is gone");
        return false;
    }
    pcre2_set_match_limit(rule->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(rule->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(rule->limits, HEAP_LIMIT);
    pcre2_pattern_info(rule->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    rule->captures = groups;
    return true;
}

static bool
compile_pattern(struct alias_rule *rule, const struct alias_rule_spec *spec,
                struct arena *arena, const char **field, struct buf *why)
{
    if ((spec->match.ptr == NULL) == (spec->regex.ptr == NULL)) {
        *field = "match";
        buf_puts(why, "an entry wants either match or regex");
        return false;
    }
    if (spec->regex.ptr != NULL) {
        *field = "regex";
        rule->text = arena_copy(arena, spec->regex);
        return compile_regex(rule, spec->regex, why);
    }
    *field = "match";
    rule->text = arena_copy(arena, spec->match);
    const char *problem = compile_glob(rule, spec->match, arena);
    if (problem == NULL)
        return true;
    buf_printf(why, "\"%.*s\" %s", SLICE_ARG(spec->match), problem);
    return false;
}

/* Is $n at local[i]? Its number, or 0. */
static unsigned
placeholder_at(struct slice local, size_t i)
{
    if (local.ptr[i] != '$' || i + 1 >= local.len ||
        !ascii_is_digit(local.ptr[i + 1]))
        return 0;
    return (unsigned)(local.ptr[i + 1] - '0');
}

static bool
check_placeholders(struct alias_rule *rule, struct slice local, struct buf *why)
{
    for (size_t i = 0; i + 1 < local.len; i++) {
        if (local.ptr[i] != '$' || !ascii_is_digit(local.ptr[i + 1]))
            continue;
        unsigned n = placeholder_at(local, i);
        bool longer = i + 2 < local.len && ascii_is_digit(local.ptr[i + 2]);
        if (n == 0 || longer) {
            buf_puts(why, "placeholders are $1 to $9");
            return false;
        }
        if (n > rule->captures) {
            buf_printf(why, "$%u: \"%.*s\" has %u group%s", n,
                       SLICE_ARG(rule->text), rule->captures,
                       rule->captures == 1 ? "" : "s");
            return false;
        }
        rule->used |= 1u << n;
    }
    return true;
}

/* "$" that begins a placeholder. */
static bool
has_placeholder(struct slice text)
{
    for (size_t i = 0; i + 1 < text.len; i++)
        if (text.ptr[i] == '$' && ascii_is_digit(text.ptr[i + 1]))
            return true;
    return false;
}

static bool
compile_target(struct alias_rule *rule, struct slice to, struct arena *arena,
               struct buf *why)
{
    struct alias_target *target = &rule->targets[rule->target_count];
    struct smtp_path path;
    size_t at = slice_find_last(to, '@');

    /* Else what a stranger wrote would choose where mail goes (I6). */
    if (has_placeholder(slice_tail(to, at + 1))) {
        buf_printf(
            why,
            "\"%.*s\": the domain of a target must be literal; write it out",
            SLICE_ARG(to));
        return false;
    }
    const char *problem = alias_target_problem(to, arena, &path);
    if (problem != NULL) {
        bool several = slice_find(to, ',') < slice_find_last(to, '@');
        buf_printf(why, "\"%.*s\" %s%s", SLICE_ARG(to), problem,
                   several ? "; write each one in quotes of its own: ( "
                             "\"a@b.example\", \"c@d.example\" )"
                           : "");
        return false;
    }
    target->local = arena_copy(arena, path.local);
    target->domain = arena_copy(arena, path.domain);
    rule->target_count++;
    return check_placeholders(rule, target->local, why);
}

static bool
compile_targets(struct alias_rule *rule, const struct alias_rule_spec *spec,
                struct arena *arena, struct buf *why)
{
    if (spec->action != ALIAS_FORWARD && spec->to_count != 0) {
        buf_puts(why, "targets belong to action \"forward\"");
        return false;
    }
    if (spec->action == ALIAS_FORWARD && spec->to_count == 0) {
        buf_puts(why, "is missing: an alias forwards to at least one address");
        return false;
    }
    rule->targets = arena_alloc(arena, spec->to_count * sizeof(*rule->targets));
    for (size_t i = 0; i < spec->to_count; i++)
        if (!compile_target(rule, spec->to[i], arena, why))
            return false;
    return true;
}

static bool
compile_reply(struct alias_rule *rule, const struct alias_rule_spec *spec,
              struct arena *arena, struct buf *why)
{
    const char *problem = alias_reply_problem(spec->action, spec->reply);

    rule->reply = arena_copy(arena, spec->reply);
    if (problem == NULL)
        return true;
    buf_printf(why, "\"%.*s\" %s", SLICE_ARG(spec->reply), problem);
    return false;
}

struct alias_rule *
alias_rule_new(const struct alias_rule_spec *spec, struct arena *arena,
               const char **field, struct buf *why)
{
    struct alias_rule *rule = arena_alloc(arena, sizeof(*rule));

    rule->action = spec->action;
    if (!compile_pattern(rule, spec, arena, field, why))
        return NULL;
    *field = "to";
    if (!compile_targets(rule, spec, arena, why))
        goto out;
    *field = "reply";
    if (!compile_reply(rule, spec, arena, why))
        goto out;
    return rule;
out:
    alias_rule_free(rule);
    return NULL;
}

void
alias_rule_free(struct alias_rule *rule)
{
    pcre2_code_free(rule->code);
    pcre2_match_context_free(rule->limits);
    rule->code = NULL;
    rule->limits = NULL;
}

/* ---- matching ---------------------------------------------------------- */

enum match {
    MATCH_NO,
    MATCH_YES,
    MATCH_ERROR
};

/* Where the literal stands last in text[0..end), or SIZE_MAX. */
static size_t
last_place(struct slice text, size_t least, size_t end, struct slice literal)
{
    if (literal.len > end)
        return SIZE_MAX;
    for (size_t at = end - literal.len + 1; at-- > least;)
        if (literal.len == 0 ||
            memcmp(text.ptr + at, literal.ptr, literal.len) == 0)
            return at;
    return SIZE_MAX;
}

static enum match
match_glob(const struct alias_rule *rule, const struct alias_subject *subject,
           struct slice captures[CAPTURES + 1])
{
    struct slice text = subject->local_lower;
    const struct slice *literals = rule->literals;
    unsigned stars = rule->captures;

    if (!slice_equal(subject->domain, rule->domain))
        return MATCH_NO;
    if (stars == 0)
        return slice_equal(text, literals[0]) ? MATCH_YES : MATCH_NO;
    if (text.len < literals[0].len + literals[stars].len ||
        !slice_equal(slice_head(text, literals[0].len), literals[0]))
        return MATCH_NO;
    size_t end = text.len - literals[stars].len;
    if (!slice_equal(slice_tail(text, end), literals[stars]))
        return MATCH_NO;
    /* Captures are what the sender wrote, in its case. */
    for (unsigned i = stars; i-- > 0;) {
        size_t start = literals[0].len;
        size_t at = start;
        if (i > 0) {
            at = last_place(text, start, end, literals[i]);
            if (at == SIZE_MAX)
                return MATCH_NO;
            start = at + literals[i].len;
        }
        if (i < CAPTURES)
            captures[i + 1] =
                slice_head(slice_tail(subject->local, start), end - start);
        end = at;
    }
    return MATCH_YES;
}

static bool
whole_address(const struct alias_subject *subject, struct arena *arena,
              struct slice *whole)
{
    size_t len = subject->local_lower.len + 1 + subject->domain.len;
    char *to = arena_try(arena, len);

    if (to == NULL)
        return false;
    if (subject->local_lower.len != 0)
        memcpy(to, subject->local_lower.ptr, subject->local_lower.len);
    to[subject->local_lower.len] = '@';
    memcpy(to + subject->local_lower.len + 1, subject->domain.ptr,
           subject->domain.len);
    *whole = (struct slice){ to, len };
    return true;
}

static void
copy_captures(const PCRE2_SIZE *at, int pairs, struct slice whole,
              struct slice captures[CAPTURES + 1])
{
    /* A group that took no part has PCRE2_UNSET: it is empty. */
    for (int i = 1; i < pairs && i <= CAPTURES; i++)
        if (at[2 * i] != PCRE2_UNSET && at[2 * i] <= at[2 * i + 1])
            captures[i] = slice_head(slice_tail(whole, at[2 * i]),
                                     at[2 * i + 1] - at[2 * i]);
}

static enum match
match_regex(const struct alias_rule *rule, const struct alias_subject *subject,
            struct arena *arena, struct slice captures[CAPTURES + 1])
{
    struct slice whole;

    if (!whole_address(subject, arena, &whole))
        return MATCH_ERROR;
    pcre2_match_data *data =
        pcre2_match_data_create_from_pattern(rule->code, NULL);
    if (data == NULL)
        return MATCH_ERROR;
    int found = pcre2_match(rule->code, (PCRE2_SPTR)whole.ptr, whole.len, 0, 0,
                            data, rule->limits);
    if (found > 0)
        copy_captures(pcre2_get_ovector_pointer(data), found, whole, captures);
    pcre2_match_data_free(data);
    return found > 0                      ? MATCH_YES
           : found == PCRE2_ERROR_NOMATCH ? MATCH_NO
                                          : MATCH_ERROR;
}

static bool
substitute(struct slice local, const struct slice captures[CAPTURES + 1],
           struct buf *out)
{
    for (size_t i = 0; i < local.len; i++) {
        unsigned n = placeholder_at(local, i);
        struct slice part =
            n != 0 ? captures[n] : (struct slice){ local.ptr + i, 1 };
        if (!buf_try_append(out, part))
            return false;
        i += n != 0;
    }
    return true;
}

static enum alias_status
make_targets(const struct alias_rule *rule,
             const struct slice captures[CAPTURES + 1], struct arena *arena,
             struct alias_hit *hit)
{
    enum alias_status status = ALIAS_HIT;
    struct buf local = { 0 };

    for (unsigned n = 1; n <= CAPTURES; n++)
        if ((rule->used & 1u << n) != 0 && !alias_text_is_plain(captures[n]))
            return ALIAS_BAD_CAPTURE;
    hit->targets = arena_try(arena, rule->target_count * sizeof(*hit->targets));
    if (hit->targets == NULL)
        return ALIAS_ERROR;
    for (size_t i = 0; i < rule->target_count && status == ALIAS_HIT; i++) {
        buf_clear(&local);
        if (!substitute(rule->targets[i].local, captures, &local))
            status = ALIAS_ERROR;
        else
            status = alias_path_make(buf_slice(&local), rule->targets[i].domain,
                                     arena, &hit->targets[i]);
    }
    hit->target_count = rule->target_count;
    buf_free(&local);
    return status;
}

enum alias_status
alias_rule_find(const struct alias_rule *rule,
                const struct alias_subject *subject, struct arena *arena,
                struct alias_hit *hit)
{
    struct slice captures[CAPTURES + 1] = { 0 };
    enum match match = rule->code != NULL
                           ? match_regex(rule, subject, arena, captures)
                           : match_glob(rule, subject, captures);

    if (match != MATCH_YES)
        return match == MATCH_NO ? ALIAS_NONE : ALIAS_ERROR;
    *hit = (struct alias_hit){ .action = rule->action,
                               .reply = rule->reply,
                               .rule = rule->text };
    if (rule->action != ALIAS_FORWARD)
        return ALIAS_HIT;
    return make_targets(rule, captures, arena, hit);
}

/* ---- for alias_list_check ---------------------------------------------- */

bool
alias_rule_sample(const struct alias_rule *rule, struct arena *arena,
                  struct smtp_path *sample)
{
    struct buf local = { 0 };

    if (rule->code != NULL)
        return false;
    for (unsigned i = 0; i <= rule->captures; i++) {
        if (i != 0)
            buf_putc(&local, 'x');
        buf_append(&local, rule->literals[i]);
    }
    bool made = smtp_path_make(buf_slice(&local), rule->domain, arena, sample);
    buf_free(&local);
    return made;
}

size_t
alias_rule_target_count(const struct alias_rule *rule)
{
    return rule->target_count;
}

bool
alias_rule_target(const struct alias_rule *rule, size_t index,
                  struct arena *arena, struct smtp_path *path)
{
    const struct alias_target *target = &rule->targets[index];

    return !has_placeholder(target->local) &&
           smtp_path_make(target->local, target->domain, arena, path);
}

struct slice
alias_rule_text(const struct alias_rule *rule)
{
    return rule->text;
}

/* Of "^list-(.+)@public\\.example$" what stands after the "@". */
static bool
literal_domain(struct slice regex, struct arena *arena, struct slice *domain)
{
    size_t at = slice_find_last(regex, '@');
    struct slice rest = slice_tail(regex, at + 1);
    struct buf text = { 0 };
    bool literal =
        at < regex.len && rest.len > 1 && rest.ptr[rest.len - 1] == '$';

    for (size_t i = 0; literal && i + 1 < rest.len; i++) {
        char c = rest.ptr[i];
        bool escaped = c == '\\' && i + 2 < rest.len;
        if (escaped)
            c = rest.ptr[++i];
        literal =
            ascii_is_alnum(c) ? !escaped : c == '-' || (c == '.' && escaped);
        buf_putc(&text, ascii_lower(c));
    }
    if (literal)
        *domain = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return literal;
}

bool
alias_rule_domain(const struct alias_rule *rule, struct arena *arena,
                  struct slice *domain)
{
    if (rule->code != NULL)
        return literal_domain(rule->text, arena, domain);
    *domain = rule->domain;
    return true;
}
