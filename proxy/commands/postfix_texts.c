#include "postfix_texts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    POSTCONF_MS = 30000,
    POSTMAP_MS = 5000,
};

void
postfix_directory(const struct cli *cli, const char *option,
                  struct buf *directory)
{
    if (option != NULL)
        buf_puts(directory, option);
    else
        conf_peek(cli->conf_path, "postfix.config_directory", directory);
    if (directory->len == 0)
        buf_puts(directory, "/etc/postfix");
    while (directory->len > 1 && directory->ptr[directory->len - 1] == '/')
        directory->len--;
}

/* Its warnings (unused parameters...) are the administrator's daily bread and
 * not our subject; why it failed is. */
static bool
run(const char *directory, const char *a, const char *b, struct buf *out)
{
    const char *const argv[] = { "postconf", "-c", directory, a, b, NULL };

    if (cli_run_within(argv, POSTCONF_MS, CLI_RUN_QUIET, out) == 0)
        return true;
    buf_clear(out);
    return cli_run_within(argv, POSTCONF_MS, CLI_RUN_SPEAK, out) == 0;
}

bool
postfix_texts_read(const char *directory, struct postfix_texts *texts)
{
    struct buf file = { 0 };
    bool ok;

    *texts = (struct postfix_texts){ 0 };
    buf_printf(&file, "%s/main.cf", directory);
    ok = access(buf_cstr(&file), R_OK) == 0;
    if (!ok)
        cli_error("%s: %s", buf_cstr(&file), strerror(errno));
    buf_free(&file);
    if (ok)
        cli_settle_main_cf(directory);
    return ok && run(directory, "-M", NULL, &texts->services) &&
           run(directory, "-Px", NULL, &texts->options) &&
           run(directory, "-n", NULL, &texts->set) &&
           run(directory, "-x", NULL, &texts->values) &&
           run(directory, "-d", NULL, &texts->defaults);
}

static void
ask(const char *directory, struct slice table, struct slice key,
    struct buf *answers)
{
    struct buf table_text = { 0 }, key_text = { 0 }, out = { 0 };

    buf_append(&table_text, table);
    buf_append(&key_text, key);
    /* "Not found" is exit code 1 and not a word; trouble is 1 with some. */
    const char *const argv[] = { "sh",
                                 "-c",
                                 "exec postmap -c \"$1\" -q \"$2\" \"$3\" 2>&1",
                                 "sh",
                                 directory,
                                 buf_cstr(&key_text),
                                 buf_cstr(&table_text),
                                 NULL };
    int status = cli_run_within(argv, POSTMAP_MS, CLI_RUN_QUIET, &out);
    if (status == 0 || (status == 1 && out.len == 0))
        buf_printf(answers, "%s\t%.*s\t%.*s\n", status == 0 ? "yes" : "no",
                   SLICE_ARG(table), SLICE_ARG(key));
    buf_free(&table_text);
    buf_free(&key_text);
    buf_free(&out);
}

void
postfix_texts_ask(const char *directory, const struct conf *conf,
                  struct postfix_texts *texts)
{
    struct postconf_texts view = postfix_texts_view(texts);
    struct buf questions = { 0 };
    struct arena arena = { 0 };
    struct postconf postconf;
    struct slice bad;

    if (postconf_parse(&view, &arena, &postconf, &bad))
        postfix_questions(conf, &postconf, &questions);
    struct slice rest = buf_slice(&questions);
    while (rest.len != 0) {
        struct slice key = slice_cut(&rest, '\n');
        struct slice table = slice_cut(&key, '\t');
        ask(directory, table, key, &texts->answers);
    }
    buf_free(&questions);
    arena_free(&arena);
}

void
postfix_texts_free(struct postfix_texts *texts)
{
    buf_free(&texts->services);
    buf_free(&texts->options);
    buf_free(&texts->set);
    buf_free(&texts->values);
    buf_free(&texts->defaults);
    buf_free(&texts->answers);
}

struct postconf_texts
postfix_texts_view(const struct postfix_texts *texts)
{
    return (struct postconf_texts){
        .services = buf_slice(&texts->services),
        .options = buf_slice(&texts->options),
        .set = buf_slice(&texts->set),
        .values = buf_slice(&texts->values),
        .defaults = buf_slice(&texts->defaults),
        .answers = buf_slice(&texts->answers),
    };
}
