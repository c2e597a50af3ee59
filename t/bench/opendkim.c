/*
 * What libopendkim needs for the messages that sign.c signs: relaxed/relaxed,
 * rsa-sha256, RSA-2048, the fields that our dkim_default_headers name.
 *
 *   opendkim SECONDS
 */
#include "alone.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <opendkim/dkim.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct job {
    DKIM_LIB *lib;
    char *key; /* PEM */
    char *message;
    size_t len;
};

static void
sign(void *ctx)
{
    const struct job *job = ctx;
    DKIM_STAT status;
    unsigned char field[4096];
    DKIM *dkim =
        dkim_sign(job->lib, (const unsigned char *)"bench", NULL,
                  (dkim_sigkey_t)job->key, (const unsigned char *)"s2048",
                  (const unsigned char *)"public.example", DKIM_CANON_RELAXED,
                  DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256, -1, &status);

    must(dkim != NULL, "dkim_sign");
    char *at = job->message;
    while (strncmp(at, "\r\n", 2) != 0) { /* a field and its folds */
        char *end = at;
        do
            end = strstr(end, "\r\n") + 2;
        while (*end == ' ' || *end == '\t');
        must(dkim_header(dkim, (unsigned char *)at, (size_t)(end - at) - 2) ==
                 DKIM_STAT_OK,
             "dkim_header");
        at = end;
    }
    at += 2;
    must(dkim_eoh(dkim) == DKIM_STAT_OK, "dkim_eoh");
    must(dkim_body(dkim, (unsigned char *)at,
                   job->len - (size_t)(at - job->message)) == DKIM_STAT_OK,
         "dkim_body");
    must(dkim_eom(dkim, NULL) == DKIM_STAT_OK, "dkim_eom");
    must(dkim_getsighdr(dkim, field, sizeof(field), 16) == DKIM_STAT_OK,
         "dkim_getsighdr");
    must(strstr((const char *)field, "From:Sender:Reply-To") != NULL,
         "signing the same fields");
    must(dkim_free(dkim) == DKIM_STAT_OK, "dkim_free");
}

static char *
key_new(void)
{
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    must(pkey != NULL && bio != NULL &&
             PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL),
         "making a key");
    long len = BIO_get_mem_data(bio, &text);
    char *copy = strndup(text, (size_t)len);
    must(copy != NULL, "strndup");
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return copy;
}

int
main(int argc, char **argv)
{
    static const size_t sizes[] = { 1024, 10240, 102400, 1048576 };
    static const char *signed_names[] = { "From",
                                          "Sender",
                                          "Reply-To",
                                          "To",
                                          "Cc",
                                          "Subject",
                                          "Date",
                                          "Message-ID",
                                          "MIME-Version",
                                          "Content-Type",
                                          "Content-Transfer-Encoding",
                                          NULL };
    static const char *oversigned[] = { "From", "To",         "Subject",
                                        "Date", "Message-ID", NULL };
    enum {
        COUNT = sizeof(sizes) / sizeof(sizes[0])
    };
    struct job jobs[COUNT];
    struct task tasks[COUNT];
    DKIM_LIB *lib = dkim_init(NULL, NULL);

    must(argc == 2 && lib != NULL, "dkim_init (usage: opendkim SECONDS)");
    must(dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNHDRS, signed_names,
                      sizeof(char **)) == DKIM_STAT_OK &&
             dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS,
                          oversigned, sizeof(char **)) == DKIM_STAT_OK,
         "dkim_options");
    char *key = key_new();
    for (size_t i = 0; i < COUNT; i++) {
        jobs[i] = (struct job){ .lib = lib, .key = key };
        jobs[i].message = message_new(CONTENT_TEXT, sizes[i], &jobs[i].len);
        tasks[i] = (struct task){ .name = "libopendkim",
                                  .key = "rsa2048",
                                  .size = sizes[i],
                                  .work = sign,
                                  .ctx = &jobs[i] };
    }
    tasks_run(tasks, COUNT, strtod(argv[1], NULL));
    for (size_t i = 0; i < COUNT; i++)
        free(jobs[i].message);
    free(key);
    dkim_close(lib);
    return 0;
}
