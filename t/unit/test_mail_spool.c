#include "mail.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mail_spooled.h"

static struct row {
    const char *name;
    size_t memory_max;
    size_t length;
    size_t piece;
    bool in_file;
} rows[] = {
    { "nothing", MEMORY, 0, 1, false },
    { "one octet", MEMORY, 1, 1, false },
    { "just in memory", MEMORY, 16, 1, false },
    { "just in memory, at once", MEMORY, 16, 16, false },
    { "one octet too many", MEMORY, 17, 1, true },
    { "one octet too many, at once", MEMORY, 17, 17, true },
    { "no memory at all", 0, 1, 1, true },
    { "small pieces", MEMORY, 200000, 7, true },
    { "pieces around a window", MEMORY, 400000, 65535, true },
    { "pieces of a window", MEMORY, 65536 * 3, 65536, true },
    { "pieces over a window", MEMORY, 400000, 65537, true },
    { "all at once", MEMORY, 400000, 400000, true },
    { "the usual threshold", 262144, 262144, 4096, false },
    { "over the usual threshold", 262144, 262145, 4096, true },
};
enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

static void
round_trip(void **state)
{
    static const size_t windows[] = { 1, 13, 4096, 65536, 1000000 };
    const struct row *row = *state;
    struct mail_spools spools = { .limit = 1 << 20 };
    struct mail_spool spool = { 0 };
    size_t files = count_files();

    mail_spool_init(&spool, row->memory_max, directory, &spools);
    assert_int_equal(fill(&spool, row->length, row->piece), MAIL_SPOOL_OK);
    assert_int_equal(spool.file.fd > 0, row->in_file);
    assert_int_equal(spools.used, row->in_file ? row->length : 0);
    assert_int_equal(spools.in_memory, row->in_file ? 0 : row->length);
    if (row->in_file)
        assert_true(spool.memory.cap <= MAIL_SPOOL_WINDOW);
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
        if (windows[i] > 1 || row->length < 1000)
            check_content(&spool, row->length, windows[i]);
    mail_spool_free(&spool);
    assert_int_equal(spools.used, 0);
    assert_int_equal(spools.in_memory, 0);
    spool_files_drop(&spools.files);
    assert_int_equal(count_files(), files);
}

static void
failed_stays_failed(struct mail_spool *spool, struct mail_spools *spools,
                    enum mail_spool_status status, int error)
{
    struct slice got = { 0 };
    char window[16];

    assert_int_equal(spool->status, status);
    assert_int_equal(spool->error, error);
    assert_int_equal(mail_spool_write(spool, SLICE_OF("x")), status);
    assert_false(mail_spool_read(spool, 0, window, sizeof(window), &got));
    assert_int_equal(got.len, 0);
    /* What others need is given back before the spool is freed. */
    assert_int_equal(spool->memory.cap, 0);
    assert_true(spool->file.fd <= 0);
    if (spools != NULL) {
        assert_int_equal(spools->used, 0);
        assert_int_equal(spools->in_memory, 0);
    }
    mail_spool_free(spool);
}

static void
quota_is_shared(void **state)
{
    struct mail_spools spools = { .limit = 100000 };
    struct mail_spool one = { 0 };
    struct mail_spool two = { 0 };

    (void)state;
    mail_spool_init(&one, MEMORY, directory, &spools);
    mail_spool_init(&two, MEMORY, directory, &spools);
    assert_int_equal(fill(&one, 60000, 1000), MAIL_SPOOL_OK);
    assert_int_equal(fill(&two, 60000, 1000), MAIL_SPOOL_FULL);
    assert_int_equal(two.error, EDQUOT);
    assert_int_equal(spools.used, 60000);
    assert_int_equal(fill(&one, 40000, 40000), MAIL_SPOOL_OK);
    assert_int_equal(spools.used, 100000);
    assert_int_equal(mail_spool_write(&one, SLICE_OF("x")), MAIL_SPOOL_FULL);
    mail_spool_free(&two);
    failed_stays_failed(&one, &spools, MAIL_SPOOL_FULL, EDQUOT);
    assert_int_equal(spools.files.count, 0);
}

static void
quota_before_the_file(void **state)
{
    struct mail_spools spools = { .limit = 10 };
    struct mail_spool spool = { 0 };

    (void)state;
    mail_spool_init(&spool, MEMORY, directory, &spools);
    assert_int_equal(fill(&spool, 16, 1), MAIL_SPOOL_OK);
    assert_int_equal(mail_spool_write(&spool, SLICE_OF("x")), MAIL_SPOOL_FULL);
    failed_stays_failed(&spool, &spools, MAIL_SPOOL_FULL, EDQUOT);
}

static void
memory_only(void **state)
{
    struct mail_spool spool = { 0 };

    (void)state;
    mail_spool_init(&spool, MEMORY, NULL, NULL);
    assert_int_equal(fill(&spool, 16, 3), MAIL_SPOOL_OK);
    check_content(&spool, 16, 5);
    assert_int_equal(mail_spool_write(&spool, SLICE_OF("x")), MAIL_SPOOL_FULL);
    failed_stays_failed(&spool, NULL, MAIL_SPOOL_FULL, ENOMEM);
}

