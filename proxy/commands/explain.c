/*
 * `explain`: what would become of a recipient, and of a message, without
 * sending anything. The answers are lib/relay's own.
 */
#include "commands.h"

#include "relay.h"
#include "senderstore.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LONGEST_LOCAL_PART = 64
};

struct request {
    const struct conf *conf;
    const struct conf_listener *listener;
    struct smtp_path from;
    struct slice message; /* ptr NULL: none was given */
    struct mail_header header;
    struct relay_named
        named; /* whose name the message bears, if there is one */
    struct senderstore *senders; /* opened when the first token comes */
    int64_t now;
    struct arena arena;
};

/* ---- whose keys would sign ---- */

struct signing {
    const char *why; /* NULL: signed by keys */
    struct relay_signing by;
    struct slice fields; /* h=, when there is a message */
};

static struct slice
tag_value(struct slice field, const char *tag, struct arena *arena)
{
    struct buf value = { 0 };
    size_t at = 0;

    while (at < field.len &&
           !slice_starts_nocase(slice_tail(field, at), slice_from(tag)))
        at++;
    struct slice rest = slice_tail(field, at + strlen(tag));
    rest = slice_head(rest, slice_find(rest, ';'));
    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] != '\r' && rest.ptr[i] != '\n' && rest.ptr[i] != '\t' &&
            rest.ptr[i] != ' ')
            buf_putc(&value, rest.ptr[i]);
    struct slice copy = arena_copy(arena, buf_slice(&value));
    buf_free(&value);
    return copy;
}

/* What an outbound listener completes (RFC 6409, 8) is signed too. */
static void
complete_header(const struct request *r, struct buf *fields)
{
    static const char *const names[] = { "Date", "Message-ID" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (mail_header_count(&r->header, slice_from(names[i])) == 0)
            buf_printf(fields, "%s: added\r\n", names[i]);
}

/* Really sign, and read h= from what came out. */
static void
list_fields(struct request *r, struct signing *signing)
{
    static struct mail_spools spools = { .limit = UINT64_MAX };
    struct mail_spool spool = { 0 };
    struct relay_sign_part part = { .key_count = 1 };
    struct relay_sign_job job = { .spool = &spool,
                                  .header = &r->header,
                                  .conf = r->conf,
                                  .now = r->now,
                                  .parts = &part,
                                  .part_count = 1 };

    part.keys[0] = signing->by.keys[0];
    if (r->listener->role == CONF_OUTBOUND)
        complete_header(r, &part.prepended);
    mail_spool_init(&spool, r->message.len + 1, NULL, &spools);
    if (mail_spool_write(&spool, r->message) == MAIL_SPOOL_OK)
        relay_sign(&job);
    if (job.ok)
        signing->fields =
            tag_value(buf_slice(&part.signatures), " h=", &r->arena);
    buf_free(&part.signatures);
    buf_free(&part.prepended);
    mail_spool_free(&spool);
}

static void
choose(struct request *r, const struct relay_target *target,
       struct signing *signing)
{
    struct relay_signing_input input = {
        .role = r->listener->role,
        .header = &r->header,
        .reverse_path = r->from.text,
        .leaves = target->leaves,
        .srs_domain = target->srs_domain,
        .came_home = target->came_home,
        .own_name = target->own_name,
        .sender_lives_below = r->named.sender_lives_below,
    };

    signing->why = relay_choose_keys(r->conf, &input, &r->arena, &signing->by);
    signing->fields = (struct slice){ 0 };
    if (signing->why == NULL && r->message.ptr != NULL)
        list_fields(r, signing);
}

/* Without a message the author is unknown: say what does not depend on it. */
static bool
is_known(const struct request *r, bool leaves)
{
    return r->message.ptr != NULL ||
           (r->listener->role == CONF_INBOUND && !leaves);
}

static struct mail_header
any_header(void)
{
    static const char text[] = "From: a@author.invalid\r\n";
    static struct mail_field_place from = {
        .length = sizeof(text) - 1,
        .name_length = 4,
        .colon = 4,
    };

    return (struct mail_header){
        .content = text,
        .places = &from,
        .count = 1,
        .complete = true,
    };
}

static const char *
explain_word(const char *why)
{
    static const struct {
        const char *word;
        const char *text;
    } words[] = {
        { "inbound", "an inbound listener signs only what leaves" },
        { "no-keys", "no dkim.key_directory" },
        { "no-key", "no active key for the domain" },
        { "null-sender", "the null reverse-path names nobody" },
        { "own-name", "a stranger says that it is of a domain of ours" },
        { "came-home", "only our own bounces to SRS addresses are signed" },
        { "off", "dkim.sign_forwarded is false" },
        { "from-mismatch", "From and the reverse-path are unrelated" },
        { "no-from", "the message has no From" },
        { "several-from", "the message has several From fields" },
        { "from-unreadable", "From cannot be read with certainty" },
        { "from-disagree", "From names several domains" },
        { "odd-header", "verifiers read this header differently" },
        { "form-feed", "verifiers differ on what white space is" },
        { "huge-field", "Postfix cuts off a field of this length" },
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, why) == 0)
            return words[i].text;
    return why;
}

