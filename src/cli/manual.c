#include "balans/cli/manual.h"

#include <ctype.h>

#include "balans/app/options.h"
#include "balans/app/version.h"

/* ---- roff ---- */

/* A hyphen is a minus, and a point or an apostrophe at the start of a line
 * would be a request. */
static void put_text(const char *text, FILE *stream)
{
    bool start = true;

    for (; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", stream);
        if (*text == '-')
            fputs("\\-", stream);
        else if (*text == '\\')
            fputs("\\e", stream);
        else
            fputc(*text, stream);
        start = *text == '\n';
    }
}

static void put_head(const char *name, const char *meaning, FILE *stream)
{
    fprintf(stream, ".TH %s 1 \"\" \"balans %s\" \"balans\"\n.SH NAME\n", name,
            bal_version());
    put_text(name, stream);
    fputs(" \\- ", stream);
    put_text(meaning, stream);
    fputs("\n.SH SYNOPSIS\n", stream);
}

static void put_option(const bal_option *o, unsigned commands, FILE *stream)
{
    char text[1024];

    fputs(".TP\n.B ", stream);
    put_text(bal_option_names(o, text, sizeof text), stream);
    fputc('\n', stream);
    put_text(bal_option_describe(o, commands, text, sizeof text), stream);
    fputs(".\n", stream);
}

static void put_options(unsigned commands, FILE *stream)
{
    for (int group = 0; group < BAL_GROUP_COUNT; group++) {
        bal_group g = (bal_group)group;
        const bal_option *o = bal_option_next_in(commands, g, NULL);
        if (o != NULL)
            fprintf(stream, ".SS %s\n", bal_group_title(g));
        for (; o != NULL; o = bal_option_next_in(commands, g, o))
            put_option(o, commands, stream);
    }
}

static void put_exit_codes(FILE *stream)
{
    fputs(".SH EXIT STATUS\n"
          "0 done; 1 failed; 2 wrong usage; 75 stopped with a checkpoint, run "
          "the same command again.\n",
          stream);
}

static void put_program(FILE *stream)
{
    put_head("balans", "batch correction of Cell Painting profiles", stream);
    fputs(".B balans\nCOMMAND [ARGUMENT]...\n.SH COMMANDS\n", stream);
    for (const bal_command *c = bal_commands; c->name != NULL; c++) {
        fprintf(stream, ".TP\n.BR balans\\-%s (1)\n", c->name);
        put_text(c->meaning, stream);
        fputc('\n', stream);
    }
    fputs(".SH OPTIONS\n.TP\n.B \\-h, \\-\\-help\nlist the commands\n"
          ".TP\n.B \\-V, \\-\\-version\nversions of the program and its "
          "libraries\n",
          stream);
}

static void put_command(const bal_command *command, FILE *stream)
{
    char name[64];

    snprintf(name, sizeof name, "balans-%s", command->name);
    put_head(name, command->meaning, stream);
    fprintf(stream, ".B balans %s\n", command->name);
    for (int i = 0; i < BAL_OPERANDS_MOST && command->operand[i].name; i++)
        fprintf(stream, "%s ", command->operand[i].name);
    fputs("[OPTION]...\n", stream);
    if (command->notes != NULL) {
        fputs(".SH DESCRIPTION\n.nf\n", stream);
        put_text(command->notes, stream);
        fputs(".fi\n", stream);
    }
    fputs(".SH OPTIONS\n", stream);
    put_options(command->options, stream);
}

void bal_manual_page(const bal_command *command, FILE *stream)
{
    if (command != NULL)
        put_command(command, stream);
    else
        put_program(stream);
    put_exit_codes(stream);
}

/* ---- bash ---- */

static void put_choices(const bal_command *c, FILE *stream)
{
    for (const bal_option *o = NULL;
         (o = bal_option_next(c->options, o)) != NULL;) {
        if (o->choice == NULL)
            continue;
        fprintf(stream, "    %s,--%s) words='", c->name, o->name);
        for (int i = 0; o->choice[i] != NULL; i++)
            fprintf(stream, "%s%s", i > 0 ? " " : "", o->choice[i]);
        fputs("' ;;\n", stream);
    }
}

static void put_names(const bal_command *c, FILE *stream)
{
    fprintf(stream, "    %s,-*) words='--help", c->name);
    for (const bal_option *o = NULL;
         (o = bal_option_next(c->options, o)) != NULL;)
        fprintf(stream, " --%s", o->name);
    fputs("' ;;\n", stream);
}

/* After an option with choices come those; after a dash the options; else names
 * of files. */
void bal_manual_completion(FILE *stream)
{
    fputs("# Completion of balans for bash.\n"
          "_balans()\n"
          "{\n"
          "    local now=${COMP_WORDS[COMP_CWORD]} words=\n"
          "    local before=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    COMPREPLY=()\n"
          "    if ((COMP_CWORD == 1)) || [[ ${COMP_WORDS[1]} == help ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W 'help --help --version",
          stream);
    for (const bal_command *c = bal_commands; c->name != NULL; c++)
        fprintf(stream, " %s", c->name);
    fputs("' -- \"$now\")\n"
          "        return\n"
          "    fi\n"
          "    case ${COMP_WORDS[1]},$before in\n",
          stream);
    for (const bal_command *c = bal_commands; c->name != NULL; c++)
        put_choices(c, stream);
    fputs("    esac\n"
          "    [[ -n $words ]] || case ${COMP_WORDS[1]},$now in\n",
          stream);
    for (const bal_command *c = bal_commands; c->name != NULL; c++)
        put_names(c, stream);
    fputs(
        "    esac\n"
        "    [[ -z $words ]] ||\n"
        "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$now\")\n"
        "}\n"
        "complete -o default -F _balans balans\n",
        stream);
}
