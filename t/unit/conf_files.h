/* A directory of its own with the files that configurations of the tests
 * name, and a configuration written into it. @DIR@ in texts is its path. */
#ifndef CONF_FILES_H
#define CONF_FILES_H

#include "conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char conf_dir[64];

static inline void
expand(struct buf *out, const char *text, const char *in_place)
{
    for (; *text != '\0'; text++) {
        if (strncmp(text, "@DIR@", 5) == 0) {
            buf_puts(out, in_place);
            text += 4;
        } else {
            buf_putc(out, *text);
        }
    }
}

static inline void
write_file(const char *name, const char *text, mode_t mode)
{
    struct buf path = { 0 };
    struct buf content = { 0 };

    buf_printf(&path, "%s/%s", conf_dir, name);
    expand(&content, text, conf_dir);
    unlink(buf_cstr(&path));
    FILE *file = fopen(buf_cstr(&path), "w");
    if (file == NULL || fchmod(fileno(file), mode) != 0)
        abort();
    fwrite(content.ptr, 1, content.len, file);
    fclose(file);
    buf_free(&path);
    buf_free(&content);
}

static inline void
make_dir(const char *name, mode_t mode)
{
    struct buf path = { 0 };

    buf_printf(&path, "%s/%s", conf_dir, name);
    if (mkdir(buf_cstr(&path), mode) != 0 || chmod(buf_cstr(&path), mode) != 0)
        abort();
    buf_free(&path);
}

static inline int
make_files(void **state)
{
    (void)state;
    snprintf(conf_dir, sizeof(conf_dir), "/tmp/onward-conf.XXXXXX");
    if (mkdtemp(conf_dir) == NULL)
        return -1;
    write_file("secret", "0123456789abcdef\n", 0640);
    write_file("secret.open", "0123456789abcdef\n", 0644);
    write_file("secret.short", "0123456789abcdef\n\nshort\n", 0600);
    write_file("secret.haraka", "ChangeThisWithWhateverYouInvented\n", 0600);
    write_file("secret.empty", "\n\n", 0600);
    write_file("secret.twice", "0123456789abcdef\n0123456789abcdef\n", 0600);
    write_file("aliases", "a@pub.example b@priv.example\n", 0644);
    write_file("aliases.bad",
               "a@pub.example b@priv.example\nc@pub.example |cmd\n", 0644);
    write_file("included.conf", "limits = {\n  hops = 0;\n};\n", 0644);
    write_file("self.conf", "@include \"self.conf\"\n", 0644);
    make_dir("keys", 0750);
    make_dir("state", 0700);
    make_dir("sub", 0755);
    write_file("sub/inner.conf", "@include \"deeper.conf\"\n", 0644);
    write_file("sub/deeper.conf", "timeouts = { drain = \"1s\"; };\n", 0644);
    return 0;
}

static inline int
remove_files(void **state)
{
    struct buf command = { 0 };

    (void)state;
    buf_printf(&command, "rm -rf '%s'", conf_dir);
    int status = system(buf_cstr(&command));
    buf_free(&command);
    return status;
}

/* Write text as test.conf and load it. postfix NULL: not asked. */
static inline struct conf *
load_text(const char *text, const char *postfix, struct buf *errors,
          struct buf *warnings)
{
    struct buf path = { 0 };

    write_file("test.conf", text, 0644);
    buf_printf(&path, "%s/test.conf", conf_dir);
    struct conf_inputs inputs = {
        .path = buf_cstr(&path),
        .postfix = slice_from(postfix),
        .fqdn = SLICE("host.example"),
        .now = 1767225600,
        .threads = 1,
    };
    struct conf *conf = conf_load(&inputs, errors, warnings);
    buf_free(&path);
    return conf;
}

#endif