/* ---- text ---- */

static void
print_signing(const struct signing *signing, const char *what)
{
    cli_say("  sign     %s: ", what);
    if (signing->why != NULL) {
        cli_say("nothing (%s: %s)\n", signing->why, explain_word(signing->why));
        return;
    }
    cli_say("d=%.*s", SLICE_ARG(signing->by.domain));
    for (size_t k = 0; k < signing->by.key_count; k++)
        cli_say(" s=%.*s", SLICE_ARG(signing->by.keys[k]->selector));
    putchar('\n');
    if (signing->fields.len != 0)
        cli_say("  fields   %.*s\n", SLICE_ARG(signing->fields));
}

static void
print_target(const struct request *r, const struct relay_target *target)
{
    struct slice path = target->reverse_path;

    cli_say("  -> %.*s  %s: MAIL FROM:<%.*s>", SLICE_ARG(target->path.text),
            target->leaves ? "leaves" : "stays", SLICE_ARG(path));
    if (!slice_equal(path, r->from.text))
        cli_say(" (%zu of %d)", srs_local_length(path), LONGEST_LOCAL_PART);
    putchar('\n');
}

static void
print_reply(const char *label, const struct relay_explained *e)
{
    struct buf wire = { 0 };

    smtp_reply_print(&e->reply, &wire);
    cli_say("  %-8s %.*s", label, SLICE_ARG(buf_slice(&wire)));
    buf_free(&wire);
    if (e->reason != NULL)
        cli_say("  reason   %s\n", e->reason);
}

static size_t
count_groups(const struct relay_explained *e)
{
    size_t groups = 0;

    for (size_t i = 0; i < e->target_count; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = e->targets[i].leaves == e->targets[k].leaves &&
                   slice_equal(e->targets[i].reverse_path,
                               e->targets[k].reverse_path);
        groups += seen ? 0 : 1;
    }
    return groups;
}

static void
print_step(const struct relay_step *step)
{
    if (slice_equal(step->rule, SLICE_OF("srs")))
        cli_say("  srs      %.*s is genuine: back to its sender\n",
                SLICE_ARG(step->address));
    else
        cli_say("  alias    %.*s matches %.*s  %.*s\n",
                SLICE_ARG(step->address), SLICE_ARG(step->rule),
                SLICE_ARG(step->origin));
}

static void
print_text(struct request *r, struct slice rcpt,
           const struct relay_explained *e)
{
    struct signing signing;

    cli_say("%.*s\n", SLICE_ARG(rcpt));
    for (size_t i = 0; i < e->step_count; i++)
        print_step(&e->steps[i]);
    if (e->fate == RELAY_REFUSE) {
        print_reply("refused", e);
        return;
    }
    if (e->fate == RELAY_DISCARD) {
        cli_say("  discarded by rule\n");
        return;
    }
    if (e->step_count == 0)
        cli_say("  no alias and no SRS address of ours: unchanged\n");
    bool leaves = false, stays = false;
    for (size_t i = 0; i < e->target_count; i++) {
        print_target(r, &e->targets[i]);
        bool first = e->targets[i].leaves ? !leaves : !stays;
        leaves = leaves || e->targets[i].leaves;
        stays = stays || !e->targets[i].leaves;
        if (!first)
            continue;
        const char *what = e->targets[i].leaves ? "leaves" : "stays";
        if (is_known(r, e->targets[i].leaves) ||
            r->listener->role == CONF_INBOUND) {
            choose(r, &e->targets[i], &signing);
            print_signing(&signing, what);
        } else {
            cli_say("  sign     %s: the author decides; give --message\n",
                    what);
        }
    }
    if (e->reason != NULL)
        cli_say("  note     mail with this reverse-path is refused at DATA "
                "(%s)\n",
                e->reason);
    if (count_groups(e) > 1)
        cli_say("  note     %zu upstream transactions\n", count_groups(e));
}

/* ---- JSON ---- */

