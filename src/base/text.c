#include "balans/base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"

/* strtol() and its kind skip blanks and accept "0x" and "nan"; a value of ours
 * starts with a digit, a sign or a point. */
static bool starts_number(const char *s)
{
    if (*s == '+' || *s == '-')
        s++;
    return isdigit((unsigned char)*s) || *s == '.';
}

bool bal_parse_int(const char *s, int64_t *out)
{
    char *end;

    errno = 0;
    if (!starts_number(s))
        return false;
    long long v = strtoll(s, &end, 10);
    if (errno != 0 || end == s || *end != '\0')
        return false;
    *out = v;
    return true;
}

bool bal_parse_u64(const char *s, uint64_t *out)
{
    char *end;

    errno = 0;
    if (!isdigit((unsigned char)*s))
        return false;
    unsigned long long v = strtoull(s, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *out = v;
    return true;
}

static bool parse_leading_real(const char *s, double *out, char **end)
{
    errno = 0;
    if (!starts_number(s) || strpbrk(s, "xX") != NULL)
        return false;
    double v = strtod(s, end);
    if (*end == s || !isfinite(v) || (errno == ERANGE && fabs(v) > 1))
        return false;
    *out = v;
    return true;
}

bool bal_parse_real(const char *s, double *out)
{
    char *end;
    double v;

    if (!parse_leading_real(s, &v, &end) || *end != '\0')
        return false;
    *out = v;
    return true;
}

bool bal_parse_size(const char *s, bal_size *out)
{
    static const char units[] = "KMGTP";
    char *end;
    double v;

    if (!parse_leading_real(s, &v, &end) || v < 0)
        return false;
    const char *unit =
        *end != '\0' ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit != NULL) {
        v = ldexp(v, 10 * (int)(unit - units + 1));
        end++;
        if (end[0] == 'i' && end[1] == 'B')
            end++;
    }
    if (*end == 'B')
        end++;
    if (*end != '\0' || v > 9e18)
        return false;
    *out = (bal_size)v;
    return true;
}

char *bal_join(char *buf, size_t size, char *const *item, bal_size count)
{
    static const char cut[] = ", ...";
    size_t used = 0;

    snprintf(buf, size, "none");
    for (bal_size i = 0; i < count; i++) {
        size_t more = strlen(item[i]) + (i > 0 ? 2 : 0);
        if (used + more + sizeof cut > size) {
            snprintf(buf + used, size - used, "%s", i > 0 ? cut : "...");
            break;
        }
        used += (size_t)snprintf(buf + used, size - used, "%s%s",
                                 i > 0 ? ", " : "", item[i]);
    }
    return buf;
}

char *bal_bytes(char *buf, size_t size, bal_size bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double v = (double)bytes;
    int u = 0;

    while (v >= 1024 && u < 5) {
        v /= 1024;
        u++;
    }
    snprintf(buf, size, u == 0 ? "%.0f %s" : "%.1f %s", v, unit[u]);
    return buf;
}

static int least(int a, int b, int c)
{
    int ab = a < b ? a : b;

    return ab < c ? ab : c;
}

enum { NAME_MOST = 40 };

/* Insertions, deletions and replacements that turn one name into the other;
 * NAME_MOST if one is too long to be compared. */
static int edits(const char *a, const char *b)
{
    int row[NAME_MOST];
    int m = (int)strlen(b);

    if (m >= NAME_MOST || strlen(a) >= NAME_MOST)
        return NAME_MOST;
    for (int j = 0; j <= m; j++)
        row[j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int corner = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int replaced = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            row[j] = least(replaced, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[m];
}

const char *bal_nearest(const char *given, const char *const *name,
                        size_t count)
{
    const char *nearest = NULL;
    int fewest = (int)strlen(given) / 3 + 2;

    for (size_t i = 0; i < count; i++) {
        int now = edits(name[i], given);
        if (now < fewest) {
            fewest = now;
            nearest = name[i];
        }
    }
    return nearest;
}

const char *bal_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

bal_status bal_path_folder(const char *path, char **out)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    bal_status st = bal_alloc(out, (bal_size)length + 1, "a path");

    if (!bal_failed(st))
        memcpy(*out, slash == NULL ? "." : path, length);
    return st;
}
