/* `setup`: into this Postfix, and out of it again. What is to be done is
 * worked out in lib/postfix; here it is shown and run. */
#include "commands.h"
#include "postfix.h"
#include "port_owner.h"
#include "postfix_texts.h"
#include "reachable.h"
#include "setup_files.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum action {
    SHOW_APPLY,
    SHOW_REMOVE,
    APPLY,
    REMOVE
};

struct setup {
    enum action action;
    bool force;            /* though nobody answers */
    const char *directory; /* of main.cf */
    struct conf *conf;     /* NULL when removing */
    struct postfix_texts texts;
    struct buf state;
    struct plan plan;
};

static void
print_lines(FILE *out, const char *before, const struct buf *lines)
{
    struct slice rest = buf_slice(lines);

    while (rest.len != 0) {
        struct slice line = slice_cut(&rest, '\n');
        bool goes_on = line.len != 0 && line.ptr[0] == ' ';
        fprintf(out, "%s%.*s\n", goes_on ? "" : before, SLICE_ARG(line));
    }
}

/* ---- ports ------------------------------------------------------------- */

static void
name_owner(const struct port_owner *owner, struct buf *out)
{
    if (owner->pid != 0)
        buf_printf(out, "%s (pid %ld)", owner->program, owner->pid);
    else
        buf_puts(out, "another process");
}

/* Our own addresses, in somebody else's hands. The name is the program's; a
 * test may have given it another. */
static void
look_at_listener(struct setup *setup, struct slice what,
                 const struct conf_address *address)
{
    struct port_owner owner = port_owner(address);

    if (!owner.taken || strncmp(owner.program, "onward", 6) == 0)
        return;
    buf_printf(&setup->plan.notes, "%.*s: %.*s is in use by ", SLICE_ARG(what),
               SLICE_ARG(address->text));
    name_owner(&owner, &setup->plan.notes);
    buf_printf(&setup->plan.notes, "; %u is free\n",
               port_find_free(address->port + 1));
}

/* Postfix' master ends when it cannot bind. */
static bool
look_at_upstream(struct setup *setup)
{
    const struct conf_address *address = &setup->conf->upstream.address;
    const struct postconf_commands *list = &setup->plan.commands;
    struct port_owner owner = port_owner(address);
    struct buf who = { 0 };
    bool is_new = false;

    for (size_t i = 0; i < list->count; i++)
        is_new = is_new || (list->commands[i].verb == POSTCONF_SERVICE &&
                            slice_ends_nocase(list->commands[i].target,
                                              SLICE_OF("/inet")));
    if (!is_new || !owner.taken || strcmp(owner.program, "master") == 0)
        return true;
    name_owner(&owner, &who);
    cli_error("upstream.address %.*s is in use by %.*s, and Postfix could not "
              "listen there; %u is free",
              SLICE_ARG(address->text), SLICE_ARG(buf_slice(&who)),
              port_find_free(address->port + 1));
    buf_free(&who);
    return false;
}

static bool
look_at_ports(struct setup *setup)
{
    const struct conf *conf = setup->conf;

    if (conf == NULL)
        return true;
    for (size_t i = 0; i < conf->listener_count; i++) {
        struct buf what = { 0 };
        buf_printf(&what, "listener %.*s", SLICE_ARG(conf->listeners[i].name));
        look_at_listener(setup, buf_slice(&what), &conf->listeners[i].address);
        buf_free(&what);
    }
    if (conf->socketmap.enabled)
        look_at_listener(setup, SLICE_OF("socketmap.listen"),
                         &conf->socketmap.listen);
    return look_at_upstream(setup);
}

/* ---- is Onward there? -------------------------------------------------- */

static bool
postfix_runs(const struct setup *setup)
{
    const char *status[] = { "postfix", "-c", setup->directory, "status",
                             NULL };
    struct buf out = { 0 };
    bool runs = cli_run_within(status, 30000, CLI_RUN_QUIET, &out) == 0;

    buf_free(&out);
    return runs;
}

static bool
answers(const char *what, struct slice name, const struct conf_address *address)
{
    if (reachable(address))
        return true;
    cli_error("nobody answers at %s%.*s (%.*s)", what, SLICE_ARG(name),
              SLICE_ARG(address->text));
    return false;
}

/* A Postfix that runs would have nowhere to give its mail to. */
static bool
look_for_onward(const struct setup *setup)
{
    const struct conf *conf = setup->conf;
    bool ok = true;

    if (setup->force || !postfix_runs(setup))
        return true;
    for (size_t i = 0; i < conf->listener_count; i++)
        ok = answers("listener ", conf->listeners[i].name,
                     &conf->listeners[i].address) &&
             ok;
    if (conf->socketmap.enabled)
        ok = answers("socketmap.listen", (struct slice){ 0 },
                     &conf->socketmap.listen) &&
             ok;
    if (!ok)
        cli_error("mail would get 451 until Onward runs: start it first "
                  "(systemctl start onward), or say --force");
    return ok;
}

/* ---- doing it ---------------------------------------------------------- */

static bool
run_commands(const struct setup *setup)
{
    const struct postconf_commands *list = &setup->plan.commands;

    for (size_t i = 0; i < list->count; i++) {
        struct buf argument = { 0 };
        struct buf out = { 0 };
        postconf_argument(&list->commands[i], &argument);
        const char *const argv[] = {
            "postconf",          "-c",
            setup->directory,    postconf_flag(list->commands[i].verb),
            buf_cstr(&argument), NULL
        };
        int status = cli_run(argv, &out);
        buf_free(&argument);
        buf_free(&out);
        if (status != 0) {
            cli_error("that failed, after %zu of %zu commands; `setup "
                      "--remove` undoes them",
                      i, list->count);
            return false;
        }
    }
    return true;
}