static const char *
fate_word(const struct relay_explained *e)
{
    switch (e->fate) {
    case RELAY_PASS:
        return "pass";
    case RELAY_FORWARD:
        return "forward";
    case RELAY_REVERSE:
        return "srs-reverse";
    case RELAY_REFUSE:
        return "refuse";
    case RELAY_DISCARD:
        return "discard";
    }
    return "refuse";
}

static void
json_signing(struct json *json, const struct signing *signing)
{
    json_key(json, "sign");
    json_open(json, '{');
    if (signing->why != NULL) {
        json_member(json, "none", slice_from(signing->why));
    } else {
        json_member(json, "domain", signing->by.domain);
        json_key(json, "selectors");
        json_open(json, '[');
        for (size_t k = 0; k < signing->by.key_count; k++)
            json_put_string(json, signing->by.keys[k]->selector);
        json_close(json, ']');
        if (signing->fields.len != 0)
            json_member(json, "fields", signing->fields);
    }
    json_close(json, '}');
}

static void
print_json(struct request *r, struct json *json, struct slice rcpt,
           const struct relay_explained *e)
{
    json_open(json, '{');
    json_member(json, "recipient", rcpt);
    json_member(json, "fate", slice_from(fate_word(e)));
    if (e->reason != NULL)
        json_member(json, "reason", slice_from(e->reason));
    if (e->fate == RELAY_REFUSE) {
        struct buf reply = { 0 };
        buf_printf(&reply, "%u %.*s", e->reply.code, SLICE_ARG(e->reply.text));
        json_member(json, "reply", buf_slice(&reply));
        buf_free(&reply);
    }
    json_key(json, "steps");
    json_open(json, '[');
    for (size_t i = 0; i < e->step_count; i++) {
        json_open(json, '{');
        json_member(json, "address", e->steps[i].address);
        json_member(json, "rule", e->steps[i].rule);
        json_member(json, "origin", e->steps[i].origin);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_key(json, "targets");
    json_open(json, '[');
    for (size_t i = 0; i < e->target_count; i++) {
        const struct relay_target *target = &e->targets[i];
        struct signing signing;
        json_open(json, '{');
        json_member(json, "to", target->path.text);
        json_key(json, "leaves");
        json_put_bool(json, target->leaves);
        json_member(json, "mail_from", target->reverse_path);
        if (is_known(r, target->leaves) || r->listener->role == CONF_INBOUND) {
            choose(r, target, &signing);
            json_signing(json, &signing);
        }
        json_close(json, '}');
    }
    json_close(json, ']');
    json_key(json, "transactions");
    json_put_number(json, count_groups(e));
    json_close(json, '}');
}

/* ---- the command ---- */

static const struct conf_listener *
find_listener(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->listener_count; i++)
        if (name == NULL ||
            slice_equal(conf->listeners[i].name, slice_from(name)))
            return &conf->listeners[i];
    return NULL;
}

/* "a@b", "<a@b>" or "<>". */
static bool
parse_path(const char *text, enum smtp_path_kind kind, struct arena *arena,
           struct smtp_path *path)
{
    struct slice in = slice_from(text);

    if (kind == SMTP_REVERSE_PATH && in.len == 0)
        in = SLICE_OF("<>");
    return smtp_path_parse(&in, kind, arena, path) && slice_trim(in).len == 0;
}

/* A file on disk has LF or CRLF ends; the wire has CRLF. */
static void
to_wire(const struct buf *file, struct buf *wire)
{
    for (size_t i = 0; i < file->len; i++) {
        if (file->ptr[i] == '\n' && (i == 0 || file->ptr[i - 1] != '\r'))
            buf_putc(wire, '\r');
        buf_putc(wire, file->ptr[i]);
    }
}

/* Up to the first empty line; all of it without one. */
static size_t
header_length(struct slice message)
{
    size_t length = mail_header_length(message);

    return length != 0 ? length : message.len;
}

/* The sender that a token stands in for, from the daemon's store. It is never
 * made here: it would be root's, and the daemon shut out of it. */
