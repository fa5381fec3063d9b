#define _POSIX_C_SOURCE 200809L
/* What the table of options says: allowed values, YAML, --help, provenance. */
#include "balans/app/options.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "balans/algo/row.h"
#include "balans/base/text.h"
#include "balans/io/report.h"

static const void *member(const bal_option *o, const bal_params *p)
{
    return (const char *)p + o->at;
}

/* ---- allowed values ---- */

static void append(char *buf, size_t size, const char *text)
{
    size_t used = strlen(buf);

    snprintf(buf + used, size - used, "%s", text);
}

static void describe_choice(const bal_option *o, char *buf, size_t size)
{
    buf[0] = '\0';
    for (int i = 0; o->choice[i] != NULL; i++) {
        if (i > 0)
            append(buf, size, o->choice[i + 1] == NULL ? " or " : ", ");
        append(buf, size, o->choice[i]);
    }
}

/* A range without an upper end has an infinite one. */
static void describe_range(const bal_option *o, const char *noun, char *buf,
                           size_t size)
{
    char end[64];

    if (isinf(o->high)) {
        snprintf(buf, size, "%s %s %.15g", noun,
                 o->above ? "above" : "of at least", o->low);
        return;
    }
    snprintf(buf, size, "%s %s %.15g", noun, o->above ? "above" : "from",
             o->low);
    snprintf(end, sizeof end, " %s %.15g",
             o->below ? (o->above ? "and below" : "to below")
                      : (o->above ? "and up to" : "to"),
             o->high);
    append(buf, size, end);
}

static void describe_size(const bal_option *o, char *buf, size_t size)
{
    char low[32];

    snprintf(buf, size, "a size of at least %s, such as 512M or 2G",
             bal_bytes(low, sizeof low, (bal_size)o->low));
}

char *bal_option_allowed(const bal_option *o, char *buf, size_t size)
{
    switch (o->kind) {
    case BAL_OPTION_TEXT:
        snprintf(buf, size, "text that is not empty");
        break;
    case BAL_OPTION_INT:
        describe_range(o, "an integer", buf, size);
        break;
    case BAL_OPTION_SEED:
        snprintf(buf, size, "an integer from 0 to %" PRIu64, UINT64_MAX);
        break;
    case BAL_OPTION_REAL:
        describe_range(o, "a number", buf, size);
        break;
    case BAL_OPTION_FLAG:
        snprintf(buf, size, "true or false");
        break;
    case BAL_OPTION_CHOICE:
        describe_choice(o, buf, size);
        break;
    case BAL_OPTION_NEIGHBORS:
        snprintf(buf, size,
                 "an integer of at least 1, a share of each batch above 0%% "
                 "and up to 100%%, such as 0.1%%, or the larger of both, such "
                 "as 20,1%%");
        break;
    case BAL_OPTION_SIZE:
        describe_size(o, buf, size);
        break;
    }
    if (o->automatic)
        append(buf, size, ", or auto");
    return buf;
}

/* ---- values ---- */

/* The shortest decimal number that is read back as the same double. */
static void write_real(char *buf, size_t size, double v)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, size, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            return;
    }
}

static void write_neighbors(char *buf, size_t size, const bal_neighbors *v)
{
    char share[32];

    buf[0] = '\0';
    if (v->k > 0)
        snprintf(buf, size, "%" PRId64, v->k);
    if (v->share <= 0)
        return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(share, sizeof share, "%.*g", digits, 100 * v->share);
        if (strtod(share, NULL) / 100 == v->share)
            break;
    }
    append(buf, size, v->k > 0 ? "," : "");
    append(buf, size, share);
    append(buf, size, "%");
}

static void write_size(char *buf, size_t size, int64_t v)
{
    static const char units[] = "KMGT";
    int unit = -1;

    while (v > 0 && v % 1024 == 0 && unit < 3) {
        v /= 1024;
        unit++;
    }
    if (unit < 0)
        snprintf(buf, size, "%" PRId64, v);
    else
        snprintf(buf, size, "%" PRId64 "%c", v, units[unit]);
}

