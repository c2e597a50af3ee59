#include "httpanswer.h"

#include "stats.h"
#include "status.h"

struct answer {
    const char *status;
    const char *type;
    struct buf body;
};

static const char plain[] = "text/plain; charset=utf-8";

static void
say(struct answer *answer, const char *status, const char *text)
{
    answer->status = status;
    buf_puts(&answer->body, text);
}

static void
answer_ready(const struct status_view *view, struct answer *answer)
{
    struct buf reasons = { 0 }, warnings = { 0 };

    if (status_ready(view, &reasons, &warnings))
        say(answer, "200 OK", "ready\n");
    else
        say(answer, "503 Service Unavailable", "not ready\n");
    buf_append(&answer->body, buf_slice(&reasons));
    while (warnings.len != 0) {
        size_t len = slice_find(buf_slice(&warnings), '\n') + 1;
        buf_puts(&answer->body, "warning: ");
        buf_append(&answer->body, slice_head(buf_slice(&warnings), len));
        buf_drop(&warnings, len);
    }
    buf_free(&reasons);
    buf_free(&warnings);
}

static void
answer_get(struct stats *stats, struct slice path, struct answer *answer)
{
    struct arena arena = { 0 };
    struct status_view view;

    answer->status = "200 OK";
    if (slice_equal(path, SLICE_OF("/healthz"))) {
        say(answer, "200 OK", "ok\n");
        return;
    }
    stats_view(stats, &arena, &view);
    if (slice_equal(path, SLICE_OF("/readyz"))) {
        answer_ready(&view, answer);
    } else if (slice_equal(path, SLICE_OF("/metrics"))) {
        answer->type = "text/plain; version=0.0.4; charset=utf-8";
        status_metrics(&view, &answer->body);
    } else if (slice_equal(path, SLICE_OF("/status"))) {
        answer->type = "application/json";
        status_json(&view, &answer->body);
    } else if (slice_equal(path, SLICE_OF("/status.txt"))) {
        status_text(&view, &answer->body);
    } else if (slice_equal(path, SLICE_OF("/"))) {
        answer->type = "text/html; charset=utf-8";
        status_page(&view, &answer->body);
    } else {
        say(answer, "404 Not Found",
            "there are /, /metrics, /healthz, /readyz and /status\n");
    }
    arena_free(&arena);
}

void
http_answer(struct stats *stats, enum status_request request, struct slice path,
            bool head, struct buf *out)
{
    struct answer answer = { .type = plain };

    switch (request) {
    case STATUS_REQUEST_GET:
        answer_get(stats, path, &answer);
        break;
    case STATUS_REQUEST_METHOD:
        say(&answer, "405 Method Not Allowed", "GET or HEAD\n");
        break;
    case STATUS_REQUEST_BIG:
        say(&answer, "431 Request Header Fields Too Large",
            "more than 8 KiB\n");
        break;
    case STATUS_REQUEST_FOREIGN:
        say(&answer, "403 Forbidden",
            "Host has to be an address or localhost\n");
        break;
    case STATUS_REQUEST_MORE:
    case STATUS_REQUEST_BAD:
        say(&answer, "400 Bad Request", "not understood\n");
        break;
    }
    buf_printf(out,
               "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
               "Connection: close\r\nCache-Control: no-store\r\n"
               "X-Content-Type-Options: nosniff\r\n"
               "Content-Security-Policy: %s\r\n"
               "Referrer-Policy: no-referrer\r\n%s\r\n",
               answer.status, answer.type, answer.body.len, status_page_policy,
               request == STATUS_REQUEST_METHOD ? "Allow: GET, HEAD\r\n" : "");
    if (!head)
        buf_append(out, buf_slice(&answer.body));
    buf_free(&answer.body);
}