/* A Postfix that does not run finds it when it starts. */
static bool
reload(const struct setup *setup)
{
    const char *again[] = { "postfix", "-c", setup->directory, "reload", NULL };
    struct buf out = { 0 };
    bool ok = true;

    if (!postfix_runs(setup)) {
        puts("Postfix does not run here: it will find this when it starts.");
    } else if (cli_run_within(again, 30000, CLI_RUN_QUIET, &out) == 0) {
        puts("Postfix has reloaded.");
    } else {
        cli_error("postfix reload failed");
        ok = false;
    }
    buf_free(&out);
    return ok;
}

static int
act(struct setup *setup)
{
    struct buf copies = { 0 };
    bool ok = setup_files_back_up(setup->directory, &copies);

    if (ok)
        cli_say("Copies of main.cf and master.cf as they were: %.*s\n",
                SLICE_ARG(buf_slice(&copies)));
    buf_free(&copies);
    /* What is remembered covers what is about to be done, should it be cut
     * short. */
    if (ok && setup->action == APPLY)
        ok = setup_files_write_state(setup->directory,
                                     buf_slice(&setup->plan.state));
    ok = ok && run_commands(setup);
    if (ok && setup->action == REMOVE)
        ok = setup_files_drop_state(setup->directory);
    return ok && reload(setup) ? CLI_OK : CLI_NO;
}

static int
finish(struct setup *setup)
{
    bool removes = setup->action == REMOVE || setup->action == SHOW_REMOVE;
    bool shows = setup->action == SHOW_APPLY || setup->action == SHOW_REMOVE;
    struct slice shown = slice_from(setup->directory);
    struct buf script = { 0 };
    int status = CLI_OK;

    if (slice_equal(shown, SLICE_OF("/etc/postfix")))
        shown = (struct slice){ 0 };
    plan_print(&setup->plan, shown, &script);
    cli_say("%.*s", SLICE_ARG(buf_slice(&script)));
    buf_free(&script);
    print_lines(stdout, "note: ", &setup->plan.notes);
    if (setup->plan.commands.count == 0) {
        puts(removes ? "Nothing to take out."
                     : "Nothing to change: Onward is in front already.");
        if (setup->action == REMOVE &&
            !setup_files_drop_state(setup->directory))
            status = CLI_NO;
    } else if (shows) {
        cli_say("%zu commands, not run; `onward setup %s` runs them.\n",
                setup->plan.commands.count, removes ? "--remove" : "--apply");
    } else if (!removes && !look_for_onward(setup)) {
        status = CLI_UNREACHABLE;
    } else {
        fflush(stdout);
        status = act(setup);
    }
    return status;
}

static int
run(struct setup *setup)
{
    bool removes = setup->action == REMOVE || setup->action == SHOW_REMOVE;

    if (!setup_files_read_state(setup->directory, &setup->state) ||
        !postfix_texts_read(setup->directory, &setup->texts))
        return CLI_UNREACHABLE;
    if (!removes)
        postfix_texts_ask(setup->directory, setup->conf, &setup->texts);
    struct plan_input input = {
        .goal = removes ? PLAN_REMOVE : PLAN_APPLY,
        .conf = setup->conf,
        .postfix = postfix_texts_view(&setup->texts),
        .state = buf_slice(&setup->state),
    };
    if (!plan_make(&input, &setup->plan)) {
        print_lines(stderr, "onward: ", &setup->plan.refusals);
        return CLI_NO;
    }
    if (!look_at_ports(setup))
        return CLI_NO;
    return finish(setup);
}

static bool
parse(int argc, char **argv, struct setup *setup, const char **directory)
{
    static const struct option options[] = {
        { "apply", no_argument, NULL, 'a' },
        { "remove", no_argument, NULL, 'r' },
        { "dry-run", no_argument, NULL, 'n' },
        { "force", no_argument, NULL, 'f' },
        { "postfix-config", required_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 },
    };
    bool apply = false, removes = false, dry = false;
    int letter;

    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (letter) {
        case 'a':
            apply = true;
            break;
        case 'r':
            removes = true;
            break;
        case 'n':
            dry = true;
            break;
        case 'f':
            setup->force = true;
            break;
        case 'd':
            *directory = optarg;
            break;
        default:
            return false;
        }
    }
    setup->action = removes         ? (dry ? SHOW_REMOVE : REMOVE)
                    : apply && !dry ? APPLY
                                    : SHOW_APPLY;
    return optind == argc && !(apply && removes);
}

int
command_setup(const struct cli *cli, int argc, char **argv)
{
    struct setup setup = { 0 };
    struct buf directory = { 0 };
    const char *option = NULL;
    int status = CLI_BAD_CONF;

    if (!parse(argc, argv, &setup, &option))
        return cli_usage("setup");
    postfix_directory(cli, option, &directory);
    setup.directory = buf_cstr(&directory);
    bool removes = setup.action == REMOVE || setup.action == SHOW_REMOVE;
    /* Taking it out must work when its configuration is gone. */
    if (!removes)
        setup.conf = cli_load(cli);
    if (removes || setup.conf != NULL)
        status = run(&setup);
    plan_free(&setup.plan);
    postfix_texts_free(&setup.texts);
    buf_free(&setup.state);
    buf_free(&directory);
    conf_unref(setup.conf);
    return status;
}
