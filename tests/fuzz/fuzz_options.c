/* The command line: the first byte names the command, the others are its
 * arguments, each with an end.  What was taken is said again as text, and taken
 * again, which changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "balans/app/options.h"
#include "balans/base/mem.h"
#include "balans/cli/args.h"
#include "target.h"

enum { ARGS = 32, TEXT = 4096 };

/* Files are the business of another target. */
static bool names_file(int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "--config", 8) == 0)
            return true;
    return false;
}

static void say_again(unsigned commands, bal_params *p)
{
    static char text[TEXT], again[TEXT];

    for (const bal_option *o = NULL;
         (o = bal_option_next(commands, o)) != NULL;) {
        bal_option_value(o, p, text, sizeof text);
        if (o->kind == BAL_OPTION_TEXT || strlen(text) == sizeof text - 1)
            continue;
        fuzz_insist(!bal_failed(bal_option_set(o, p, text, false, "again")));
        bal_option_value(o, p, again, sizeof again);
        fuzz_insist(strcmp(text, again) == 0);
    }
}

static void take(const bal_command *command, int argc, char *const *argv)
{
    bal_params p = {0};
    bal_verdict st = bal_args_read(fuzz_comm(), command, &p, argc, argv);

    if (!bal_failed(st))
        say_again(command->options, &p);
    else
        fuzz_insist(st.code == BAL_EUSAGE || st.code == BAL_EINPUT);
    bal_params_destroy(&p);
    bal_error_clear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[ARGS] = {0}, *text = malloc(size + 1);
    int argc = 0, commands = 0;
    bal_size held = bal_mem_held();

    while (bal_commands[commands].name != NULL)
        commands++;
    if (text != NULL && size > 0) {
        memcpy(text, data, size);
        text[size] = '\0';
        for (size_t at = 1; at < size && argc < ARGS;
             at += strlen(text + at) + 1)
            argv[argc++] = text + at;
        if (!names_file(argc, argv)) {
            (void)bal_args_ask_help(argc, argv);
            take(&bal_commands[data[0] % commands], argc, argv);
        }
    }
    free(text);
    fuzz_insist(bal_mem_held() == held);
    return 0;
}
