/*
 * `verify`: is this message, or this client, what it says it is? Evaluated as
 * the daemon would, without one.
 */
#include "verify.h"

#include "commands.h"
#include "dnsask.h"
#include "smtp.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* As many questions as the machines can ask: a command has no message waiting
 * behind it. */
enum {
    SIGNATURES = 8,
    QUESTIONS = 1000,
    AT_ONCE = 64,
};

/* What `default` means where no configuration is asked. */
static const struct auth_policy default_policy = {
    .fails = AUTH_REJECT,
    .fails_quarantine = AUTH_FORWARD,
    .unauthenticated = AUTH_REJECT,
    .fragile = AUTH_FORWARD,
    .error = AUTH_DEFER,
};

struct request {
    const char *client_ip, *helo, *from, *message, *dns_file;
    int64_t now;
    bool as_json;
    struct spf_client client;
    struct arena arena;
    struct buf content;
    struct mail_header header;
    struct dns_zone *zone;
    struct conf *conf; /* whose dns.servers are asked; NULL: the system's */
};

/* ---- input ------------------------------------------------------------- */

/* IPv6, or IPv4 as ::ffff:a.b.c.d. */
static bool
read_address(const char *text, unsigned char address[16])
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

    memcpy(address, mapped, sizeof(mapped));
    return inet_pton(AF_INET, text, address + sizeof(mapped)) == 1 ||
           inet_pton(AF_INET6, text, address) == 1;
}

/* A path, with or without brackets; what is none of SMTP's is cut at its last
 * "@", so that it can be seen what comes of it. */
static void
read_sender(struct request *r)
{
    struct slice text = slice_trim(slice_from(r->from));
    struct slice in = text;
    struct smtp_path path;

    if (text.len == 0 || slice_equal(text, SLICE_OF("<>")))
        return;
    if (smtp_path_parse(&in, SMTP_REVERSE_PATH, &r->arena, &path) &&
        slice_trim(in).len == 0) {
        r->client.local = path.local;
        r->client.domain = path.domain;
        return;
    }
    if (text.ptr[0] == '<' && text.ptr[text.len - 1] == '>')
        text = slice_head(slice_tail(text, 1), text.len - 2);
    size_t at = slice_find_last(text, '@');
    r->client.local = at < text.len ? slice_head(text, at) : r->client.local;
    r->client.domain = at < text.len ? slice_tail(text, at + 1) : text;
}

/* A file whose first line ends in LF alone is read as text of this system, and
 * its lines get the ends that they have on the wire. */
static void
to_wire(struct buf *content)
{
    size_t first = slice_find(buf_slice(content), '\n');
    struct buf wire = { 0 };

    if (first == content->len ||
        (first != 0 && content->ptr[first - 1] == '\r'))
        return;
    for (size_t i = 0; i < content->len; i++) {
        if (content->ptr[i] == '\n' && (i == 0 || content->ptr[i - 1] != '\r'))
            buf_putc(&wire, '\r');
        buf_putc(&wire, content->ptr[i]);
    }
    buf_free(content);
    *content = wire;
}

static int
read_message(struct request *r)
{
    const char *wrong = NULL;

    if (!cli_read(r->message, &r->content))
        return CLI_BAD_DATA;
    to_wire(&r->content);
    if (!mail_header_index(buf_slice(&r->content), &r->header)) {
        cli_error("%s: there is no memory for its header", r->message);
        return CLI_TRY_AGAIN;
    }
    if (r->header.count == 0)
        wrong = "has no header";
    else if (r->header.oddities & MAIL_MANY_FIELDS)
        wrong = "has a header of too many fields";
    if (wrong == NULL)
        return CLI_OK;
    cli_error("%s %s",
              strcmp(r->message, "-") == 0 ? "the message" : r->message, wrong);
    return CLI_BAD_DATA;
}

static int
read_zone(struct request *r)
{
    struct buf text = { 0 };
    struct buf errors = { 0 };
    bool is_read = cli_read(r->dns_file, &text);

    if (is_read) {
        r->zone =
            dns_zone_read(buf_slice(&text), slice_from(r->dns_file), &errors);
        cli_print(stderr, buf_slice(&errors));
    }
    buf_free(&text);
    buf_free(&errors);
    return r->zone != NULL ? CLI_OK : CLI_BAD_DATA;
}

/* ---- DNS --------------------------------------------------------------- */

/* The questions that are there now, all at once. False: there was none. */
static bool
ask_round(struct request *r, struct auth_evaluation *e)
{
    struct dns_wanted wanted[AT_ONCE];
    size_t tickets[AT_ONCE];
    struct arena arena = { 0 };
    size_t count = 0;

    while (count < AT_ONCE &&
           auth_evaluation_ask(e, &wanted[count].question, &tickets[count]))
        count++;
    if (r->zone == NULL && count != 0)
        dns_ask_any(r->conf, wanted, count, &arena);
    for (size_t i = 0; i < count; i++) {
        if (r->zone != NULL)
            dns_zone_answer(r->zone, &wanted[i].question, &wanted[i].answer);
        auth_evaluation_answer(e, tickets[i], &wanted[i].answer);
    }
    arena_free(&arena);
    return count != 0;
}

/* ---- evaluating -------------------------------------------------------- */

