#include "alone.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double slice_seconds = 0.004;

void
must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static double
cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The clock is read seldom: some units are short. */
static void
run_slice(struct task *task)
{
    double start = cpu_seconds();
    double spent = 0;

    for (uint64_t batch = 1; spent < slice_seconds; batch *= 2) {
        for (uint64_t i = 0; i < batch; i++)
            task->work(task->ctx);
        task->units += batch;
        spent = cpu_seconds() - start;
        if (spent > slice_seconds / 2)
            break;
    }
    task->seconds += spent;
}

void
tasks_run(struct task *tasks, size_t count, double seconds)
{
    bool more = true;

    for (size_t i = 0; i < count; i++)
        tasks[i].work(tasks[i].ctx);
    while (more) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            if (tasks[i].seconds >= seconds)
                continue;
            run_slice(&tasks[i]);
            more = true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const char *key = tasks[i].key[0] != '\0' ? tasks[i].key : "-";
        printf("%s %s %zu %.4f\n", tasks[i].name, key, tasks[i].size,
               tasks[i].seconds * 1e6 / (double)tasks[i].units);
    }
}

static const char header[] =
    "Received: from mail.sender.example (mail.sender.example [192.0.2.7])\r\n"
    "\tby mx.public.example (Postfix) with ESMTPS id 4Wabcd12345\r\n"
    "\tfor <list@public.example>; Mon, 23 Nov 2026 09:30:00 +0000 (UTC)\r\n"
    "Received: by mail.sender.example (Postfix, from userid 1000)\r\n"
    "\tid 9F3B21C0A2; Mon, 23 Nov 2026 09:29:58 +0000 (UTC)\r\n"
    "Date: Mon, 23 Nov 2026 09:29:58 +0000\r\n"
    "From: A Person <person@sender.example>\r\n"
    "To: The List <list@public.example>, Another <another@other.example>\r\n"
    "Cc: Somebody Else <else@third.example>\r\n"
    "Subject: Minutes of the meeting, and what is left to do about it\r\n"
    "Message-ID: <20261123092958.9F3B21C0A2@mail.sender.example>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "X-Mailer: Example 1.0\r\n"
    "\r\n";

static const char *const lines[] = {
    [CONTENT_TEXT] =
        "It was agreed that the next release goes out when it is ready, and\r\n"
        "not before; who finds that this takes long is invited to help with\r\n"
        "it. The list of what is open stands below, sorted by who has it.\r\n"
        "\r\n"
        "  - the tables of addresses, of which there are more every year;\r\n"
        "  - the pages that say what to do when a disk is full.\r\n"
        "\r\n",
    [CONTENT_BASE64] =
        ("VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZyBhbmQgcnVu"
         "cyBvbiA\r\n"),
    [CONTENT_BLANKS] =
        "a  b \t c   d\te  f \t g  \t\r\n  h  i\t\tj   k  \r\n \t\r\n",
};

char *
message_new(enum content content, size_t size, size_t *len)
{
    const char *line = lines[content];
    char *message = malloc(sizeof(header) + size);

    must(message != NULL, "malloc");
    memcpy(message, header, sizeof(header) - 1);
    *len = sizeof(header) - 1;
    for (;;) {
        size_t more = (size_t)(strchr(line, '\n') + 1 - line);
        if (*len + more > size)
            return message;
        memcpy(message + *len, line, more);
        *len += more;
        line += more;
        if (*line == '\0')
            line = lines[content];
    }
}
