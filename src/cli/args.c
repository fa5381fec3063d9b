#include "balans/cli/args.h"

#include <limits.h>
#include <string.h>

#include "balans/app/options.h"
#include "balans/base/mem.h"
#include "balans/cli/configs.h"
#include "balans/io/config.h"
#include "balans/par/agree.h"

/* A walk along the command line. */
typedef struct walk {
    const bal_command *command;
    int argc;
    char *const *argv;
    int at;                   /* next argument */
    bool only_operands;       /* behind "--" */
    const bal_option *option; /* what was found; NULL: an operand */
    const char *value;        /* of the option, or the operand itself */
} walk;

enum { NAME_MOST = 64 };

static bal_status fail_unknown(const walk *w, const char *name,
                               const char *given)
{
    const char *near = bal_option_nearest(w->command->options, name);

    if (near == NULL)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot take option '%s': there is none of that name; "
                        "--help lists those there are",
                        given);
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot take option '%s': there is none of that name; is "
                    "'--%s' meant",
                    given, near);
}

static bal_status take_value(walk *w, const char *given)
{
    const bal_option *o = w->option;

    if (o->kind == BAL_OPTION_FLAG) {
        w->value = "true";
        return BAL_OK;
    }
    if (w->at == w->argc || strncmp(w->argv[w->at], "--", 2) == 0)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot take option '%s' without a value; give %s %s",
                        given, given, o->operand);
    w->value = w->argv[w->at++];
    return BAL_OK;
}

static bal_status take_long(walk *w, const char *given)
{
    char name[NAME_MOST];
    size_t length = strcspn(given + 2, "=");
    bool joined = given[2 + length] == '=';

    if (length >= sizeof name)
        return fail_unknown(w, "", given);
    memcpy(name, given + 2, length);
    name[length] = '\0';
    w->option = bal_option_find(w->command->options, name);
    if (w->option == NULL)
        return fail_unknown(w, name, given);
    if (!joined)
        return take_value(w, given);
    w->value = given + 2 + length + 1;
    return BAL_OK;
}

static bal_status take_short(walk *w, const char *given)
{
    for (const bal_option *o = NULL;
         (o = bal_option_next(w->command->options, o)) != NULL;)
        if (o->letter != '\0' && given[1] == o->letter && given[2] == '\0') {
            w->option = o;
            return take_value(w, given);
        }
    return fail_unknown(w, given + 1, given);
}

/* One step: an option with its value, or an operand. */
static bal_status step(walk *w)
{
    const char *given = w->argv[w->at++];

    w->option = NULL;
    w->value = given;
    if (w->only_operands || given[0] != '-' || given[1] == '\0')
        return BAL_OK;
    return given[1] == '-' ? take_long(w, given) : take_short(w, given);
}

static bool at_separator(walk *w)
{
    if (w->only_operands || strcmp(w->argv[w->at], "--") != 0)
        return false;
    w->only_operands = true;
    w->at++;
    return true;
}

/* ---- what the walk is for ---- */

static bal_status set_operand(const bal_command *command, bal_params *p,
                              int number, const char *text)
{
    bal_status st;
    const bal_operand *o = command->operand;
    size_t bytes = strlen(text) + 1;
    int most = 0;

    while (most < BAL_OPERANDS_MOST && o[most].name != NULL)
        most++;
    if (number >= most)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot take argument '%s': '%s' has %d operand%s; "
                        "options start with '--'",
                        text, command->name, most, most == 1 ? "" : "s");
    if (bytes == 1)
        return BAL_FAIL(BAL_EUSAGE, "cannot take an empty argument for %s",
                        o[number].name);
    char **slot = (char **)((char *)p + o[number].at);
    BAL_TRY(bal_alloc(slot, (bal_size)bytes, "an argument"));
    memcpy(*slot, text, bytes);
done:
    return st;
}

static bal_status fail_twice(const walk *w, const bal_params *p)
{
    char before[256];
    const bal_option *o = w->option;

    return BAL_FAIL(BAL_EUSAGE,
                    "cannot take option '--%s' twice; several are one list: "
                    "--%s %s,%s",
                    o->name, o->name,
                    bal_option_value(o, p, before, sizeof before), w->value);
}

static bal_status set_option(const walk *w, bal_params *p)
{
    char who[NAME_MOST + 16];
    bool *again = &p->given[w->option - bal_options];

    if (*again && w->option->list)
        return fail_twice(w, p);
    snprintf(who, sizeof who, "option '--%s'", w->option->name);
    bal_status st = bal_option_set(w->option, p, w->value, *again, who);
    *again = true;
    return st;
}

static bal_status check(const bal_command *command, int operands,
                        const bal_params *p)
{
    const bal_operand *o = &command->operand[operands];
    bal_status st;

    if (operands < BAL_OPERANDS_MOST && o->name != NULL)
        return BAL_FAIL(BAL_EUSAGE, "cannot start without %s; give %s", o->what,
                        o->name);
    st = bal_options_complete(command->options, p);
    return bal_failed(st) ? st : bal_params_check(p);
}

static bal_status apply(const bal_command *command, bal_params *p, int argc,
                        char *const *argv)
{
    bal_status st;
    walk w = {.command = command, .argc = argc, .argv = argv};
    int operands = 0;

    while (w.at < argc) {
        if (at_separator(&w))
            continue;
        BAL_TRY(step(&w));
        if (w.option != NULL)
            BAL_TRY(set_option(&w, p));
        else
            BAL_TRY(set_operand(command, p, operands++, w.value));
    }
    BAL_TRY(check(command, operands, p));
done:
    return st;
}

/* The file of --config has to be known before anything else is set; empty if
 * there is none. */
static bal_status find_config(const bal_command *command, int argc,
                              char *const *argv, char *path, size_t size)
{
    bal_status st = BAL_OK;
    walk w = {.command = command, .argc = argc, .argv = argv};
    const char *given = NULL;

    path[0] = '\0';
    while (w.at < argc) {
        if (at_separator(&w))
            continue;
        BAL_TRY(step(&w));
        if (w.option != NULL && strcmp(w.option->name, "config") == 0)
            given = w.value;
    }
    if (given != NULL)
        BAL_TRY(bal_configs_find(given, path, size));
done:
    return st;
}

bal_verdict bal_args_read(bal_comm *c, const bal_command *command,
                          bal_params *p, int argc, char *const *argv)
{
    bal_verdict st;
    bal_config *file = NULL;
    char path[PATH_MAX];

    BAL_TRY(bal_agree(c, find_config(command, argc, argv, path, sizeof path)));
    BAL_TRY(bal_agree(c, bal_params_default(p)));
    if (path[0] != '\0') {
        BAL_TRY(bal_config_read(c, path, &file));
        BAL_TRY(bal_agree(c, bal_options_configure(p, file)));
    }
    BAL_TRY(bal_agree(c, apply(command, p, argc, argv)));
done:
    bal_config_destroy(&file);
    return st;
}

bool bal_args_ask_help(int argc, char *const *argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}
