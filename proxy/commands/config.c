/* `config show` and `config defaults`: what the table of settings says. */
#include "commands.h"
#include "configman.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static void
print_string(struct buf *out, const char *key, struct slice value)
{
    buf_printf(out, "\"%s\":\"", key);
    log_escape_json(out, value);
    buf_putc(out, '"');
}

static void
print_json_value(struct buf *out, const struct conf_value *value)
{
    if (out->len != 0)
        buf_puts(out, ",\n");
    buf_putc(out, '{');
    print_string(out, "name", value->name);
    buf_putc(out, ',');
    print_string(out, "value", value->value);
    if (value->source.len != 0) {
        buf_putc(out, ',');
        print_string(out, "source", value->source);
    }
    buf_putc(out, '}');
}

static void
print_value(struct buf *out, const struct conf_value *value)
{
    buf_printf(out, "%.*s = %.*s", SLICE_ARG(value->name),
               SLICE_ARG(value->value));
    if (value->source.len != 0)
        buf_printf(out, "  # %.*s", SLICE_ARG(value->source));
    buf_putc(out, '\n');
}

enum form {
    TEXT,
    JSON,
    MAN
};

static void
print_values(const struct conf_value *values, size_t count, enum form form)
{
    struct buf out = { 0 };

    for (size_t i = 0; i < count; i++)
        if (form == JSON)
            print_json_value(&out, &values[i]);
        else
            print_value(&out, &values[i]);
    if (form == JSON)
        fputs("{\"settings\":[\n", stdout);
    cli_print(stdout, buf_slice(&out));
    if (form == JSON)
        fputs("\n]}\n", stdout);
    buf_free(&out);
}

static int
show(const struct cli *cli, enum form form)
{
    struct conf *conf = cli_load(cli);

    if (conf == NULL)
        return CLI_BAD_CONF;
    print_values(conf->values, conf->value_count, form);
    conf_unref(conf);
    return CLI_OK;
}

static void
defaults(enum form form)
{
    struct arena arena = { 0 };
    struct conf_value *values =
        arena_alloc(&arena, conf_setting_count * sizeof(*values));
    size_t count = 0;

    for (size_t i = 0; i < conf_setting_count; i++) {
        const struct conf_setting *s = &conf_settings[i];
        struct buf value = { 0 };
        if (s->type == CONF_GROUP)
            continue;
        conf_print_default(&value, s);
        values[count++] = (struct conf_value){
            .name = slice_from(s->name),
            .value = arena_copy(&arena, buf_slice(&value)),
        };
        buf_free(&value);
    }
    print_values(values, count, form);
    arena_free(&arena);
}

int
command_config(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "man", no_argument, NULL, 'm' },
        { NULL, 0, NULL, 0 },
    };
    const char *name = argv[0];
    bool is_show = strcmp(name, "config show") == 0;
    enum form form = TEXT;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'j')
            form = JSON;
        else if (letter == 'm' && !is_show)
            form = MAN;
        else
            return cli_usage(name);
    }
    if (optind != argc)
        return cli_usage(name);
    if (is_show)
        return show(cli, form);
    if (form == MAN) {
        struct buf out = { 0 };
        config_print_man(&out);
        cli_print(stdout, buf_slice(&out));
        buf_free(&out);
    } else {
        defaults(form);
    }
    return CLI_OK;
}
