#include "mail_spooled.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct kept {
    struct mail_spools spools;
    size_t files; /* open before */
};

static int
begin_kept(void **state)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    kept->spools.limit = 1 << 30;
    kept->files = count_files();
    *state = kept;
    return 0;
}

static int
end_kept(void **state)
{
    struct kept *kept = *state;

    spool_files_drop(&kept->spools.files);
    size_t files = count_files();
    bool ok = files == kept->files && kept->spools.files.octets == 0;
    free(kept);
    return ok ? 0 : -1;
}

static void
begin_message(struct kept *kept, struct mail_spool *spool, size_t length)
{
    *spool = (struct mail_spool){ 0 };
    mail_spool_init(spool, MEMORY, directory, &kept->spools);
    assert_int_equal(fill(spool, length, 10000), MAIL_SPOOL_OK);
}

static ino_t
file_of(const struct mail_spool *spool)
{
    struct stat st;

    assert_int_equal(fstat(spool->file.fd, &st), 0);
    return st.st_ino;
}

/* What a longer message left there is not in a shorter one. */
static void
a_file_is_used_again(void **state)
{
    struct kept *kept = *state;
    struct mail_spool spool;

    begin_message(kept, &spool, 300000);
    ino_t file = file_of(&spool);
    mail_spool_free(&spool);
    for (size_t length = 200000; length > 100; length /= 3) {
        begin_message(kept, &spool, length);
        assert_int_equal(file_of(&spool), file);
        assert_int_equal(kept->spools.used, length);
        check_content(&spool, length, 4096);
        mail_spool_free(&spool);
    }
    assert_in_range(kept->spools.files.octets, 200000, 300000);
    assert_int_equal(kept->spools.used, 0);
}

static void
two_at_once_have_two_files(void **state)
{
    struct kept *kept = *state;
    struct mail_spool one, two;

    for (size_t i = 0; i < 3; i++) {
        begin_message(kept, &one, 100000);
        begin_message(kept, &two, 150000);
        assert_int_not_equal(file_of(&one), file_of(&two));
        check_content(&one, 100000, 4096);
        check_content(&two, 150000, 4096);
        mail_spool_free(&one);
        mail_spool_free(&two);
        assert_int_equal(kept->spools.files.count, 2);
    }
}

static void
lent_to_the_kernel(void **state)
{
    struct kept *kept = *state;
    struct mail_spool spool;

    begin_message(kept, &spool, 150000);
    assert_int_equal(mail_spool_lend(&spool, 1000),
                     150000 - spool.memory.len - 1000);
    assert_int_equal(mail_spool_lend(&spool, 149999), 0); /* in memory */
    mail_spool_free(&spool);
    assert_int_equal(kept->spools.files.count, 0);

    begin_message(kept, &spool, 150000);
    assert_true(mail_spool_lend(&spool, 0) != 0);
    mail_spool_returned(&spool);
    mail_spool_free(&spool);
    assert_int_equal(kept->spools.files.count, 1);

    begin_message(kept, &spool, MEMORY);
    assert_int_equal(mail_spool_lend(&spool, 0), 0);
    mail_spool_free(&spool);
}

/* Twelve messages at once, then only two, then none. */
static void
what_nobody_needs_is_closed(void **state)
{
    struct kept *kept = *state;
    struct spool_files *files = &kept->spools.files;
    struct mail_spool spools[12];

    for (size_t i = 0; i < 12; i++)
        begin_message(kept, &spools[i], 100000);
    for (size_t i = 0; i < 12; i++)
        mail_spool_free(&spools[i]);
    spool_files_rest(files); /* twelve were needed until now */
    assert_int_equal(files->count, 12);
    for (size_t i = 0; i < 2; i++)
        begin_message(kept, &spools[i], 100000);
    for (size_t i = 0; i < 2; i++)
        mail_spool_free(&spools[i]);
    spool_files_rest(files);
    assert_int_equal(files->count, 2);
    spool_files_rest(files);
    assert_int_equal(files->count, 0);
    assert_int_equal(files->octets, 0);
    assert_int_equal(count_files(), kept->files);
}

