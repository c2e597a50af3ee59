/* `dkim sign`: a message as it would be sent, by the same functions. */
#include "dkimwork.h"

#include "relay.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* The listener of that name; without a name the first that signs as the
 * author. */
static const struct conf_listener *
find_listener(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->listener_count; i++) {
        const struct conf_listener *listener = &conf->listeners[i];
        if (name != NULL ? slice_equal(listener->name, slice_from(name))
                         : listener->role == CONF_OUTBOUND)
            return listener;
    }
    if (name != NULL)
        cli_error("%s: there is no listener of that name", name);
    else if (conf->listener_count != 0)
        return &conf->listeners[0];
    else
        cli_error("there is no listener");
    return NULL;
}

/* What DATA makes of content: a bare CR is a space. NULL, or why it would be
 * refused. */
static const char *
normalize(struct buf *message)
{
    for (size_t i = 0; i < message->len; i++) {
        char c = message->ptr[i];
        bool lf_follows = i + 1 < message->len && message->ptr[i + 1] == '\n';
        if (c == '\0')
            return "holds a NUL, which is refused";
        if (c == '\n' && (i == 0 || message->ptr[i - 1] != '\r'))
            return "holds a bare LF, which is refused; lines end in CRLF";
        if (c == '\r' && !lf_follows)
            message->ptr[i] = ' ';
    }
    if (message->len == 0 || message->ptr[message->len - 1] != '\n')
        buf_puts(message, "\r\n");
    return NULL;
}

static const char *
judge(const struct conf *conf, const struct mail_header *header)
{
    if (header->length > conf->limits.header_size)
        return "has a header over limits.header_size";
    if (header->oddities & MAIL_MANY_FIELDS)
        return "has a header of too many fields";
    if (mail_trace_hops(header) > conf->limits.hops)
        return "has more Received fields than limits.hops";
    return NULL;
}

static bool
complete_header(const struct conf *conf, const struct mail_header *header,
                int64_t now, struct buf *fields)
{
    uint64_t unique = 0;

    if (mail_header_count(header, SLICE_OF("Date")) == 0)
        mail_date_print(now, fields);
    if (mail_header_count(header, SLICE_OF("Message-ID")) != 0)
        return true;
    if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
        return false;
    mail_message_id_print(now, unique, conf->hostname, fields);
    return true;
}

/* The signatures, and the fields below them. */
static bool
sign(const struct conf *conf, const struct relay_signing *signing,
     const struct mail_header *header, struct slice message,
     struct relay_sign_part *part)
{
    struct mail_spools spools = { .limit = UINT64_MAX };
    struct mail_spool spool = { 0 };
    struct relay_sign_job job = { .spool = &spool,
                                  .header = header,
                                  .conf = conf,
                                  .now = (int64_t)time(NULL),
                                  .parts = part,
                                  .part_count = 1 };

    part->key_count = signing->key_count;
    memcpy(part->keys, signing->keys, sizeof(part->keys));
    mail_spool_init(&spool, message.len, NULL, &spools);
    bool ok = complete_header(conf, header, job.now, &part->prepended) &&
              mail_spool_write(&spool, message) == MAIL_SPOOL_OK;
    if (ok)
        relay_sign(&job);
    mail_spool_free(&spool);
    return ok && job.ok;
}

static int
print_signed(const struct conf *conf, const struct conf_listener *listener,
             struct slice original, struct slice message,
             const struct mail_header *header)
{
    struct relay_sign_part part = { 0 };
    struct relay_signing signing = { 0 };
    struct relay_signing_input input = {
        .role = listener->role,
        .header = header,
        .related = true, /* there is no envelope */
    };
    struct arena arena = { 0 };
    int code = CLI_OK;

    const char *why = relay_choose_keys(conf, &input, &arena, &signing);
    if (why != NULL) {
        cli_error("not signed: %s (listener %.*s)", why,
                  SLICE_ARG(listener->name));
        dkim_print(original);
    } else if (sign(conf, &signing, header, message, &part)) {
        dkim_print(buf_slice(&part.signatures));
        dkim_print(buf_slice(&part.prepended));
        dkim_print(message);
    } else {
        cli_error("the message cannot be signed now");
        code = CLI_TRY_AGAIN;
    }
    buf_free(&part.signatures);
    buf_free(&part.prepended);
    arena_free(&arena);
    return code;
}

static int
sign_message(const struct conf *conf, const struct conf_listener *listener,
             struct slice original, const char *path)
{
    struct buf message = { 0 };
    struct mail_header header = { 0 };
    int code = CLI_BAD_DATA;

    buf_append(&message, original);
    const char *refused = normalize(&message);
    if (refused == NULL && !mail_header_index(buf_slice(&message), &header))
        refused = "is too large for the memory there is";
    if (refused == NULL)
        refused = judge(conf, &header);
    if (refused != NULL)
        cli_error("%s %s", strcmp(path, "-") == 0 ? "the message" : path,
                  refused);
    else
        code = print_signed(conf, listener, original, buf_slice(&message),
                            &header);
    mail_header_free(&header);
    buf_free(&message);
    return code;
}

int
dkim_sign_file(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "listener", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 },
    };
    const char *name = NULL;
    struct buf original = { 0 };
    int code = CLI_USAGE;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter != 'l')
            return cli_usage("dkim sign");
        name = optarg;
    }
    if (argc - optind != 1)
        return cli_usage("dkim sign");
    struct conf *conf = cli_load(cli); /* works without any key */
    if (conf == NULL)
        return CLI_BAD_CONF;
    const struct conf_listener *listener = find_listener(conf, name);
    if (listener != NULL)
        code = cli_read_most(argv[optind], CLI_LARGE_MIB, &original)
                   ? sign_message(conf, listener, buf_slice(&original),
                                  argv[optind])
                   : CLI_BAD_DATA;
    conf_unref(conf);
    buf_free(&original);
    return code;
}
