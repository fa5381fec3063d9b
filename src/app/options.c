#include "balans/app/options.h"

#include <string.h>

#include "balans/algo/row.h"
#include "balans/base/mem.h"
#include "balans/base/text.h"

static void *member(const bal_option *o, bal_params *p)
{
    return (char *)p + o->at;
}

/* ---- text to one value; each sets it only if the text is allowed ---- */

static bool is_inside(const bal_option *o, double v)
{
    return (o->above ? v > o->low : v >= o->low) &&
           (o->below ? v < o->high : v <= o->high);
}

static bool set_int(const bal_option *o, const char *text, int64_t *out)
{
    int64_t v;

    if (!bal_parse_int(text, &v) || !is_inside(o, (double)v))
        return false;
    *out = v;
    return true;
}

static bool set_real(const bal_option *o, const char *text, double *out)
{
    double v;

    if (!bal_parse_real(text, &v) || !is_inside(o, v))
        return false;
    *out = v;
    return true;
}

static bool set_size(const bal_option *o, const char *text, int64_t *out)
{
    bal_size v;

    if (!bal_parse_size(text, &v) || !is_inside(o, (double)v))
        return false;
    *out = v;
    return true;
}

static bool set_flag(const char *text, bool *out)
{
    bool yes = strcmp(text, "true") == 0;

    if (!yes && strcmp(text, "false") != 0)
        return false;
    *out = yes;
    return true;
}

