/*
 * Any text as a configuration: reading it ends, with a configuration or with
 * an error, never with both or neither; every error begins with the file. And
 * what our own look at the grammar lets pass, libconfig accepts: else an
 * error would come without help.
 */
#include "build.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line about another file than ours may come too; a bare "syntax error" is
 * libconfig's and must not. */
static void
judge(struct slice errors, const char *path)
{
    struct buf bare = { 0 };

    buf_printf(&bare, "%s:", path);
    while (errors.len != 0) {
        struct slice line = slice_cut(&errors, '\n');
        if (line.len == 0)
            abort();
        if (!slice_equal(slice_head(line, bare.len), buf_slice(&bare)))
            continue;
        struct slice text = slice_tail(line, bare.len);
        slice_cut(&text, ' ');
        if (slice_equal(text, SLICE_OF("syntax error")))
            abort();
    }
    buf_free(&bare);
}

/* Nothing on this machine is to be read through an input: slashes only where
 * they begin or end comments. */
static bool
names_a_path(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '/')
            continue;
        char before = i == 0 ? ' ' : (char)data[i - 1];
        char after = i + 1 == size ? ' ' : (char)data[i + 1];
        if (before == '"' || before == ':' ||
            (before != '*' && before != '/' && after != '*' && after != '/'))
            return true;
    }
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf path = { 0 };
    struct buf errors = { 0 };
    struct buf warnings = { 0 };
    int fd = memfd_create("onward.conf", MFD_CLOEXEC);

    if (memmem(data, size, "include", 7) != NULL || size > 65536 ||
        names_a_path(data, size)) {
        close(fd);
        return 0;
    }
    if (write(fd, data, size) != (ssize_t)size)
        abort();
    buf_printf(&path, "/proc/self/fd/%d", fd);
    struct conf_inputs inputs = {
        .path = buf_cstr(&path),
        .postfix = SLICE("mx.example\n+\n0\n5\na.example\n\n"),
        .fqdn = SLICE("host.example"),
        .threads = 1,
    };
    struct conf *conf = conf_load(&inputs, &errors, &warnings);
    if ((conf == NULL) != (errors.len != 0))
        abort();
    judge(buf_slice(&errors), inputs.path);
    for (size_t i = 0; conf != NULL && i < conf->value_count; i++)
        if (conf->values[i].source.len == 0)
            abort();
    conf_unref(conf);
    buf_clear(&errors);
    conf_peek(inputs.path, "postfix.config_directory", &errors);
    buf_free(&errors);
    buf_free(&warnings);
    buf_free(&path);
    close(fd);
    return 0;
}