static void write_number(const bal_option *o, const void *v, char *buf,
                         size_t size)
{
    switch (o->kind) {
    case BAL_OPTION_INT:
        snprintf(buf, size, "%" PRId64, *(const int64_t *)v);
        break;
    case BAL_OPTION_SEED:
        snprintf(buf, size, "%" PRIu64, *(const uint64_t *)v);
        break;
    case BAL_OPTION_REAL:
        write_real(buf, size, *(const double *)v);
        break;
    case BAL_OPTION_FLAG:
        snprintf(buf, size, "%s", *(const bool *)v ? "true" : "false");
        break;
    case BAL_OPTION_CHOICE:
        snprintf(buf, size, "%s", o->choice[*(const int *)v]);
        break;
    case BAL_OPTION_NEIGHBORS:
        write_neighbors(buf, size, v);
        break;
    case BAL_OPTION_SIZE:
        write_size(buf, size, *(const int64_t *)v);
        break;
    case BAL_OPTION_TEXT:
        break;
    }
}

static const char *text_of(const bal_option *o, const bal_params *p)
{
    char *const *text = member(o, p);

    return *text;
}

char *bal_option_value(const bal_option *o, const bal_params *p, char *buf,
                       size_t size)
{
    const char *text;

    if (o->kind == BAL_OPTION_TEXT) {
        text = text_of(o, p);
        snprintf(buf, size, "%s", text != NULL ? text : "null");
    } else if (o->automatic && *(const int64_t *)member(o, p) == 0) {
        snprintf(buf, size, "auto");
    } else {
        write_number(o, member(o, p), buf, size);
    }
    return buf;
}

/* ---- YAML ---- */

/* Letters, digits, '_', '/', '.' and '-' inside mean themselves in YAML, unless
 * the whole is a word or number it knows. */
static bool is_plain(const char *text)
{
    static const char *const known[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};

    if (!isalpha((unsigned char)text[0]))
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("_/.-", *c) == NULL)
            return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(text, known[i]) == 0)
            return false;
    return true;
}

/* Double quotes understand every byte; UTF-8 passes as it is. */
static int print_text(const char *text, FILE *stream)
{
    int width = 2;

    if (is_plain(text))
        return fprintf(stream, "%s", text);
    fputc('"', stream);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            width += fprintf(stream, "\\%c", *c);
        else if ((unsigned char)*c < ' ' || *c == 0x7f)
            width += fprintf(stream, "\\x%02x", (unsigned)*c);
        else
            width += fprintf(stream, "%c", *c);
    }
    fputc('"', stream);
    return width;
}

static int print_value(const bal_option *o, const bal_params *p, FILE *stream)
{
    char buf[128];

    if (o->kind == BAL_OPTION_TEXT && text_of(o, p) != NULL)
        return print_text(text_of(o, p), stream);
    return fprintf(stream, "%s", bal_option_value(o, p, buf, sizeof buf));
}

void bal_options_print(unsigned commands, const bal_params *p, FILE *stream)
{
    char allowed[256];

    for (const bal_option *o = NULL;
         (o = bal_option_next(commands, o)) != NULL;) {
        if (o->command_line)
            continue;
        fprintf(stream, "\n# %s\n", o->meaning);
        int width = fprintf(stream, "%s: ", o->name);
        width += print_value(o, p, stream);
        fprintf(stream, "%*s# ", width < 24 ? 24 - width : 1, "");
        if (o->unit != NULL)
            fprintf(stream, "%s; ", o->unit);
        fprintf(stream, "%s\n", bal_option_allowed(o, allowed, sizeof allowed));
    }
}

/* ---- help ---- */

enum { HELP_COLUMN = 28, HELP_WIDTH = 79 };

/* Words in lines that start at HELP_COLUMN; `column` is where the first one
 * goes on. */