static struct table_answer
find_stored(void *ctx, struct slice key, struct arena *arena)
{
    struct request *r = ctx;
    struct table_answer answer = { .status = TABLE_MISS };
    struct buf path = { 0 }, sender = { 0 }, why = { 0 };

    buf_printf(&path, "%.*s/senders.lmdb", SLICE_ARG(r->conf->state_directory));
    if (r->senders == NULL && access(buf_cstr(&path), F_OK) == 0) {
        r->senders =
            senderstore_open(r->conf->state_directory, SENDERSTORE_ROOM, &why);
        if (r->senders == NULL)
            answer.status = TABLE_ERROR;
    }
    if (r->senders != NULL)
        answer.status = senderstore_get(r->senders, key, &sender, &why);
    if (answer.status == TABLE_ERROR)
        cli_error("%s", buf_cstr(&why));
    answer.value = arena_copy(arena, buf_slice(&sender));
    buf_free(&path);
    buf_free(&sender);
    buf_free(&why);
    return answer;
}

static int
explain(struct request *r, int count, char **rcpts, bool as_json)
{
    struct buf out = { 0 };
    struct json json = { .out = &out };
    int status = CLI_OK;

    json_open(&json, '{');
    json_member(&json, "from", r->from.text);
    json_member(&json, "listener", r->listener->name);
    json_key(&json, "recipients");
    json_open(&json, '[');
    for (int i = 0; i < count; i++) {
        struct smtp_path rcpt;
        struct relay_explained e;
        if (!parse_path(rcpts[i], SMTP_FORWARD_PATH, &r->arena, &rcpt)) {
            cli_error("\"%s\" is not an address", rcpts[i]);
            status = CLI_USAGE;
            continue;
        }
        relay_explain(r->conf, r->listener->role, &rcpt, &r->from, cli_ask,
                      find_stored, r, r->now, &r->arena, &e);
        if (r->message.ptr != NULL)
            relay_explain_lent(r->conf, r->listener->role, &r->named, &r->from,
                               &e);
        if (e.fate == RELAY_REFUSE && status == CLI_OK)
            status = CLI_NO;
        if (as_json)
            print_json(r, &json, rcpt.text, &e);
        else
            print_text(r, rcpt.text, &e);
    }
    json_close(&json, ']');
    if (count == 0) {
        static const struct relay_target stays;
        struct signing signing;
        choose(r, &stays, &signing);
        if (as_json)
            json_signing(&json, &signing);
        else
            print_signing(&signing, "message");
    }
    json_close(&json, '}');
    if (as_json)
        cli_say("%s\n", buf_cstr(&out));
    buf_free(&out);
    return status;
}

int
command_explain(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "from", required_argument, NULL, 'f' },
        { "listener", required_argument, NULL, 'l' },
        { "message", required_argument, NULL, 'm' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    struct request r = { .now = (int64_t)time(NULL) };
    struct buf file = { 0 }, wire = { 0 };
    const char *from = NULL, *listener = NULL, *message = NULL;
    bool as_json = false;
    int status = CLI_OK;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'f':
            from = optarg;
            break;
        case 'l':
            listener = optarg;
            break;
        case 'm':
            message = optarg;
            break;
        case 'j':
            as_json = true;
            break;
        default:
            return cli_usage("explain");
        }
    if (optind == argc && message == NULL)
        return cli_usage("explain");

    struct conf *conf = cli_load(cli);
    if (conf == NULL)
        return CLI_BAD_CONF;
    r.conf = conf;
    r.listener = find_listener(conf, listener);
    r.header = any_header();
    if (r.listener == NULL) {
        cli_error("no listener is called \"%s\"", listener);
        status = CLI_USAGE;
    } else if (!parse_path(from != NULL ? from : "sender@sender.example",
                           SMTP_REVERSE_PATH, &r.arena, &r.from)) {
        cli_error("\"%s\" is not an address", from);
        status = CLI_USAGE;
    } else if (message != NULL) {
        if (!cli_read_most(message, CLI_LARGE_MIB, &file)) {
            status = CLI_BAD_DATA;
        } else {
            to_wire(&file, &wire);
            r.message =
                (struct slice){ wire.ptr != NULL ? wire.ptr : "", wire.len };
            if (!mail_header_index(r.message, &r.header))
                status = CLI_TRY_AGAIN;
            else
                relay_explain_name(
                    conf, r.listener->role, &r.header,
                    slice_head(r.message, header_length(r.message)), &r.from,
                    cli_ask, &r, &r.arena, &r.named);
        }
    }
    if (status == CLI_OK) {
        if (from == NULL && !as_json && optind < argc)
            cli_say("(no --from: as from <%.*s>)\n", SLICE_ARG(r.from.text));
        status = explain(&r, argc - optind, argv + optind, as_json);
    }
    if (r.message.ptr != NULL)
        mail_header_free(&r.header);
    senderstore_close(r.senders);
    arena_free(&r.arena);
    buf_free(&file);
    buf_free(&wire);
    conf_unref(conf);
    return status;
}
