#include "balans/page/scale.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define THIN "\xe2\x80\xaf" /* U+202F, which does not break */

int bal_ticks(double low, double high, int most, double *tick)
{
    static const double round[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10((high - low) / most))), step = power;
    int count = 0;

    for (int i = 0; i < 4; i++) {
        step = round[i] * power;
        if ((high - low) / step <= most * (1 + 1e-9))
            break;
    }
    for (double i = ceil(low / step - 1e-9);
         i <= high / step + 1e-9 && count < BAL_TICKS_MOST; i++)
        tick[count++] = i * step + 0.0; /* no -0 */
    if (count == 0)
        tick[count++] = low;
    return count;
}

double bal_axis_at(const bal_axis *a, double value)
{
    return a->from + (value - a->low) / (a->high - a->low) * (a->to - a->from);
}

char *bal_number(char *buf, size_t size, double value)
{
    char digits[64];
    size_t length, at = 0;

    if (fabs(value) < 1e4 || fabs(value) >= 1e15 || value != floor(value)) {
        snprintf(buf, size, fabs(value) < 1e4 ? "%.4g" : "%.3e", value);
        return buf;
    }
    snprintf(digits, sizeof digits, "%.0f", fabs(value));
    length = strlen(digits);
    buf[0] = '\0';
    for (size_t i = 0; i < length && at + 8 < size; i++)
        at += (size_t)snprintf(
            buf + at, size - at, "%s%s%c", i == 0 && value < 0 ? "-" : "",
            i > 0 && (length - i) % 3 == 0 ? THIN : "", digits[i]);
    return buf;
}