static void print_wrapped(const char *text, int column, FILE *stream)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column + 1 + length > HELP_WIDTH) {
            fprintf(stream, "\n%*s", HELP_COLUMN - 1, "");
            column = HELP_COLUMN - 1;
        }
        column += fprintf(stream, " %.*s", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

static void describe_default(const bal_option *o, unsigned commands, char *buf,
                             size_t size)
{
    if ((o->required & commands) != 0)
        snprintf(buf, size, " (required)");
    else if (o->preset != NULL && o->kind != BAL_OPTION_FLAG)
        snprintf(buf, size, " (default %s)", o->preset);
    else
        buf[0] = '\0';
}

char *bal_option_names(const bal_option *o, char *buf, size_t size)
{
    buf[0] = '\0';
    if (o->letter != '\0')
        snprintf(buf, size, "-%c, ", o->letter);
    append(buf, size, "--");
    append(buf, size, o->name);
    append(buf, size, o->operand != NULL ? " " : "");
    append(buf, size, o->operand != NULL ? o->operand : "");
    return buf;
}

char *bal_option_describe(const bal_option *o, unsigned commands, char *buf,
                          size_t size)
{
    char allowed[256] = "", preset[128];
    bool plain = o->kind == BAL_OPTION_TEXT || o->kind == BAL_OPTION_FLAG;

    describe_default(o, commands, preset, sizeof preset);
    snprintf(buf, size, "%s%s%s%s", o->meaning, plain ? "" : "; ",
             plain ? "" : bal_option_allowed(o, allowed, sizeof allowed),
             preset);
    return buf;
}

const char *bal_group_title(bal_group group)
{
    static const char *const title[BAL_GROUP_COUNT] = {
        [BAL_GROUP_DATA] = "Data",
        [BAL_GROUP_SPACE] = "Distance space",
        [BAL_GROUP_SAMPLING] = "Landmarks and affinities",
        [BAL_GROUP_CORRECTION] = "Correction",
        [BAL_GROUP_METRICS] = "Metrics",
        [BAL_GROUP_MIXTURE] = "Synthetic data",
        [BAL_GROUP_OUTPUT] = "Output",
        [BAL_GROUP_RESOURCES] = "Memory, threads, ranks",
        [BAL_GROUP_STOPPING] = "Stopping and going on",
        [BAL_GROUP_RUN] = "General",
    };

    return title[group];
}

static void print_option(const bal_option *o, unsigned commands, FILE *stream)
{
    char names[128], text[1024];
    int width =
        fprintf(stream, "  %s", bal_option_names(o, names, sizeof names));

    if (width > HELP_COLUMN - 2)
        fprintf(stream, "\n%*s", HELP_COLUMN - 1, "");
    else
        fprintf(stream, "%*s", HELP_COLUMN - 1 - width, "");
    print_wrapped(bal_option_describe(o, commands, text, sizeof text),
                  HELP_COLUMN - 1, stream);
}

void bal_options_help(unsigned commands, FILE *stream)
{
    bool first = true;

    for (int group = 0; group < BAL_GROUP_COUNT; group++) {
        bal_group g = (bal_group)group;
        const bal_option *o = bal_option_next_in(commands, g, NULL);
        if (o == NULL)
            continue;
        fprintf(stream, "%s%s:\n", first ? "" : "\n", bal_group_title(g));
        first = false;
        for (; o != NULL; o = bal_option_next_in(commands, g, o))
            print_option(o, commands, stream);
    }
}

/* ---- provenance ---- */

static json_t *value_of(const bal_option *o, const bal_params *p)
{
    char buf[128];
    const void *v = member(o, p);
    bool is_int = o->kind == BAL_OPTION_INT;

    if (o->kind == BAL_OPTION_SEED && *(const uint64_t *)v <= INT64_MAX)
        return json_integer((json_int_t) * (const uint64_t *)v);
    if (is_int && (!o->automatic || *(const int64_t *)v != 0))
        return json_integer(*(const int64_t *)v);
    if (o->kind == BAL_OPTION_REAL)
        return bal_report_real(*(const double *)v);
    if (o->kind == BAL_OPTION_FLAG)
        return json_boolean(*(const bool *)v);
    if (o->kind == BAL_OPTION_TEXT)
        return bal_report_text(text_of(o, p));
    return json_string(bal_option_value(o, p, buf, sizeof buf));
}

json_t *bal_options_report(unsigned commands, const bal_params *p)
{
    json_t *r = json_object();
    bool all = r != NULL;

    for (const bal_option *o = NULL;
         (o = bal_option_next(commands, o)) != NULL;)
        if (o->result && !(o->kind == BAL_OPTION_TEXT && text_of(o, p) == NULL))
            all = bal_report_add(r, o->name, value_of(o, p)) && all;
    return bal_report_whole(r, all);
}
