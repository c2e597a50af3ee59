#include "check_postfix.h"

#include "postfix.h"
#include "postfix_texts.h"

struct reporter {
    struct check_report *report;
    const char *directory;
};

static void
on_finding(void *ctx, enum finding_severity severity, const char *file,
           struct slice setting, struct slice sentence, struct slice command)
{
    struct reporter *reporter = ctx;
    struct check_report *report = reporter->report;
    struct buf *out = severity == FINDING_ERROR     ? &report->errors
                      : severity == FINDING_WARNING ? &report->warnings
                                                    : &report->notes;

    buf_printf(out, "%s/%s: %.*s: %.*s", reporter->directory, file,
               SLICE_ARG(setting), SLICE_ARG(sentence));
    if (command.len != 0)
        buf_printf(out, "; run: %.*s", SLICE_ARG(command));
    buf_putc(out, '\n');
}

void
check_postfix(const struct cli *cli, const struct conf *conf,
              const char *option, struct check_report *report)
{
    struct buf directory = { 0 };
    struct postfix_texts texts;
    struct arena arena = { 0 };
    struct postconf postconf;
    struct slice bad;

    postfix_directory(cli, option, &directory);
    struct reporter reporter = { report, buf_cstr(&directory) };
    const struct finding_sink sink = { on_finding, &reporter };
    struct slice shown = buf_slice(&directory);
    if (slice_equal(shown, SLICE_OF("/etc/postfix")))
        shown = (struct slice){ 0 };
    if (!postfix_texts_read(reporter.directory, &texts)) {
        buf_printf(&report->errors, "%s: postconf cannot read it\n",
                   reporter.directory);
    } else {
        postfix_texts_ask(reporter.directory, conf, &texts);
        struct postconf_texts view = postfix_texts_view(&texts);
        if (postconf_parse(&view, &arena, &postconf, &bad))
            findings_report(conf, &postconf, shown, &sink);
        else
            buf_printf(&report->errors, "%s/master.cf: not understood: %.*s\n",
                       reporter.directory, SLICE_ARG(bad));
    }
    postfix_texts_free(&texts);
    arena_free(&arena);
    buf_free(&directory);
}
