/*
 * The client engine against any upstream. Input: pairs of a length and so many
 * octets from upstream; between them we send the next of a fixed series of
 * commands, pipelined or not as the length is odd. There are never more
 * replies than commands, codes belong to their steps, and once it is bad it
 * stays bad.
 */
#include <stdlib.h>
#include <string.h>

#include "smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

struct run {
    struct smtp_client client;
    struct buf out;
    size_t sent; /* commands, and the greeting that is owed */
    size_t replies;
    bool over;
};

static void
check_reply(enum smtp_step step, const struct smtp_reply *reply)
{
    unsigned class = reply->code / 100;

    require(class >= 2 && class <= 5);
    require(class != (step == SMTP_STEP_DATA ? 2 : 3));
    require(utf8_is_valid(reply->text));
    require(slice_find(reply->text, '\r') == reply->text.len);
    require(slice_find(reply->text, '\0') == reply->text.len);
}

static void
hear(struct run *run, struct slice in)
{
    while (in.len != 0 && !run->over) {
        enum smtp_step step;
        struct smtp_reply reply;
        size_t had = in.len;
        bool ready = run->client.ready;
        enum smtp_client_event event =
            smtp_client_take(&run->client, &in, &run->out, &step, &reply);
        switch (event) {
        case SMTP_CLIENT_MORE:
            require(in.len == 0);
            break;
        case SMTP_CLIENT_READY:
            require(!ready && run->client.ready);
            require(smtp_client_pending(&run->client) == 0);
            break;
        case SMTP_CLIENT_REPLY:
            require(ready);
            check_reply(step, &reply);
            require(++run->replies <= run->sent);
            break;
        case SMTP_CLIENT_REFUSED:
            require(!ready);
            require(reply.code >= 400);
            run->over = true;
            break;
        case SMTP_CLIENT_BAD:
            run->over = true;
            in = SLICE_OF("250 Ok\r\n");
            require(smtp_client_take(&run->client, &in, &run->out, &step,
                                     &reply) == SMTP_CLIENT_BAD);
            return;
        }
        require(in.len < had || event != SMTP_CLIENT_MORE);
    }
}

static void
say(struct run *run)
{
    static const struct {
        enum smtp_step step;
        struct slice command;
    } series[] = {
        { SMTP_STEP_XFORWARD, SLICE("XFORWARD NAME=a\r\n") },
        { SMTP_STEP_MAIL, SLICE("MAIL FROM:<>\r\n") },
        { SMTP_STEP_RCPT, SLICE("RCPT TO:<a@b>\r\n") },
        { SMTP_STEP_DATA, SLICE("DATA\r\n") },
        { SMTP_STEP_DOT, SLICE(".\r\n") },
        { SMTP_STEP_RSET, SLICE("RSET\r\n") },
    };
    size_t next = run->sent++ % (sizeof(series) / sizeof(series[0]));

    require(smtp_client_send(&run->client, series[next].step,
                             series[next].command, &run->out));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = { 0 };
    struct slice input = { (const char *)data, size };

    smtp_client_open(&run.client, SLICE_OF("me.example"));
    while (input.len != 0 && !run.over) {
        unsigned length = (unsigned char)input.ptr[0];
        if (run.client.ready)
            say(&run);
        if (run.client.ready && length % 2 != 0)
            say(&run);
        hear(&run, slice_head(slice_tail(input, 1), length / 2));
        input = slice_tail(input, 1 + length / 2);
    }
    smtp_client_free(&run.client);
    buf_free(&run.out);
    return 0;
}
