/* The upper tail of chi-squared is the regularised incomplete gamma function
 * Q(dof / 2, x / 2): below its bend by the power series of 1 - Q, above by the
 * continued fraction of Q, evaluated by Lentz's method.  Reference: NIST
 * Digital Library of Mathematical Functions, 8.7.1 and 8.9.2. */
#include <float.h>
#include <math.h>

#include "balans/metric/kbet.h"

enum { TERMS = 100000 };

static double series(double a, double x)
{
    double term = 1 / a, sum = term;

    for (int i = 1; i < TERMS && term > sum * DBL_EPSILON; i++) {
        term *= x / (a + i);
        sum += term;
    }
    return sum;
}

static double fraction(double a, double x)
{
    double b = x + 1 - a, c = 1 / DBL_MIN, d = 1 / b, f = d;

    for (int i = 1; i < TERMS; i++) {
        double an = -i * (i - a), step;
        b += 2;
        d = an * d + b;
        c = b + an / c;
        d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
        c = fabs(c) < DBL_MIN ? DBL_MIN : c;
        step = c * d;
        f *= step;
        if (fabs(step - 1) < DBL_EPSILON)
            break;
    }
    return f;
}

double bal_chi2_survival(double x, double dof)
{
    double a = dof / 2, y = x / 2;

    if (!(y > 0))
        return 1;
    double front = exp(a * log(y) - y - lgamma(a));
    return y < a + 1 ? 1 - front * series(a, y) : front * fraction(a, y);
}
