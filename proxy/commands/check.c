/* `check`: files only, unless it is told to ask DNS. It runs beside the
 * daemon, before each reload. */
#include "check.h"

#include "check_dns.h"
#include "check_postfix.h"
#include "commands.h"

#include <getopt.h>
#include <stdio.h>

/* Lines of errors or warnings; what begins with a blank belongs to the line
 * before. */
static size_t
count_entries(struct slice lines)
{
    size_t count = 0;

    while (lines.len != 0) {
        struct slice line = slice_cut(&lines, '\n');
        count += line.len != 0 && line.ptr[0] != ' ';
    }
    return count;
}

/* ---- --json ------------------------------------------------------------ */

struct entry {
    struct slice file;
    struct slice line; /* digits, or empty */
    struct slice setting;
    struct slice text;
};

/* "limits.sessions", "listeners[0].name": what may stand between the place
 * and the sentence. */
static bool
is_setting(struct slice text)
{
    if (text.len == 0 || (!ascii_is_alpha(text.ptr[0]) && text.ptr[0] != '@'))
        return false;
    for (size_t i = 1; i < text.len; i++) {
        char c = text.ptr[i];
        if (!ascii_is_alnum(c) && c != '_' && c != '-' && c != '.' &&
            c != '[' && c != ']')
            return false;
    }
    return true;
}

/* Index of the first ": ", or the length. */
static size_t
find_colon(struct slice text)
{
    for (size_t i = 0; i + 1 < text.len; i++)
        if (text.ptr[i] == ':' && text.ptr[i + 1] == ' ')
            return i;
    return text.len;
}

/* "FILE[:LINE]: [SETTING: ]sentence" */
static struct entry
parse_entry(struct slice line)
{
    struct entry entry = { 0 };
    size_t end = find_colon(line);
    uint64_t number;

    entry.file = slice_head(line, end);
    entry.text = slice_tail(line, end + 2);
    size_t colon = slice_find_last(entry.file, ':');
    if (colon < entry.file.len &&
        slice_to_u64(slice_tail(entry.file, colon + 1), &number)) {
        entry.line = slice_tail(entry.file, colon + 1);
        entry.file = slice_head(entry.file, colon);
    }
    end = find_colon(entry.text);
    if (end < entry.text.len && is_setting(slice_head(entry.text, end)) &&
        !slice_equal(slice_head(entry.text, end), SLICE_OF("syntax"))) {
        entry.setting = slice_head(entry.text, end);
        entry.text = slice_tail(entry.text, end + 2);
    }
    return entry;
}

static void
print_string(struct buf *out, const char *key, struct slice value)
{
    buf_printf(out, "\"%s\":\"", key);
    log_escape_json(out, value);
    buf_putc(out, '"');
}

static void
print_entries(struct buf *out, struct slice lines)
{
    bool first = true;

    buf_putc(out, '[');
    while (lines.len != 0) {
        struct slice line = slice_cut(&lines, '\n');
        if (line.len == 0 || line.ptr[0] == ' ')
            continue;
        struct entry entry = parse_entry(line);
        buf_puts(out, first ? "{" : ",{");
        first = false;
        print_string(out, "file", entry.file);
        if (entry.line.len != 0)
            buf_printf(out, ",\"line\":%.*s", SLICE_ARG(entry.line));
        if (entry.setting.len != 0) {
            buf_putc(out, ',');
            print_string(out, "setting", entry.setting);
        }
        buf_putc(out, ',');
        print_string(out, "text", entry.text);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
}

static void
print_json(const struct check_report *report)
{
    struct buf out = { 0 };

    buf_printf(&out, "{\"ok\":%s,\"errors\":",
               report->errors.len == 0 ? "true" : "false");
    print_entries(&out, buf_slice(&report->errors));
    buf_puts(&out, ",\"warnings\":");
    print_entries(&out, buf_slice(&report->warnings));
    buf_puts(&out, ",\"notes\":");
    print_entries(&out, buf_slice(&report->notes));
    buf_puts(&out, "}\n");
    cli_print(stdout, buf_slice(&out));
    buf_free(&out);
}

/* ---- for people -------------------------------------------------------- */

static void
print_lines(const char *prefix, struct slice lines)
{
    while (lines.len != 0) {
        struct slice line = slice_cut(&lines, '\n');
        if (line.len != 0)
            printf("%s%.*s\n", line.ptr[0] == ' ' ? "" : prefix,
                   SLICE_ARG(line));
    }
}

static void
print_errors(const struct buf *errors, bool unusable)
{
    size_t count = count_entries(buf_slice(errors));

    cli_print(stderr, buf_slice(errors));
    fprintf(stderr, "%zu error%s.%s\n", count, count == 1 ? "" : "s",
            unusable ? " A running daemon keeps its configuration." : "");
}

static void
print_ok(const struct cli *cli, const struct conf *conf)
{
    size_t keys =
        conf->dkim.keys == NULL ? 0 : dkim_keyset_count(conf->dkim.keys);

    printf("OK: %s (%zu listener%s, %zu alias entr%s, %zu key%s)\n",
           cli->conf_path, conf->listener_count,
           conf->listener_count == 1 ? "" : "s", conf->forward.aliases.count,
           conf->forward.aliases.count == 1 ? "y" : "ies", keys,
           keys == 1 ? "" : "s");
}

int
command_check(const struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        { "dns", no_argument, NULL, 'd' },
        { "json", no_argument, NULL, 'j' },
        { "postfix", no_argument, NULL, 'p' },
        { NULL, 0, NULL, 0 },
    };
    struct check_report report = { 0 };
    bool dns = false, json = false, postfix = false;
    int failure = CLI_BAD_CONF;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter != 'd' && letter != 'j' && letter != 'p')
            return cli_usage("check");
        dns = dns || letter == 'd';
        json = json || letter == 'j';
        postfix = postfix || letter == 'p';
    }
    if (optind != argc)
        return cli_usage("check");

    struct conf *conf =
        cli_load_with(cli, NULL, &report.errors, &report.warnings);
    if (conf != NULL && postfix)
        check_postfix(cli, conf, NULL, &report);
    bool sound = report.errors.len == 0;
    if (conf != NULL && dns && !check_dns(cli, conf, &report) && sound)
        failure = CLI_TRY_AGAIN;
    bool ok = report.errors.len == 0;
    if (json) {
        print_json(&report);
    } else {
        print_lines("warning: ", buf_slice(&report.warnings));
        print_lines("note: ", buf_slice(&report.notes));
        if (ok)
            print_ok(cli, conf);
        else
            print_errors(&report.errors, conf == NULL);
    }
    conf_unref(conf);
    buf_free(&report.errors);
    buf_free(&report.warnings);
    buf_free(&report.notes);
    return ok ? CLI_OK : failure;
}
