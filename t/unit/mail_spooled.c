#include "mail_spooled.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

char directory[] = "/tmp/test-mail-spool-XXXXXX";

static char
octet_at(uint64_t offset)
{
    return (char)(offset * 131 + offset / 251 + offset / 65521);
}

enum mail_spool_status
fill(struct mail_spool *spool, size_t length, size_t piece)
{
    enum mail_spool_status status = MAIL_SPOOL_OK;
    char *octets = malloc(piece);

    for (size_t at = 0; at < length && status == MAIL_SPOOL_OK;) {
        size_t n = piece < length - at ? piece : length - at;
        for (size_t i = 0; i < n; i++)
            octets[i] = octet_at(at + i);
        status = mail_spool_write(spool, (struct slice){ octets, n });
        at += n;
    }
    free(octets);
    return status;
}

void
check_content(const struct mail_spool *spool, size_t length, size_t window)
{
    char *octets = malloc(window);
    uint64_t at = 0;

    assert_int_equal(spool->length, length);
    for (;;) {
        struct slice got = { 0 };
        assert_true(mail_spool_read(spool, at, octets, window, &got));
        if (got.len == 0)
            break;
        assert_true(got.len <= window);
        for (size_t i = 0; i < got.len; i++)
            if (got.ptr[i] != octet_at(at + i))
                fail_msg("octet %llu differs", (unsigned long long)(at + i));
        at += got.len;
    }
    assert_int_equal(at, length);
    free(octets);
}

size_t
count_files(void)
{
    size_t count = 0;

    for (int fd = 3; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

int
make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL;
}

int
remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}
