/* One function a command (or group of subcommands); see ../cli.h. */
#ifndef ONWARD_COMMANDS_H
#define ONWARD_COMMANDS_H

#include "cli.h"

int command_serve(const struct cli *cli, int argc, char **argv);
int command_check(const struct cli *cli, int argc, char **argv);
int command_config(const struct cli *cli, int argc, char **argv);
int command_explain(const struct cli *cli, int argc, char **argv);
int command_srs(const struct cli *cli, int argc, char **argv);
int command_dkim(const struct cli *cli, int argc, char **argv);
int command_map(const struct cli *cli, int argc, char **argv);
int command_setup(const struct cli *cli, int argc, char **argv);
int command_import(const struct cli *cli, int argc, char **argv);
int command_status(const struct cli *cli, int argc, char **argv);
int command_trace(const struct cli *cli, int argc, char **argv);
int command_verify(const struct cli *cli, int argc, char **argv);

#endif
