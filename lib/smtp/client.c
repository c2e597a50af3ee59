#include "client.h"

#include <stdlib.h>

void
smtp_client_open(struct smtp_client *client, struct slice name)
{
    *client = (struct smtp_client){ .name = name };
    buf_putc(&client->expected, SMTP_STEP_GREETING);
}

void
smtp_client_free(struct smtp_client *client)
{
    smtp_reply_parser_free(&client->parser);
    buf_free(&client->expected);
    *client = (struct smtp_client){ 0 };
}

void
smtp_client_resume(struct smtp_client *client, struct slice name,
                   const struct smtp_ehlo *ehlo)
{
    *client = (struct smtp_client){
        .name = name,
        .ehlo = *ehlo,
        .ready = true,
    };
}

bool
smtp_client_expect(struct smtp_client *client, enum smtp_step step)
{
    char octet = (char)step;

    if (client->answered == client->expected.len) {
        buf_clear(&client->expected);
        client->answered = 0;
    }
    return buf_try_append(&client->expected, (struct slice){ &octet, 1 });
}

bool
smtp_client_send(struct smtp_client *client, enum smtp_step step,
                 struct slice command, struct buf *out)
{
    return smtp_client_expect(client, step) && buf_try_append(out, command);
}

size_t
smtp_client_pending(const struct smtp_client *client)
{
    return client->expected.len - client->answered;
}

static bool
say_hello(struct smtp_client *client, enum smtp_step step, struct buf *out)
{
    const char *verb = step == SMTP_STEP_EHLO ? "EHLO" : "HELO";

    if (!smtp_client_expect(client, step))
        return false;
    buf_printf(out, "%s %.*s\r\n", verb, SLICE_ARG(client->name));
    return true;
}

/* Is a reply of this class possible here? 3xx asks for more input, which only
 * DATA has; 2xx to DATA would leave the two of us out of step. */
static bool
fits(enum smtp_step step, unsigned class)
{
    if (step == SMTP_STEP_DATA)
        return class != 2;
    return class != 3;
}

static enum smtp_client_event
on_reply(struct smtp_client *client, enum smtp_step step,
         const struct smtp_reply *reply, struct buf *out)
{
    unsigned class = reply->code / 100;

    if (!fits(step, class))
        return SMTP_CLIENT_BAD;
    switch (step) {
    case SMTP_STEP_GREETING:
        if (class != 2)
            return SMTP_CLIENT_REFUSED;
        return say_hello(client, SMTP_STEP_EHLO, out) ? SMTP_CLIENT_MORE
                                                      : SMTP_CLIENT_BAD;
    case SMTP_STEP_EHLO:
        if (class == 5)
            return say_hello(client, SMTP_STEP_HELO, out) ? SMTP_CLIENT_MORE
                                                          : SMTP_CLIENT_BAD;
        if (class != 2)
            return SMTP_CLIENT_REFUSED;
        smtp_ehlo_parse(reply, &client->ehlo);
        client->ready = true;
        return SMTP_CLIENT_READY;
    case SMTP_STEP_HELO:
        if (class != 2)
            return SMTP_CLIENT_REFUSED;
        client->ehlo = (struct smtp_ehlo){ 0 };
        client->ready = true;
        return SMTP_CLIENT_READY;
    case SMTP_STEP_XFORWARD:
    case SMTP_STEP_MAIL:
    case SMTP_STEP_RCPT:
    case SMTP_STEP_DATA:
    case SMTP_STEP_DOT:
    case SMTP_STEP_RSET:
    case SMTP_STEP_QUIT:
        return SMTP_CLIENT_REPLY;
    }
    abort();
}

static enum smtp_client_event
take(struct smtp_client *client, struct slice *in, struct buf *out,
     enum smtp_step *step, struct smtp_reply *reply)
{
    while (in->len != 0) {
        if (smtp_client_pending(client) == 0)
            return SMTP_CLIENT_BAD; /* unasked, if only a part of a reply */
        client->parser.keep_all =
            client->expected.ptr[client->answered] == SMTP_STEP_EHLO;
        switch (smtp_reply_take(&client->parser, in, reply)) {
        case SMTP_REPLY_MORE:
            return SMTP_CLIENT_MORE;
        case SMTP_REPLY_BAD:
            return SMTP_CLIENT_BAD;
        case SMTP_REPLY_DONE:
            break;
        }
        *step = (enum smtp_step)client->expected.ptr[client->answered++];
        /* What stands behind the last reply that we wait for answers nothing.
         * It may be read only after the caller has sent more, so it is judged
         * here; but a reply to the final dot counts all the same. */
        client->broken = smtp_client_pending(client) == 0 && in->len != 0;
        enum smtp_client_event event = on_reply(client, *step, reply, out);
        if (event != SMTP_CLIENT_MORE)
            return event;
        if (client->broken)
            return SMTP_CLIENT_BAD;
    }
    return SMTP_CLIENT_MORE;
}

enum smtp_client_event
smtp_client_take(struct smtp_client *client, struct slice *in, struct buf *out,
                 enum smtp_step *step, struct smtp_reply *reply)
{
    if (client->broken)
        return SMTP_CLIENT_BAD;
    enum smtp_client_event event = take(client, in, out, step, reply);
    if (event == SMTP_CLIENT_BAD)
        client->broken = true;
    return event;
}
