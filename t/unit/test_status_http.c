/* Requests to the HTTP listener, row by row: the few that are answered, and
 * those that are no business of ours. */
#include "status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define END "\r\n\r\n"

static const struct row {
    const char *name;
    const char *octets;
    enum status_request result;
    const char *path; /* of those to be answered */
    bool head;
} rows[] = {
    { "GET", "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9825" END,
      STATUS_REQUEST_GET, "/metrics", false },
    { "HEAD, and HTTP/1.0 without a Host", "HEAD / HTTP/1.0" END,
      STATUS_REQUEST_GET, "/", true },
    { "a query is no part of the path",
      "GET /x?a=/b HTTP/1.1\r\nhOST:\tlocalhost" END, STATUS_REQUEST_GET, "/x",
      false },
    { "an address of IPv6", "GET / HTTP/1.1\r\nHost: [::1]:9825" END,
      STATUS_REQUEST_GET, "/", false },
    { "an empty Host", "GET / HTTP/1.1\r\nHost:" END, STATUS_REQUEST_GET, "/",
      false },
    { "lines that end in LF", "GET / HTTP/1.1\nHost: localhost\n\n",
      STATUS_REQUEST_GET, "/", false },
    { "another name: DNS was bent to lead here",
      "GET / HTTP/1.1\r\nHost: evil.example:9825" END, STATUS_REQUEST_FOREIGN,
      NULL, false },
    { "a name that begins like ours",
      "GET / HTTP/1.1\r\nHost: localhost.evil.example" END,
      STATUS_REQUEST_FOREIGN, NULL, false },
    { "two Hosts",
      "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example" END,
      STATUS_REQUEST_BAD, NULL, false },
    { "POST", "POST / HTTP/1.1\r\nHost: localhost" END, STATUS_REQUEST_METHOD,
      NULL, false },
    { "a method in lower case", "get / HTTP/1.1\r\nHost: localhost" END,
      STATUS_REQUEST_METHOD, NULL, false },
    { "nothing yet", "", STATUS_REQUEST_MORE, NULL, false },
    { "half a line", "GET /", STATUS_REQUEST_MORE, NULL, false },
    { "half a header", "GET / HTTP/1.1\r\nHost: local", STATUS_REQUEST_MORE,
      NULL, false },
    { "no target", "GET\r\n", STATUS_REQUEST_BAD, NULL, false },
    { "an empty target", "GET  HTTP/1.1\r\n", STATUS_REQUEST_BAD, NULL, false },
    { "a target that is no path", "GET metrics HTTP/1.1\r\n",
      STATUS_REQUEST_BAD, NULL, false },
    { "a target for a proxy", "GET http://evil.example/ HTTP/1.1\r\n",
      STATUS_REQUEST_BAD, NULL, false },
    { "a control character", "GET /\x1b[2J HTTP/1.1\r\n", STATUS_REQUEST_BAD,
      NULL, false },
    { "8 bits", "GET /\xc3\xa9 HTTP/1.1\r\n", STATUS_REQUEST_BAD, NULL, false },
    { "HTTP/2", "PRI * HTTP/2.0\r\n", STATUS_REQUEST_BAD, NULL, false },
    { "no version", "GET /\r\n", STATUS_REQUEST_BAD, NULL, false },
    { "SMTP", "EHLO client.example\r\n", STATUS_REQUEST_BAD, NULL, false },
    { "a field without a colon", "GET / HTTP/1.1\r\nHost" END,
      STATUS_REQUEST_BAD, NULL, false },
    { "a field without a name", "GET / HTTP/1.1\r\n: x" END, STATUS_REQUEST_BAD,
      NULL, false },
    { "a folded field", "GET / HTTP/1.1\r\nHost: localhost\r\n x: y" END,
      STATUS_REQUEST_BAD, NULL, false },
    { "a blank before the colon", "GET / HTTP/1.1\r\nHost : localhost" END,
      STATUS_REQUEST_BAD, NULL, false },
};

static void
judges(void **state)
{
    const struct row *row = *state;
    size_t len = strlen(row->octets);
    char *copy = malloc(len + 1);
    struct slice path = { 0 };
    bool head = !row->head;

    assert_non_null(copy);
    /* In memory that ends with it. */
    memmove(copy + 1, row->octets, len);
    assert_int_equal(
        status_request_parse((struct slice){ copy + 1, len }, &path, &head),
        row->result);
    if (row->path != NULL) {
        assert_true(slice_equal(path, slice_from(row->path)));
        assert_int_equal(head, row->head);
    }
    free(copy);
}

/* Without an end it is too big, be it in the first line or behind it. */
static void
has_a_bound(void **state)
{
    static const char *const beginnings[] = { "GET /",
                                              "GET / HTTP/1.1\r\nX: " };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buf octets = { 0 };
        struct slice path;
        bool head;
        buf_puts(&octets, beginnings[i]);
        while (octets.len < STATUS_REQUEST_MAX - 1)
            buf_putc(&octets, 'x');
        assert_int_equal(status_request_parse(buf_slice(&octets), &path, &head),
                         STATUS_REQUEST_MORE);
        buf_putc(&octets, 'x');
        assert_int_equal(status_request_parse(buf_slice(&octets), &path, &head),
                         STATUS_REQUEST_BIG);
        buf_free(&octets);
    }
}

int
main(void)
{
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0])
    };
    struct CMUnitTest tests[ROWS + 1] = { 0 };

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, judges, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    tests[ROWS] = (struct CMUnitTest)cmocka_unit_test(has_a_bound);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