static bool set_choice(const bal_option *o, const char *text, int *out)
{
    for (int i = 0; o->choice[i] != NULL; i++)
        if (strcmp(text, o->choice[i]) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static bool set_share(const char *text, size_t length, double *out)
{
    char number[64];
    double percent;

    if (length >= sizeof number)
        return false;
    memcpy(number, text, length);
    number[length] = '\0';
    if (!bal_parse_real(number, &percent) || percent <= 0 || percent > 100)
        return false;
    *out = percent / 100;
    return true;
}

/* K, F% or K,F%. */
static bool set_neighbors(const char *text, bal_neighbors *out)
{
    const char *comma = strchr(text, ',');
    const char *share = comma != NULL ? comma + 1 : text;
    size_t length = strlen(share);
    bool shared = length > 0 && share[length - 1] == '%';
    char number[32];
    bal_neighbors both = {0};

    if (comma != NULL && (!shared || comma - text >= (int)sizeof number))
        return false;
    if (shared && !set_share(share, length - 1, &both.share))
        return false;
    if (comma != NULL || !shared) {
        size_t digits = comma != NULL ? (size_t)(comma - text) : length;
        if (digits >= sizeof number)
            return false;
        memcpy(number, text, digits);
        number[digits] = '\0';
        if (!bal_parse_int(number, &both.k) || both.k < 1)
            return false;
    }
    *out = both;
    return true;
}

static bal_status set_text(const char *text, char **out)
{
    char *copy;
    size_t bytes = strlen(text) + 1;
    bal_status st = bal_alloc(&copy, (bal_size)bytes, "an option");

    if (bal_failed(st))
        return st;
    memcpy(copy, text, bytes);
    bal_free(out);
    *out = copy;
    return BAL_OK;
}

/* A value given again is added to the ones before it. */
static bal_status add_text(const char *text, char **out)
{
    size_t before = strlen(*out), bytes = strlen(text) + 1;
    bal_status st =
        bal_resize(out, (bal_size)(before + 1 + bytes), "an option");

    if (bal_failed(st))
        return st;
    (*out)[before] = '\n';
    memcpy(*out + before + 1, text, bytes);
    return BAL_OK;
}

static bool set_number(const bal_option *o, void *value, const char *text)
{
    switch (o->kind) {
    case BAL_OPTION_INT:
        return set_int(o, text, value);
    case BAL_OPTION_SEED:
        return bal_parse_u64(text, value);
    case BAL_OPTION_REAL:
        return set_real(o, text, value);
    case BAL_OPTION_FLAG:
        return set_flag(text, value);
    case BAL_OPTION_CHOICE:
        return set_choice(o, text, value);
    case BAL_OPTION_NEIGHBORS:
        return set_neighbors(text, value);
    case BAL_OPTION_SIZE:
        return set_size(o, text, value);
    case BAL_OPTION_TEXT:
        break;
    }
    return false;
}

static const char *nearest_choice(const bal_option *o, const char *text)
{
    static const char *const flags[] = {"true", "false"};
    size_t count = 0;

    if (o->kind == BAL_OPTION_FLAG)
        return bal_nearest(text, flags, 2);
    while (o->choice != NULL && o->choice[count] != NULL)
        count++;
    return bal_nearest(text, o->choice, count);
}

bal_status bal_option_set(const bal_option *o, bal_params *p, const char *text,
                          bool again, const char *who)
{
    char allowed[256];
    const char *near;
    void *value = member(o, p);

    if (o->automatic && strcmp(text, "auto") == 0) {
        *(int64_t *)value = 0;
        return BAL_OK;
    }
    if (o->kind == BAL_OPTION_TEXT && text[0] != '\0')
        return o->repeated && again ? add_text(text, value)
                                    : set_text(text, value);
    if (set_number(o, value, text))
        return BAL_OK;
    bal_option_allowed(o, allowed, sizeof allowed);
    near = nearest_choice(o, text);
    if (near != NULL)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot take '%s' for %s: it must be %s; is '%s' meant",
                        text, who, allowed, near);
    return BAL_FAIL(BAL_EUSAGE, "cannot take '%s' for %s: it must be %s", text,
                    who, allowed);
}

/* ---- all of the table ---- */

const bal_option *bal_option_next(unsigned commands, const bal_option *o)
{
    o = o == NULL ? bal_options : o + 1;
    while (o->name != NULL && (o->commands & commands) == 0)
        o++;
    return o->name != NULL ? o : NULL;
}

const bal_option *bal_option_next_in(unsigned commands, bal_group group,
                                     const bal_option *o)
{
    do
        o = bal_option_next(commands, o);
    while (o != NULL && o->group != group);
    return o;
}

bal_status bal_params_default(bal_params *p)
{
    bal_status st = BAL_OK;

    *p = (bal_params){0};
    for (const bal_option *o = bal_options; o->name != NULL; o++)
        if (o->preset != NULL && !bal_failed(st))
            st = bal_option_set(o, p, o->preset, false, o->name);
    return st;
}

void bal_params_destroy(bal_params *p)
{
    for (const bal_option *o = bal_options; o->name != NULL; o++)
        if (o->kind == BAL_OPTION_TEXT)
            bal_free((char **)member(o, p));
    bal_free(&p->input);
    bal_free(&p->model);
    bal_free(&p->output);
}

bal_status bal_options_complete(unsigned commands, const bal_params *p)
{
    for (const bal_option *o = NULL;
         (o = bal_option_next(commands, o)) != NULL;)
        if ((o->required & commands) != 0 &&
            *(char *const *)((const char *)p + o->at) == NULL)
            return BAL_FAIL(BAL_EUSAGE,
                            "cannot start without option '--%s'; give --%s "
                            "%s%s",
                            o->name, o->name, o->operand,
                            strcmp(o->operand, "COLUMN") == 0
                                ? " ('balans info FILE.h5ad' lists the "
                                  "columns)"
                                : "");
    return BAL_OK;
}

const bal_option *bal_option_find(unsigned commands, const char *name)
{
    const bal_option *o = NULL;

    while ((o = bal_option_next(commands, o)) != NULL)
        if (strcmp(o->name, name) == 0)
            break;
    return o;
}

const char *bal_option_nearest(unsigned commands, const char *name)
{
    const char *names[BAL_OPTIONS_MOST];
    size_t count = 0;

    for (const bal_option *o = NULL;
         (o = bal_option_next(commands, o)) != NULL;)
        names[count++] = o->name;
    return bal_nearest(name, names, count);
}

/* ---- files ---- */

static bool is_null(const bal_setting *s)
{
    return !s->quoted && (s->value[0] == '\0' || strcmp(s->value, "~") == 0 ||
                          strcmp(s->value, "null") == 0);
}

/* Kinds whose values are words or words with digits may stand in quotes. */
static bool may_be_quoted(const bal_option *o)
{
    return o->kind == BAL_OPTION_TEXT || o->kind == BAL_OPTION_CHOICE ||
           o->kind == BAL_OPTION_NEIGHBORS || o->kind == BAL_OPTION_SIZE;
}

static bal_status fail_unknown(const bal_setting *s, const char *path)
{
    const char *near = bal_option_nearest(BAL_FOR_CORRECT, s->key);

    if (near != NULL)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot use '%s', line %lld: there is no key '%s'; is "
                        "'%s' meant",
                        path, (long long)s->line, s->key, near);
    return BAL_FAIL(BAL_EUSAGE,
                    "cannot use '%s', line %lld: there is no key '%s'; 'balans "
                    "params' lists those there are",
                    path, (long long)s->line, s->key);
}

static bal_status configure_one(bal_params *p, const bal_setting *s,
                                const char *path)
{
    char who[512], allowed[256];
    const bal_option *o = bal_option_find(BAL_FOR_CORRECT, s->key);

    if (o == NULL || o->command_line)
        return fail_unknown(s, path);
    if (is_null(s) && o->kind == BAL_OPTION_TEXT && o->preset == NULL) {
        bal_free((char **)member(o, p));
        return BAL_OK;
    }
    snprintf(who, sizeof who, "key '%s' in '%s', line %lld", s->key, path,
             (long long)s->line);
    if (is_null(s) || (s->quoted && !may_be_quoted(o)))
        return BAL_FAIL(BAL_EUSAGE, "cannot take %s for %s: it must be %s",
                        is_null(s) ? "nothing" : "text in quotes", who,
                        bal_option_allowed(o, allowed, sizeof allowed));
    return bal_option_set(o, p, s->value, false, who);
}

bal_status bal_options_configure(bal_params *p, const bal_config *file)
{
    bal_status st = BAL_OK;

    for (bal_size i = 0; i < file->count && !bal_failed(st); i++)
        st = configure_one(p, &file->at[i], file->path);
    return st;
}
