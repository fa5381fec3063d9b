#include "reference_pca.h"

#include <math.h>
#include <string.h>

static double column_mean(const double *v, int n, int d, int f)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += v[i * d + f];
    return sum / n;
}

static void centre(double *v, int n, int d, int f)
{
    double mean = column_mean(v, n, d, f);

    for (int i = 0; i < n; i++)
        v[i * d + f] -= mean;
}

static void scale_and_clip(double *v, int n, int d, int f, double clip)
{
    double square = 0;

    for (int i = 0; i < n; i++)
        square += v[i * d + f] * v[i * d + f];
    double sd = sqrt(square / n);
    for (int i = 0; i < n; i++)
        v[i * d + f] = fmin(fmax(v[i * d + f] / sd, -clip), clip);
}

void ref_standardise(const float *x, int n, int d, bool standard, double clip,
                     double *xs)
{
    for (int f = 0; f < d; f++) {
        bool varies = false;
        for (int i = 0; i < n; i++) {
            xs[i * d + f] = (double)x[i * d + f];
            varies = varies || x[i * d + f] != x[f];
        }
        if (!varies) {
            for (int i = 0; i < n; i++)
                xs[i * d + f] = 0;
            continue;
        }
        centre(xs, n, d, f);
        if (standard) {
            scale_and_clip(xs, n, d, f, clip);
            centre(xs, n, d, f);
        }
    }
}

void ref_covariance(const double *xs, int n, int d, double *c)
{
    for (int i = 0; i < d; i++)
        for (int j = 0; j < d; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += xs[k * d + i] * xs[k * d + j];
            c[i * d + j] = n > 1 ? sum / (n - 1) : 0;
        }
}

static void rotate(double *a, double *v, int n, int p, int q)
{
    double apq = a[p * n + q];
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;

    for (int k = 0; k < n; k++) {
        double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (int k = 0; k < n; k++) {
        double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
    }
    for (int k = 0; k < n; k++) {
        double x = v[p * n + k], y = v[q * n + k];
        v[p * n + k] = c * x - s * y;
        v[q * n + k] = s * x + c * y;
    }
}

static void swap(double *x, double *y)
{
    double t = *x;

    *x = *y;
    *y = t;
}

void ref_eigh(double *a, int n, double *value, double *vector)
{
    memset(vector, 0, (size_t)n * (size_t)n * sizeof *vector);
    for (int i = 0; i < n; i++)
        vector[i * n + i] = 1;
    for (int sweep = 0; sweep < 30; sweep++)
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++)
                if (fabs(a[p * n + q]) > 1e-300)
                    rotate(a, vector, n, p, q);
    for (int i = 0; i < n; i++)
        value[i] = a[i * n + i];
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++) {
            if (value[j] <= value[i])
                continue;
            swap(&value[i], &value[j]);
            for (int k = 0; k < n; k++)
                swap(&vector[i * n + k], &vector[j * n + k]);
        }
}

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;

    for (int k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

double ref_subspace_gap(const double *a, const double *b, int k, int n)
{
    double outside = 0;

    for (int i = 0; i < k; i++)
        for (int f = 0; f < n; f++) {
            double left = a[i * n + f];
            for (int j = 0; j < k; j++)
                left -= dot(a + i * n, b + j * n, n) * b[j * n + f];
            outside += left * left;
        }
    return sqrt(outside);
}

double ref_orthogonality(const double *a, int k, int n)
{
    double worst = 0;

    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++)
            worst = fmax(worst, fabs(dot(a + i * n, a + j * n, n) - (i == j)));
    return worst;
}
