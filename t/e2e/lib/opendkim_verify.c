/* What OpenDKIM says: each signature of each message file, against records in
 * a file ("NAME VALUE" lines). Built by t/e2e/dkim-verify.t where libopendkim
 * is installed. Prints "FILE SELECTOR pass|REASON". */
#include <dkim.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *
read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *octets = malloc(16 * 1024 * 1024);

    if (file == NULL || octets == NULL) {
        perror(path);
        exit(1);
    }
    *size = fread(octets, 1, 16 * 1024 * 1024, file);
    fclose(file);
    return octets;
}

static void
print_signatures(DKIM *dkim, const char *path)
{
    DKIM_SIGINFO **signatures = NULL;
    int count = 0;

    if (dkim_getsiglist(dkim, &signatures, &count) != DKIM_STAT_OK)
        count = 0;
    for (int i = 0; i < count; i++) {
        bool pass =
            (dkim_sig_getflags(signatures[i]) & DKIM_SIGFLAG_PASSED) != 0 &&
            dkim_sig_getbh(signatures[i]) == DKIM_SIGBH_MATCH;
        printf("%s %s %s\n", path,
               (const char *)dkim_sig_getselector(signatures[i]),
               pass ? "pass"
                    : dkim_sig_geterrorstr(dkim_sig_geterror(signatures[i])));
    }
}

static void
verify(DKIM_LIB *lib, const char *path)
{
    DKIM_STAT status = DKIM_STAT_OK;
    bool test_key = false;
    size_t size = 0;
    unsigned char *octets = read_file(path, &size);
    DKIM *dkim = dkim_verify(lib, (const unsigned char *)"test", NULL, &status);

    if (dkim == NULL)
        exit(1);
    status = dkim_chunk(dkim, octets, size);
    if (status == DKIM_STAT_OK)
        status = dkim_chunk(dkim, NULL, 0);
    if (status == DKIM_STAT_OK)
        dkim_eom(dkim, &test_key);
    print_signatures(dkim, path);
    dkim_free(dkim);
    free(octets);
}

int
main(int argc, char **argv)
{
    DKIM_LIB *lib = dkim_init(NULL, NULL);
    dkim_query_t method = DKIM_QUERY_FILE;

    if (lib == NULL || argc < 2 ||
        dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYMETHOD, &method,
                     sizeof(method)) != DKIM_STAT_OK ||
        dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYINFO, argv[1],
                     strlen(argv[1])) != DKIM_STAT_OK)
        return 1;
    printf("ed25519 %d\n", dkim_libfeature(lib, DKIM_FEATURE_ED25519));
    for (int i = 2; i < argc; i++)
        verify(lib, argv[i]);
    dkim_close(lib);
    return 0;
}