static void
no_more_than_so_many(void **state)
{
    struct kept *kept = *state;
    struct mail_spool spools[SPOOL_FILES_KEPT + 3];

    for (size_t i = 0; i < SPOOL_FILES_KEPT + 3; i++)
        begin_message(kept, &spools[i], 1000);
    for (size_t i = 0; i < SPOOL_FILES_KEPT + 3; i++)
        mail_spool_free(&spools[i]);
    assert_int_equal(kept->spools.files.count, SPOOL_FILES_KEPT);
}

static void
a_long_one_is_cut(void **state)
{
    struct kept *kept = *state;
    struct mail_spool spool;
    struct stat st;

    begin_message(kept, &spool, 5000000);
    mail_spool_free(&spool);
    assert_int_equal(kept->spools.files.count, 1);
    assert_int_equal(fstat(kept->spools.files.kept[0].fd, &st), 0);
    assert_int_equal(st.st_size, SPOOL_FILE_KEPT_SIZE);
    assert_int_equal(kept->spools.files.octets, SPOOL_FILE_KEPT_SIZE);
    begin_message(kept, &spool, 5000000);
    check_content(&spool, 5000000, 65536);
    mail_spool_free(&spool);
}

/* A small spool_total: its disk may be as small. */
static void
an_eighth_of_the_limit(void **state)
{
    struct kept *kept = *state;
    struct mail_spool spools[4];

    kept->spools.limit = 8 * 150000;
    for (size_t i = 0; i < 4; i++)
        begin_message(kept, &spools[i], 100000);
    for (size_t i = 0; i < 4; i++)
        mail_spool_free(&spools[i]);
    assert_true(kept->spools.files.octets <= 150000);
    assert_in_range(kept->spools.files.count, 1, 2);
}

/* A reload names another one. */
static void
another_directory(void **state)
{
    struct kept *kept = *state;
    struct mail_spool spool = { 0 };
    char other[] = "/tmp/test-mail-spool-XXXXXX";

    assert_non_null(mkdtemp(other));
    begin_message(kept, &spool, 1000);
    ino_t before = file_of(&spool);
    mail_spool_free(&spool);
    mail_spool_init(&spool, MEMORY, other, &kept->spools);
    assert_int_equal(fill(&spool, 1000, 100), MAIL_SPOOL_OK);
    assert_int_not_equal(file_of(&spool), before);
    mail_spool_free(&spool);
    assert_int_equal(kept->spools.files.count, 1); /* still the first one */
    spool_files_rest(&kept->spools.files);
    spool_files_rest(&kept->spools.files);
    mail_spool_init(&spool, MEMORY, other, &kept->spools);
    assert_int_equal(fill(&spool, 1000, 100), MAIL_SPOOL_OK);
    ino_t after = file_of(&spool);
    mail_spool_free(&spool);
    mail_spool_init(&spool, MEMORY, other, &kept->spools);
    assert_int_equal(fill(&spool, 1000, 100), MAIL_SPOOL_OK);
    assert_int_equal(file_of(&spool), after);
    mail_spool_free(&spool);
    assert_int_equal(rmdir(other), 0);
}

static void
what_failed_is_not_used_again(void **state)
{
    struct kept *kept = *state;
    struct mail_spool spool;

    begin_message(kept, &spool, 1000);
    int broken = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(dup3(broken, spool.file.fd, O_CLOEXEC) >= 0);
    close(broken);
    assert_int_equal(fill(&spool, 100000, 100000), MAIL_SPOOL_FAILED);
    mail_spool_free(&spool);
    assert_int_equal(kept->spools.files.count, 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_used_again, begin_kept,
                                        end_kept),
        cmocka_unit_test_setup_teardown(two_at_once_have_two_files, begin_kept,
                                        end_kept),
        cmocka_unit_test_setup_teardown(lent_to_the_kernel, begin_kept,
                                        end_kept),
        cmocka_unit_test_setup_teardown(what_nobody_needs_is_closed, begin_kept,
                                        end_kept),
        cmocka_unit_test_setup_teardown(no_more_than_so_many, begin_kept,
                                        end_kept),
        cmocka_unit_test_setup_teardown(a_long_one_is_cut, begin_kept,
                                        end_kept),
        cmocka_unit_test_setup_teardown(an_eighth_of_the_limit, begin_kept,
                                        end_kept),
        cmocka_unit_test_setup_teardown(another_directory, begin_kept,
                                        end_kept),
        cmocka_unit_test_setup_teardown(what_failed_is_not_used_again,
                                        begin_kept, end_kept),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
