/* Rows of the table at their places, for setup and check alike. */
#include "wanted.h"

/* ---- places ------------------------------------------------------------ */

static void
add(struct place places[PLACES_MAX], size_t *count, struct place place)
{
    if (*count < PLACES_MAX)
        places[(*count)++] = place;
}

static void
add_service(struct place places[PLACES_MAX], size_t *count,
            struct postconf_service *service)
{
    if (service != NULL)
        add(places, count, (struct place){ .service = service });
}

/* main.cf for all smtp(8) that have no such option, then each that has. */
static void
add_smtp(const struct site *site, const char *name,
         struct place places[PLACES_MAX], size_t *count)
{
    const struct postconf *postfix = site->postfix;
    bool main_holds = false;

    for (size_t i = 0; i < postfix->service_count; i++)
        if (slice_equal(postfix->services[i].command, SLICE_OF("smtp"))) {
            if (site_has_option(&postfix->services[i], name))
                add_service(places, count, &postfix->services[i]);
            else
                main_holds = true;
        }
    if (main_holds)
        add(places, count, (struct place){ 0 });
}

static size_t
find_places(const struct site *site, const struct wanted *row,
            struct place places[PLACES_MAX])
{
    size_t count = 0;

    switch (row->scope) {
    case SCOPE_LISTENER:
        for (size_t i = 0; i < site->conf->listener_count; i++)
            add(places, &count,
                (struct place){ .listener = &site->conf->listeners[i] });
        break;
    case SCOPE_FRONT:
        for (size_t i = 0; i < site->front_count; i++)
            add(places, &count,
                (struct place){ .service = site->fronts[i].service,
                                .role = site->fronts[i].role });
        break;
    case SCOPE_MAIN:
        add(places, &count, (struct place){ 0 });
        break;
    case SCOPE_PICKUP:
        add_service(places, &count,
                    postconf_service(site->postfix, SLICE_OF("pickup/unix")));
        break;
    case SCOPE_BACK:
        if (site->back != NULL && !site_is_front_port(site->back) &&
            slice_equal(site->back->command, SLICE_OF("smtpd")))
            add_service(places, &count, site->back);
        break;
    case SCOPE_CLEANUP:
        add_service(places, &count, site->cleanup);
        break;
    case SCOPE_TRANSPORT:
        add_service(places, &count, site->transport);
        break;
    case SCOPE_SMTP:
        if (site->back != NULL)
            add_smtp(site, row->name, places, &count);
        break;
    }
    return count;
}

/* ---- a row at a place -------------------------------------------------- */

static bool
is_limit(const struct wanted *row)
{
    return slice_equal(slice_from(row->name), SLICE_OF("process_limit"));
}

static struct slice
in_force(const struct place *p)
{
    if (p->service == NULL)
        return site_value(p->site, p->row->name);
    if (is_limit(p->row))
        return p->service->limit;
    return site_of(p->site, p->service, p->row->name);
}

size_t
wanted_places(const struct site *site, const struct wanted *row,
              struct place places[PLACES_MAX])
{
    size_t count = find_places(site, row, places);

    for (size_t i = 0; i < count; i++) {
        places[i].site = site;
        places[i].row = row;
        places[i].value = in_force(&places[i]);
    }
    return count;
}

bool
wanted_concerns(const struct place *p)
{
    bool worded = p->row->value != NULL || p->row->is_enough != NULL;

    if (worded && !postconf_knows(p->site->before, p->row->name))
        return false;
    return p->row->concerns == NULL || p->row->concerns(p);
}

struct slice
wanted_value(const struct place *p)
{
    if (p->row->work_out != NULL)
        return p->row->work_out(p);
    return p->row->value != NULL ? slice_from(p->row->value)
                                 : (struct slice){ 0 };
}

static struct slice
sentence_of(const struct place *p)
{
    struct slice text = slice_from(p->row->sentence);
    size_t mark = slice_find(text, '%');
    struct slice value = p->value.len != 0 ? p->value : SLICE_OF("empty");

    if (mark == text.len)
        return text;
    return site_text(p->site, "%.*s%.*s%.*s", SLICE_ARG(slice_head(text, mark)),
                     SLICE_ARG(value), SLICE_ARG(slice_tail(text, mark + 1)));
}

bool
wanted_differs(const struct place *p, struct judgement *j)
{
    const struct wanted *row = p->row;

    *j = (struct judgement){ .severity = row->severity,
                             .wanted = wanted_value(p),
                             .cure = row->cure };
    if (row->judge != NULL)
        return row->judge(p, j);
    if (row->is_enough != NULL
            ? row->is_enough(p->value)
            : j->wanted.ptr == NULL || slice_equal(p->value, j->wanted))
        return false;
    j->sentence = sentence_of(p);
    return true;
}

struct slice
wanted_setting(const struct place *p)
{
    if (p->service == NULL)
        return slice_from(p->row->name);
    return site_text(p->site, "%.*s/%s", SLICE_ARG(p->service->id),
                     p->row->name);
}

/* ---- the command ------------------------------------------------------- */

/* For a shell; brackets alone, as of "[127.0.0.1]:10027", by backslashes. */
static struct slice
quoted(const struct site *site, struct slice word)
{
    static const struct slice brackets = SLICE("[]");
    struct buf plain = { 0 }, text = { 0 }, escaped = { 0 };

    for (size_t i = 0; i < word.len; i++) {
        bool bracket = slice_find(brackets, word.ptr[i]) < brackets.len;
        buf_printf(&escaped, bracket ? "\\%c" : "%c", word.ptr[i]);
        if (!bracket)
            buf_putc(&plain, word.ptr[i]);
    }
    postconf_quote(buf_slice(&plain), &text);
    bool enough = slice_equal(buf_slice(&text), buf_slice(&plain));
    buf_clear(&text);
    if (!enough)
        postconf_quote(word, &text);
    struct slice copy =
        arena_copy(site->arena, buf_slice(enough ? &escaped : &text));
    buf_free(&plain);
    buf_free(&text);
    buf_free(&escaped);
    return copy;
}

static struct slice
postconf_of_cure(const struct place *p, const struct judgement *j)
{
    bool drops = j->cure == CURE_DROP;
    struct slice setting = wanted_setting(p);
    const char *flag = p->service == NULL ? (drops ? "-X" : "-e")
                       : drops            ? "-PX"
                       : is_limit(p->row) ? "-F"
                                          : "-P";

    if (!drops)
        setting =
            site_text(p->site, p->service == NULL ? "%.*s = %.*s" : "%.*s=%.*s",
                      SLICE_ARG(setting), SLICE_ARG(j->wanted));
    return site_text(p->site, "postconf %s %.*s", flag,
                     SLICE_ARG(quoted(p->site, setting)));
}

struct slice
wanted_command(const struct place *p, const struct judgement *j,
               struct slice directory)
{
    static const struct slice program = SLICE("postconf ");
    struct slice command = j->command;

    if (command.len == 0)
        switch (j->cure) {
        case CURE_NONE:
            break;
        case CURE_SETUP:
            return SLICE_OF("onward setup --apply");
        case CURE_SET:
        case CURE_DROP:
            command = postconf_of_cure(p, j);
            break;
        }
    if (directory.len == 0 || !slice_starts_nocase(command, program))
        return command;
    return site_text(p->site, "postconf -c %.*s %.*s",
                     SLICE_ARG(quoted(p->site, directory)),
                     SLICE_ARG(slice_tail(command, program.len)));
}