static void
check_signatures(const struct request *r, struct auth_evaluation *e)
{
    struct dkim_verifier *verifier = auth_evaluation_verifier(e);
    struct dkim_bodies *bodies = dkim_bodies_new(verifier, DKIM_BODIES_VERIFY);
    struct slice body = slice_tail(buf_slice(&r->content), r->header.length);

    if (bodies != NULL && dkim_bodies_wanted(bodies) &&
        !dkim_bodies_update(bodies, body))
        cli_error("OpenSSL does not hash");
    if (bodies != NULL)
        dkim_bodies_finish(bodies, NULL);
    dkim_verifier_check(verifier, bodies);
    dkim_bodies_free(bodies);
}

/* False: memory is gone. */
static bool
evaluate(struct request *r, struct auth_evaluation *e)
{
    if (r->client_ip != NULL && !auth_evaluation_client(e, &r->client))
        return false;
    if (r->message != NULL &&
        !auth_evaluation_header(
            e, &r->header,
            slice_head(buf_slice(&r->content), r->header.length)))
        return false;
    while (ask_round(r, e))
        continue;
    if (r->message == NULL)
        return true;
    check_signatures(r, e);
    if (!auth_evaluation_checked(e, AUTH_AS_IT_CAME))
        return false;
    while (ask_round(r, e))
        continue;
    return true;
}

static bool
is_open(struct auth_evaluation *e)
{
    const struct spf_verdict *spf = auth_evaluation_spf(e);
    struct dkim_verifier *verifier = auth_evaluation_verifier(e);
    const struct dmarc_verdict *dmarc = auth_evaluation_dmarc(e);

    return (spf != NULL && spf->result == SPF_TEMPERROR) ||
           (verifier != NULL && dkim_verifier_is_open(verifier)) ||
           (dmarc != NULL && dmarc->result == DMARC_TEMPERROR);
}

static enum auth_arrival
arrive(const struct request *r, const struct auth_evaluation *e)
{
    struct auth_evidence evidence = auth_evaluation_evidence(e);
    struct auth_recipient recipient = {
        .policy = &default_policy,
        .null_sender = r->client_ip != NULL && r->client.domain.len == 0,
        .is_relayed = r->client_ip == NULL,
        .strict_target = true,
    };

    return auth_arrive(auth_outcomes(&evidence), &recipient, 1);
}

static int
verify(struct request *r)
{
    struct auth_settings settings = {
        .signatures = SIGNATURES,
        .questions = QUESTIONS,
        .dkim = DKIM_CHECK_ALL,
        .dmarc = DMARC_ALL,
        .now = r->now,
    };
    struct auth_evaluation *e = auth_evaluation_new(&settings);
    struct buf out = { 0 };
    int code = CLI_TRY_AGAIN;

    if (e != NULL && evaluate(r, e)) {
        struct verified verified = {
            .evaluation = e,
            .client_ip = r->client_ip,
            .has_message = r->message != NULL,
            .has_arc = mail_header_count(&r->header, SLICE_OF("ARC-Seal")) != 0,
        };
        if (r->message != NULL)
            verified.arrival = arrive(r, e);
        if (r->as_json)
            verify_print_json(&verified, &out);
        else
            verify_print_text(&verified, &out);
        cli_print(stdout, buf_slice(&out));
        if (!is_open(e) && verified.arrival != AUTH_ERROR)
            code = CLI_OK;
    } else {
        cli_error("memory is short");
    }
    buf_free(&out);
    auth_evaluation_free(e);
    return code;
}

/* ---- the command ------------------------------------------------------- */

static int
run(const struct cli *cli, struct request *r)
{
    int code = CLI_OK;

    if (r->client_ip != NULL &&
        !read_address(r->client_ip, r->client.address)) {
        cli_error("\"%s\" is not an address of IPv4 or IPv6", r->client_ip);
        return CLI_USAGE;
    }
    r->client.helo = slice_from(r->helo);
    if (r->from != NULL)
        read_sender(r);
    if (r->dns_file != NULL)
        code = read_zone(r);
    if (code == CLI_OK && r->message != NULL)
        code = read_message(r);
    /* A configuration that is there says which servers to ask. */
    if (code == CLI_OK && r->dns_file == NULL &&
        access(cli->conf_path, F_OK) == 0) {
        r->conf = cli_load(cli);
        code = r->conf != NULL ? CLI_OK : CLI_BAD_CONF;
    }
    return code == CLI_OK ? verify(r) : code;
}

int
command_verify(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "client-ip", required_argument, NULL, 'c' },
        { "dns-file", required_argument, NULL, 'd' },
        { "from", required_argument, NULL, 'f' },
        { "helo", required_argument, NULL, 'h' },
        { "json", no_argument, NULL, 'j' },
        { "message", required_argument, NULL, 'm' },
        { "time", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 },
    };
    struct request r = { .now = (int64_t)time(NULL) };
    uint64_t now = 0;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'c':
            r.client_ip = optarg;
            break;
        case 'd':
            r.dns_file = optarg;
            break;
        case 'f':
            r.from = optarg;
            break;
        case 'h':
            r.helo = optarg;
            break;
        case 'j':
            r.as_json = true;
            break;
        case 'm':
            r.message = optarg;
            break;
        case 't':
            if (!slice_to_u64(slice_from(optarg), &now) ||
                now > INT64_MAX / 2) {
                cli_error("\"%s\" is not a time in seconds", optarg);
                return CLI_USAGE;
            }
            r.now = (int64_t)now;
            break;
        default:
            return cli_usage("verify");
        }
    if (optind != argc || (r.client_ip == NULL && r.message == NULL))
        return cli_usage("verify");
    int code = run(cli, &r);
    mail_header_free(&r.header);
    buf_free(&r.content);
    arena_free(&r.arena);
    dns_zone_free(r.zone);
    conf_unref(r.conf);
    return code;
}