static void
no_directory(void **state)
{
    struct mail_spools spools = { .limit = 1000 };
    struct mail_spool spool = { 0 };

    (void)state;
    mail_spool_init(&spool, MEMORY, "/nonexistent/spool", &spools);
    assert_int_equal(fill(&spool, 16, 1), MAIL_SPOOL_OK);
    assert_int_equal(mail_spool_write(&spool, SLICE_OF("x")), MAIL_SPOOL_FULL);
    failed_stays_failed(&spool, &spools, MAIL_SPOOL_FULL, ENOENT);
}

/* A full disk: the file may have 100,000 octets and no more. The write that
 * reaches the limit comes short; the next one fails. */
static void
full_disk(void **state)
{
    struct rlimit before = { 0 };
    struct mail_spools spools = { .limit = 1 << 20 };
    struct mail_spool spool = { 0 };

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = { 100000, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    mail_spool_init(&spool, MEMORY, directory, &spools);
    enum mail_spool_status status = fill(&spool, 300000, 1000);
    enum mail_spool_status again = mail_spool_write(&spool, SLICE_OF("x"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, MAIL_SPOOL_FULL);
    assert_int_equal(again, MAIL_SPOOL_FULL);
    failed_stays_failed(&spool, &spools, MAIL_SPOOL_FULL, EFBIG);
}

/* A descriptor that cannot be written to stands for a broken disk. */
static void
broken_disk(void **state)
{
    struct mail_spools spools = { .limit = 1 << 20 };
    struct mail_spool spool = { 0 };

    (void)state;
    mail_spool_init(&spool, MEMORY, directory, &spools);
    assert_int_equal(fill(&spool, 1000, 1000), MAIL_SPOOL_OK);
    int broken = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(dup3(broken, spool.file.fd, O_CLOEXEC) >= 0);
    close(broken);
    assert_int_equal(fill(&spool, 100000, 100000), MAIL_SPOOL_FAILED);
    failed_stays_failed(&spool, &spools, MAIL_SPOOL_FAILED, EBADF);
}

/* The file is shorter than what was written: that is said, not served. */
static void
short_read(void **state)
{
    struct mail_spool spool = { 0 };
    struct slice got = { 0 };
    char window[4096];

    (void)state;
    mail_spool_init(&spool, MEMORY, directory, NULL);
    assert_int_equal(fill(&spool, 200000, 100000), MAIL_SPOOL_OK);
    assert_int_equal(ftruncate(spool.file.fd, 5000), 0);
    assert_true(mail_spool_read(&spool, 0, window, sizeof(window), &got));
    assert_false(mail_spool_read(&spool, 4096, window, sizeof(window), &got));
    assert_int_equal(got.len, 0);
    mail_spool_free(&spool);
}

/* When the heap gives nothing, the file takes it. */
static void
heap_gone(void **state)
{
    (void)state;
    for (size_t n = 1; n < 6; n++) {
        struct mail_spools spools = { .limit = 1 << 20 };
        struct mail_spool spool = { 0 };
        mail_spool_init(&spool, 4096, directory, &spools);
        mem_fail_nth(n);
        assert_int_equal(fill(&spool, 100000, 100), MAIL_SPOOL_OK);
        mem_fail_nth(0);
        check_content(&spool, 100000, 4096);
        mail_spool_free(&spool);
        assert_int_equal(spools.used, 0);
        spool_files_drop(&spools.files);
    }
}

static void
nothing_is_left_behind(void **state)
{
    struct mail_spool spool = { 0 };
    struct stat st;

    (void)state;
    mail_spool_init(&spool, MEMORY, directory, NULL);
    assert_int_equal(fill(&spool, 100000, 1000), MAIL_SPOOL_OK);
    assert_int_equal(fstat(spool.file.fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_mode & 077, 0);
    assert_true(fcntl(spool.file.fd, F_GETFD) & FD_CLOEXEC);
    mail_spool_free(&spool);
    assert_int_equal(rmdir(directory), 0); /* only if it is empty */
    assert_int_equal(mkdir(directory, 0700), 0);
}

static void
closed_standard_input(void **state)
{
    struct mail_spool spool = { 0 };
    int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);

    (void)state;
    close(0);
    mail_spool_init(&spool, MEMORY, directory, NULL);
    assert_int_equal(fill(&spool, 1000, 1000), MAIL_SPOOL_OK);
    assert_true(spool.file.fd > 2);
    mail_spool_free(&spool);
    if (saved >= 0) {
        dup2(saved, 0);
        close(saved);
    }
}

static void
zeroes_can_be_freed(void **state)
{
    struct mail_spool spool = { 0 };

    (void)state;
    mail_spool_free(&spool);
    mail_spool_free(&spool);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 11] = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < ROWS; i++)
        tests[count++] = (struct CMUnitTest){ rows[i].name, round_trip, NULL,
                                              NULL, &rows[i] };
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(quota_is_shared);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(quota_before_the_file);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(memory_only);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(no_directory);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(full_disk);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(broken_disk);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(short_read);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(heap_gone);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(nothing_is_left_behind);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(closed_standard_input);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(zeroes_can_be_freed);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
