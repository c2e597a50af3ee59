/*
 * `import`: reads an existing set-up and prints the configuration that does
 * the same; copies nothing. What does not fit is said on standard error.
 */
#include "commands.h"

#include "import.h"

#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file that may be absent: ptr stays NULL. */
static struct slice
read_optional(struct arena *arena, const char *directory, const char *name)
{
    struct buf path = { 0 }, text = { 0 };
    struct slice copy = { 0 };

    buf_printf(&path, "%s%s%s", directory, directory[0] != '\0' ? "/" : "",
               name);
    if (access(buf_cstr(&path), R_OK) == 0 && cli_read(buf_cstr(&path), &text))
        copy = arena_copy(arena, buf_slice(&text));
    buf_free(&path);
    buf_free(&text);
    return copy;
}

static int
finish(struct import_result *result)
{
    cli_print(stderr, buf_slice(&result->notes));
    if (!result->failed)
        cli_print(stdout, buf_slice(&result->conf));
    int status = result->failed ? CLI_BAD_DATA : CLI_OK;
    import_result_free(result);
    return status;
}

/* ---- haraka ---- */

enum {
    KEYS_MAX = 10000
};

static size_t
find_haraka_keys(struct arena *arena, const char *directory,
                 struct import_dkim_key *keys)
{
    struct buf path = { 0 };
    struct dirent **entries;
    size_t count = 0;

    buf_printf(&path, "%s/dkim", directory);
    int n = scandir(buf_cstr(&path), &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        struct slice domain = slice_from(entries[i]->d_name);
        buf_clear(&path);
        buf_printf(&path, "dkim/%s/selector", entries[i]->d_name);
        struct slice selector =
            domain.ptr[0] != '.'
                ? read_optional(arena, directory, buf_cstr(&path))
                : (struct slice){ 0 };
        selector = slice_trim(slice_head(selector, slice_find(selector, '\n')));
        if (selector.len != 0 && selector.ptr[selector.len - 1] == '\r')
            selector.len--;
        buf_clear(&path);
        buf_printf(&path, "%s/dkim/%s/private", directory, entries[i]->d_name);
        if (selector.len != 0 && count < KEYS_MAX &&
            access(buf_cstr(&path), F_OK) == 0)
            keys[count++] = (struct import_dkim_key){
                .domain = arena_copy(arena, domain),
                .selector = selector,
                .path = arena_copy(arena, buf_slice(&path)),
            };
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    buf_free(&path);
    return count;
}

static int
from_haraka(const char *directory, enum import_meaning meaning)
{
    static const char *const names[] = { "rcpt_to.alias_forward",
                                         "rcpt_to.alias_forward.json" };
    struct import_result result = { 0 };
    struct import_haraka input = { .meaning = meaning };
    struct arena arena = { 0 };
    struct buf config = { 0 };

    /* DIR is Haraka's own directory or the config directory in it. */
    buf_printf(&config, "%s/config", directory);
    if (access(buf_cstr(&config), F_OK) != 0) {
        buf_clear(&config);
        buf_puts(&config, directory);
    }
    const char *where = buf_cstr(&config);
    if (access(where, R_OK | X_OK) != 0) {
        cli_error("%s: cannot be read", where);
        buf_free(&config);
        return CLI_BAD_DATA;
    }
    for (size_t i = 0; i < 2 && input.aliases.ptr == NULL; i++) {
        input.aliases = read_optional(&arena, where, names[i]);
        input.aliases_name = slice_from(names[i]);
    }
    input.srs = read_optional(&arena, where, "srs.ini");
    input.host_list = read_optional(&arena, where, "host_list");
    struct import_dkim_key *keys =
        arena_alloc(&arena, KEYS_MAX * sizeof(*keys));
    input.keys = keys;
    input.key_count = find_haraka_keys(&arena, where, keys);
    import_haraka(&input, &result);
    arena_free(&arena);
    buf_free(&config);
    return finish(&result);
}

/* ---- postsrsd ---- */

static int
from_postsrsd(int count, char **files)
{
    struct import_result result = { 0 };
    struct import_postsrsd input = { 0 };
    struct buf text = { 0 }, path = { 0 };
    struct arena arena = { 0 };

    for (int i = 0; i < count; i++) {
        if (!cli_read(files[i], &text)) {
            buf_free(&text);
            return CLI_BAD_DATA;
        }
        buf_putc(&text, '\n');
    }
    input.text = buf_slice(&text);
    import_postsrsd_domains_file(input.text, &path);
    if (path.len != 0)
        input.domains_file = read_optional(&arena, "", buf_cstr(&path));
    import_postsrsd(&input, &result);
    arena_free(&arena);
    buf_free(&text);
    buf_free(&path);
    return finish(&result);
}

/* ---- opendkim ---- */

/* What opendkim.conf names, else a file of the usual name in DIR. */
static struct slice
read_table(struct arena *arena, const char *directory, struct slice conf,
           const char *setting, const char *other_name)
{
    struct buf path = { 0 };
    struct slice text = { 0 };

    import_opendkim_file(conf, setting, &path);
    if (path.len != 0)
        text = read_optional(arena, "", buf_cstr(&path));
    buf_free(&path);
    if (text.ptr == NULL)
        text = read_optional(arena, directory, setting);
    if (text.ptr == NULL)
        text = read_optional(arena, directory, other_name);
    return text;
}

static int
from_opendkim(const char *directory)
{
    struct import_result result = { 0 };
    struct import_opendkim input = { 0 };
    struct arena arena = { 0 };

    if (access(directory, R_OK | X_OK) != 0) {
        cli_error("%s: cannot be read", directory);
        return CLI_BAD_DATA;
    }
    input.conf = read_optional(&arena, directory, "opendkim.conf");
    if (input.conf.ptr == NULL)
        input.conf = read_optional(&arena, directory, "../opendkim.conf");
    input.key_table =
        read_table(&arena, directory, input.conf, "KeyTable", "key.table");
    input.signing_table = read_table(&arena, directory, input.conf,
                                     "SigningTable", "signing.table");
    import_opendkim(&input, &result);
    arena_free(&arena);
    return finish(&result);
}

int
command_import(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "literal", no_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 },
    };
    enum import_meaning meaning = IMPORT_MEANT;

    (void)cli;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (c == 'l')
            meaning = IMPORT_LITERAL;
        else
            return cli_usage("import");
    if (argc - optind < 2)
        return cli_usage("import");
    const char *what = argv[optind];
    if (strcmp(what, "haraka") == 0 && argc - optind == 2)
        return from_haraka(argv[optind + 1], meaning);
    if (strcmp(what, "postsrsd") == 0)
        return from_postsrsd(argc - optind - 1, argv + optind + 1);
    if (strcmp(what, "opendkim") == 0 && argc - optind == 2)
        return from_opendkim(argv[optind + 1]);
    return cli_usage("import");
}
