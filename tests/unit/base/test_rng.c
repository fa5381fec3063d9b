/* Random numbers as a function: known answers, and draws without bias. */
#include "balans/base/rng.h"
#include "mpi_check.h"

typedef struct answer {
    uint32_t key[2], counter[4], out[4];
} answer;

/* The published known answers of Philox4x32-10. */
static const answer known[] = {
    {{0, 0}, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0xa4093822, 0x299f31d0},
     {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};
enum { KNOWN = (int)(sizeof known / sizeof known[0]) };

START_TEST(gives_the_known_answers)
{
    uint32_t out[4];

    bal_philox(known[_i].key, known[_i].counter, out);
    for (int w = 0; w < 4; w++)
        all_assert(out[w] == known[_i].out[w]);
}
END_TEST

START_TEST(takes_the_low_word_first)
{
    const answer *a = &known[_i];
    uint64_t seed = a->key[0] | (uint64_t)a->key[1] << 32;
    uint64_t r = bal_rng_u64(seed, a->counter[0], a->counter[1], a->counter[2],
                             a->counter[3]);

    all_assert(r == (a->out[0] | (uint64_t)a->out[1] << 32));
}
END_TEST

START_TEST(draws_below_a_total)
{
    uint64_t top = UINT64_MAX;

    all_assert(bal_rng_below(top, 0) == 0);
    all_assert(bal_rng_below(0, top) == 0);
    all_assert(bal_rng_below(top, 1) == 0);
    all_assert(bal_rng_below(top, 7) == 6);
    all_assert(bal_rng_below(top, top) == top - 1);
    all_assert(bal_rng_below(UINT64_C(1) << 63, 7) == 3);
    all_assert(bal_rng_below(UINT64_C(1) << 63, top) == top / 2);
    /* one third of 2^64 lies between two numbers */
    all_assert(bal_rng_below(UINT64_C(0x5555555555555555), 3) == 0);
    all_assert(bal_rng_below(UINT64_C(0x5555555555555556), 3) == 1);
    /* where the sum of the two middle products carries */
    all_assert(bal_rng_below(UINT64_C(0xfffffffeffffffff),
                             UINT64_C(0xfffffffffffffffe)) ==
               UINT64_C(0xfffffffefffffffd));
}
END_TEST

/* The same product by adding and doubling, bit by bit. */
static uint64_t slow_high_half(uint64_t a, uint64_t b)
{
    uint64_t high = 0, low = 0;

    for (int bit = 63; bit >= 0; bit--) {
        high = high << 1 | low >> 63;
        low <<= 1;
        if (a >> bit & 1) {
            low += b;
            high += low < b;
        }
    }
    return high;
}

START_TEST(multiplies_exactly)
{
    for (uint32_t i = 0; i < 2000; i++) {
        uint64_t r = bal_rng_u64(1, i, 0, 0, 0);
        uint64_t total = bal_rng_u64(1, i, 1, 0, 0) >> i % 64;
        all_assert(bal_rng_below(r, total) == slow_high_half(r, total));
    }
}
END_TEST

START_TEST(draws_evenly)
{
    int seen[10] = {0};

    for (uint32_t i = 0; i < 100000; i++)
        seen[bal_rng_below(bal_rng_u64(5, 0, 0, i, 0), 10)]++;
    for (int item = 0; item < 10; item++)
        all_assert_msg(seen[item] > 9600 && seen[item] < 10400,
                       "item %d was drawn %d times", item, seen[item]);
}
END_TEST

/* Each item once, another order for another seed or counter, and every place
 * taken about as often by every item. */
START_TEST(orders_at_random)
{
    enum { MOST = 300, ITEMS = 10, SEEDS = 20000 };
    int same = 0, at[ITEMS][ITEMS] = {{0}};

    for (uint64_t n = 1; n < MOST; n++) {
        bool seen[MOST] = {false};
        for (uint64_t i = 0; i < n; i++) {
            uint64_t item = bal_rng_order(3, 1, (uint32_t)n, n, i);
            all_assert(item < n && !seen[item]);
            seen[item] = true;
        }
    }
    for (uint64_t i = 0; i < MOST; i++)
        same += bal_rng_order(3, 1, 2, MOST, i) ==
                    bal_rng_order(4, 1, 2, MOST, i) ||
                bal_rng_order(3, 1, 2, MOST, i) ==
                    bal_rng_order(3, 1, 3, MOST, i);
    all_assert_msg(same < 12, "%d places are the same", same);
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (uint64_t i = 0; i < ITEMS; i++)
            at[i][bal_rng_order(seed, 0, 0, ITEMS, i)]++;
    for (int i = 0; i < ITEMS; i++)
        for (int item = 0; item < ITEMS; item++)
            all_assert_msg(at[i][item] > 1800 && at[i][item] < 2200,
                           "item %d is at %d %d times", item, i, at[i][item]);
    all_assert(bal_rng_order(1, 0, 0, UINT64_C(1) << 40, 7) <
               UINT64_C(1) << 40);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("base/rng");
    TCase *tcase = tcase_create("rng");

    tcase_add_loop_test(tcase, gives_the_known_answers, 0, KNOWN);
    tcase_add_loop_test(tcase, takes_the_low_word_first, 0, KNOWN);
    tcase_add_test(tcase, draws_below_a_total);
    tcase_add_test(tcase, multiplies_exactly);
    tcase_add_test(tcase, draws_evenly);
    tcase_add_test(tcase, orders_at_random);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
