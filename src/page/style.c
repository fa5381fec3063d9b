#include "balans/page/style.h"

enum { COLOURS = 8, SHAPES = 6 };

static const int colour[COLOURS][3] = {
    {0, 114, 178}, {230, 159, 0}, {32, 32, 32},    {86, 180, 233},
    {213, 94, 0},  {0, 158, 115}, {204, 121, 167}, {240, 228, 66},
};

static const struct {
    int corners;
    double at[BAL_CORNERS_MOST][2];
} shape[SHAPES] = {
    {0, {{0}}},
    {3, {{0, -1.3}, {1.2, 0.9}, {-1.2, 0.9}}},
    {4, {{-0.9, -0.9}, {0.9, -0.9}, {0.9, 0.9}, {-0.9, 0.9}}},
    {4, {{0, -1.35}, {1.1, 0}, {0, 1.35}, {-1.1, 0}}},
    {12,
     {{-0.4, -1.2},
      {0.4, -1.2},
      {0.4, -0.4},
      {1.2, -0.4},
      {1.2, 0.4},
      {0.4, 0.4},
      {0.4, 1.2},
      {-0.4, 1.2},
      {-0.4, 0.4},
      {-1.2, 0.4},
      {-1.2, -0.4},
      {-0.4, -0.4}}},
    {3, {{0, 1.3}, {1.2, -0.9}, {-1.2, -0.9}}},
};

bal_style bal_style_of(int32_t i)
{
    bal_style s = {205, 205, 205, 0, {{0}}};
    int c = i % COLOURS, k = (i + i / 24) % SHAPES;

    if (i < 0)
        return s;
    s.red = colour[c][0];
    s.green = colour[c][1];
    s.blue = colour[c][2];
    s.corners = shape[k].corners;
    for (int j = 0; j < s.corners; j++) {
        s.corner[j][0] = shape[k].at[j][0];
        s.corner[j][1] = shape[k].at[j][1];
    }
    return s;
}

void bal_shade(double value, int rgb[3])
{
    static const int stop[][3] = {{255, 255, 255}, {198, 219, 239},
                                  {107, 174, 214}, {33, 113, 181},
                                  {8, 48, 107},    {2, 15, 38}};
    enum { LAST = sizeof stop / sizeof *stop - 1 };
    double at = (value < 0 ? 0 : value > 1 ? 1 : value) * LAST;
    int from = at < LAST ? (int)at : LAST - 1;

    for (int i = 0; i < 3; i++)
        rgb[i] = (int)(stop[from][i] +
                       (at - from) * (stop[from + 1][i] - stop[from][i]) + 0.5);
}
