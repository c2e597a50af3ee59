/*
 * Files of another program: reading them ends, stays inside, and gives a
 * configuration that can be parsed and notes of printable lines; what is
 * typed from them into a shell names one file.
 *
 * Input: an octet that chooses the importer, then up to three files with 0xFF
 * between them, which none of them holds.
 */
#include "conf.h"
#include "import.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FILES = 3
};

/* Each in memory that ends where it does. */
static struct slice
own_copy(struct slice text)
{
    char *copy = malloc(text.len + 1);

    if (text.len != 0)
        memcpy(copy + 1, text.ptr, text.len);
    return (struct slice){ copy + 1, text.len };
}

static void
judge_conf(struct slice text)
{
    int fd = memfd_create("onward.conf", MFD_CLOEXEC);
    struct buf path = { 0 }, value = { 0 };

    if (write(fd, text.ptr, text.len) != (ssize_t)text.len)
        abort();
    buf_printf(&path, "/proc/self/fd/%d", fd);
    if (!conf_peek(buf_cstr(&path), "upstream.address", &value) ||
        !slice_equal(buf_slice(&value), SLICE_OF("127.0.0.1:10026")))
        abort();
    buf_free(&path);
    buf_free(&value);
    close(fd);
}

static void
judge_notes(struct slice notes)
{
    const struct slice copy = SLICE("copy the key: ");

    while (notes.len != 0) {
        struct slice line = slice_cut(&notes, '\n');
        size_t quotes = 0;
        for (size_t i = 0; i < line.len; i++) {
            if (ascii_is_control(line.ptr[i]))
                abort();
            quotes += line.ptr[i] == '\'';
        }
        if (slice_equal(slice_head(line, copy.len), copy) && quotes != 4)
            abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = { (const char *)data, size };
    struct slice files[FILES] = { 0 };
    struct import_result result = { 0 };
    struct buf path = { 0 };

    if (size == 0 || size > 65536)
        return 0;
    rest = slice_tail(rest, 1);
    for (size_t i = 0; i < FILES; i++)
        files[i] = own_copy(slice_cut(&rest, '\xff'));
    switch (data[0] % 4) {
    case 0:
    case 1: {
        const struct import_haraka input = {
            .aliases_name = SLICE("aliases"),
            .aliases = files[0],
            .srs = files[1],
            .host_list = files[2],
            .meaning = data[0] % 4 == 0 ? IMPORT_MEANT : IMPORT_LITERAL,
        };
        import_haraka(&input, &result);
        break;
    }
    case 2: {
        const struct import_postsrsd input = { files[0], files[1] };
        import_postsrsd_domains_file(files[0], &path);
        import_postsrsd(&input, &result);
        break;
    }
    case 3: {
        const struct import_opendkim input = { files[0], files[1], files[2] };
        import_opendkim_file(files[0], "KeyTable", &path);
        if (path.len != 0 && path.ptr[0] != '/')
            abort();
        import_opendkim(&input, &result);
        break;
    }
    }
    if (!result.failed)
        judge_conf(buf_slice(&result.conf));
    judge_notes(buf_slice(&result.notes));
    import_result_free(&result);
    buf_free(&path);
    for (size_t i = 0; i < FILES; i++)
        free((char *)files[i].ptr - 1);
    return 0;
}
