#include "findings.h"

#include "wanted.h"

static void
report(const struct place *p, struct slice directory,
       const struct finding_sink *sink)
{
    struct judgement j;

    if (!wanted_concerns(p) || !wanted_differs(p, &j) ||
        j.severity == FINDING_NONE)
        return;
    bool in_main =
        p->service == NULL && p->listener == NULL && j.setting.len == 0;
    sink->found(sink->ctx, j.severity, in_main ? "main.cf" : "master.cf",
                j.setting.len != 0 ? j.setting : wanted_setting(p), j.sentence,
                wanted_command(p, &j, directory));
}

void
findings_report(const struct conf *conf, const struct postconf *postconf,
                struct slice directory, const struct finding_sink *sink)
{
    struct postconf copy = postconf_copy(postconf);
    struct place places[PLACES_MAX];
    struct arena arena = { 0 };
    struct site site = {
        .conf = conf, .arena = &arena, .before = &copy, .postfix = &copy
    };

    site_look(&site);
    for (const struct wanted *row = wanted_rows; row->name != NULL; row++) {
        size_t count = wanted_places(&site, row, places);
        for (size_t i = 0; i < count; i++)
            report(&places[i], directory, sink);
    }
    arena_free(&arena);
}
