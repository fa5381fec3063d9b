/*
 * Makes the calls of a script that bench/replay.py wrote from a recorded run,
 * on simulated hosts (SimGrid's SMPI) or real ones, and prints for each phase
 *
 *     ranks,points,rows,phase,collectives,messages,bytes,computing,seconds
 *
 * with the most collectives and messages of a rank, the bytes that all ranks
 * handed to them, the seconds that a rank computed, and those of the phase.
 *
 *     smpicc -O2 -DSIMULATED replay.c -o replay -lm
 *     smpirun -np 64 ... ./replay SCRIPT
 *
 * A sum of up to SMALL bytes is MPI_Allreduce(), a larger one halves what is
 * added up and doubles what is known, as MPI libraries do for such sizes. A sum
 * over lower ranks doubles its reach, since SMPI has each rank send to all
 * above it. An exchange goes round in pairs; SMPI's time for ROUNDS of its
 * rounds stands for all. What adding costs is not counted.
 */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef SIMULATED
#include <smpi/smpi.h>
#endif

enum { SMALL = 1 << 16, ROUNDS = 64, PHASES = 16, TAG = 1, WORD = 32 };

typedef struct share { /* of a batch */
    int phase, lists, members, me;
    int *rank;
    long long *first; /* [members + 1] points on members before */
    long long k;
} share;

typedef struct run {
    FILE *script;
    int rank, size, phase;
    long long points, rows;
    long long collectives[PHASES], messages[PHASES], bytes[PHASES];
    double computing[PHASES], seconds[PHASES], since;
    char *out, *in; /* [room] */
    long long room;
    share share[2];
    int shares;
} run;

static void quit(const char *why)
{
    fprintf(stderr, "replay: %s\n", why);
    exit(1);
}

static long long number(run *r)
{
    long long x;

    if (fscanf(r->script, "%lld", &x) != 1)
        quit("the script ends too early");
    return x;
}

static double real(run *r)
{
    double x;

    if (fscanf(r->script, "%lf", &x) != 1)
        quit("the script ends too early");
    return x;
}

static void count(run *r, long long bytes)
{
    r->collectives[r->phase]++;
    r->bytes[r->phase] += bytes;
}

static void spend(double seconds)
{
#ifdef SIMULATED
    smpi_execute(seconds);
#else
    (void)seconds;
#endif
}

/* One buffer for all simulated ranks: nobody reads what is in it. */
static char *buffer(long long bytes)
{
#ifdef SIMULATED
    return SMPI_SHARED_MALLOC((size_t)bytes);
#else
    return malloc((size_t)bytes);
#endif
}

static void pass(run *r, int to, int from, long long out, long long in)
{
    MPI_Sendrecv(r->out, (int)out, MPI_BYTE, to, TAG, r->in, (int)in, MPI_BYTE,
                 from, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* ---- Collectives ---- */

static void add_all(run *r, long long bytes)
{
    int whole = (r->size & (r->size - 1)) == 0;

    count(r, bytes);
    if (bytes <= SMALL || !whole) {
        MPI_Allreduce(r->out, r->in, (int)bytes, MPI_BYTE, MPI_BOR,
                      MPI_COMM_WORLD);
        return;
    }
    for (int step = 1; step < r->size; step *= 2) {
        bytes /= 2;
        pass(r, r->rank ^ step, r->rank ^ step, bytes, bytes);
    }
    for (int step = r->size / 2; step > 0; step /= 2, bytes *= 2)
        pass(r, r->rank ^ step, r->rank ^ step, bytes, bytes);
}

static void add_lower(run *r, long long bytes)
{
    count(r, bytes);
    for (int step = 1; step < r->size; step *= 2) {
        int to = r->rank + step, from = r->rank - step;
        pass(r, to < r->size ? to : MPI_PROC_NULL,
             from >= 0 ? from : MPI_PROC_NULL, bytes, bytes);
    }
}

/* `bytes` [known, known] of `known` runs of ranks to each other, spread evenly
 * over the ranks of each run; `own` is whether a rank sends to itself. */
static void exchange(run *r)
{
    int own = (int)number(r), known = (int)number(r);
    int rounds = r->size < ROUNDS ? r->size : ROUNDS;
    double *bytes = malloc((size_t)known * (size_t)known * sizeof *bytes);
    double each = pow((double)known / r->size, 2), since = MPI_Wtime();
    int mine = (int)((long long)r->rank * known / r->size);
    double sent = 0;

    for (int i = 0; i < known * known; i++)
        bytes[i] = real(r) * each;
    for (int to = 0; to < r->size; to++)
        if (own || to != r->rank)
            sent += bytes[mine * known + (long long)to * known / r->size];
    count(r, llround(sent));
    for (int i = 1; i < rounds; i++) { /* spread over all distances */
        int far = (int)((long long)i * r->size / rounds);
        int to = (r->rank + far) % r->size;
        int from = (r->rank - far + r->size) % r->size;
        long long other = (long long)to * known / r->size;
        long long third = (long long)from * known / r->size;
        pass(r, to, from, llround(bytes[mine * known + other]),
             llround(bytes[third * known + mine]));
    }
    if (rounds > 1)
        spend((MPI_Wtime() - since) * (r->size - rounds) / (rounds - 1));
    free(bytes);
}

/* ---- The search of a shared batch, as par/select.c does it ---- */

static void give(run *r, const share *s, int to, long long bytes)
{
    r->messages[r->phase]++;
    r->bytes[r->phase] += bytes;
    MPI_Send(r->out, (int)bytes, MPI_BYTE, s->rank[to], TAG + 1 + s->phase,
             MPI_COMM_WORLD);
}

static void take(run *r, const share *s, int from, long long bytes)
{
    r->messages[r->phase]++;
    MPI_Recv(r->in, (int)bytes, MPI_BYTE, s->rank[from], TAG + 1 + s->phase,
             MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* Bytes that members first .. end - 1 have found of w rows. */
static long long found(const share *s, int w, int first, int end)
{
    long long points =
        s->first[end < s->members ? end : s->members] - s->first[first];

    return s->lists ? 4 * w * (points < s->k ? points : s->k) : 16384LL * w;
}

static void search_once(run *r, const share *s, int w)
{
    int step = 1, down = s->lists ? 4 * w : 16 * w;

    for (; step < s->members; step *= 2) {
        if (s->me & step) {
            give(r, s, s->me - step, found(s, w, s->me, s->me + step));
            break;
        }
        if (s->me + step < s->members)
            take(r, s, s->me + step,
                 found(s, w, s->me + step, s->me + 2 * step));
    }
    if (s->me > 0)
        take(r, s, s->me - step, down);
    for (step /= 2; step > 0; step /= 2)
        if (s->me + step < s->members)
            give(r, s, s->me + step, down);
}

static void search(run *r, int w)
{
    for (int phase = 0; phase < 2; phase++)
        for (int x = 0; x < r->shares; x++)
            if (r->share[x].phase == phase)
                for (int i = 0; i < (r->share[x].lists ? 1 : 3); i++)
                    search_once(r, &r->share[x], w);
}

/* A shared batch: its phase, k, whether lists are merged, and the points of its
 * members; kept by those who are among them. */
static void read_share(run *r)
{
    share s = {.phase = (int)number(r), .k = number(r)};

    s.lists = (int)number(r);
    s.members = (int)number(r);
    s.me = -1;
    s.rank = malloc((size_t)s.members * sizeof *s.rank);
    s.first = calloc((size_t)s.members + 1, sizeof *s.first);
    for (int v = 0; v < s.members; v++) {
        s.rank[v] = (int)number(r);
        s.first[v + 1] = s.first[v] + number(r);
        if (s.rank[v] == r->rank)
            s.me = v;
    }
    if (s.me >= 0 && r->shares == 2)
        quit("a rank shares more than two batches");
    if (s.me >= 0) {
        r->share[r->shares++] = s;
        return;
    }
    free(s.rank);
    free(s.first);
}

/* ---- The script ---- */

static void enter(run *r, int phase)
{
    double now = MPI_Wtime();

    if (phase < 0 || phase >= PHASES)
        quit("there is no such phase");
    r->seconds[r->phase] += now - r->since;
    r->since = now;
    r->phase = phase;
}

static void compute(run *r, double seconds)
{
    r->computing[r->phase] += seconds;
    spend(seconds);
}

static void make_room(run *r, long long bytes)
{
    r->room = bytes;
    r->out = buffer(bytes);
    r->in = buffer(bytes);
}

/* Calls with bytes and a root. */
static void call(run *r, const char *kind)
{
    int bytes = (int)number(r), root = (int)number(r);

    count(r, bytes);
    if (strcmp(kind, "bcast") == 0)
        MPI_Bcast(r->out, bytes, MPI_BYTE, root, MPI_COMM_WORLD);
    else if (strcmp(kind, "gather") == 0)
        MPI_Gather(r->out, bytes, MPI_BYTE, r->in, bytes, MPI_BYTE, root,
                   MPI_COMM_WORLD);
    else if (strcmp(kind, "allgather") == 0)
        MPI_Allgather(r->out, bytes, MPI_BYTE, r->in, bytes, MPI_BYTE,
                      MPI_COMM_WORLD);
    else if (strcmp(kind, "alltoall") == 0)
        MPI_Alltoall(r->out, bytes / r->size, MPI_BYTE, r->in, bytes / r->size,
                     MPI_BYTE, MPI_COMM_WORLD);
    else if (strcmp(kind, "barrier") == 0 || strcmp(kind, "split") == 0)
        MPI_Barrier(MPI_COMM_WORLD);
    else
        quit("a call that is not known");
}

static int step(run *r)
{
    char word[WORD];

    if (fscanf(r->script, "%31s", word) != 1)
        return 0;
    if (strcmp(word, "points") == 0)
        r->points = number(r);
    else if (strcmp(word, "rows") == 0)
        r->rows = number(r);
    else if (strcmp(word, "room") == 0)
        make_room(r, number(r));
    else if (strcmp(word, "share") == 0)
        read_share(r);
    else if (strcmp(word, "phase") == 0)
        enter(r, (int)number(r));
    else if (strcmp(word, "compute") == 0)
        compute(r, real(r));
    else if (strcmp(word, "allreduce") == 0)
        add_all(r, number(r));
    else if (strcmp(word, "exscan") == 0)
        add_lower(r, number(r));
    else if (strcmp(word, "alltoallv") == 0)
        exchange(r);
    else if (strcmp(word, "search") == 0)
        search(r, (int)number(r));
    else
        call(r, word);
    return 1;
}

static void print(run *r)
{
    static const char *const name[PHASES] = {"read",    "space", "sample",
                                             "correct", "write", "metric"};
    long long most[2][PHASES], bytes[PHASES];
    double computing[PHASES], seconds[PHASES];

    MPI_Reduce(r->collectives, most[0], PHASES, MPI_LONG_LONG, MPI_MAX, 0,
               MPI_COMM_WORLD);
    MPI_Reduce(r->messages, most[1], PHASES, MPI_LONG_LONG, MPI_MAX, 0,
               MPI_COMM_WORLD);
    MPI_Reduce(r->bytes, bytes, PHASES, MPI_LONG_LONG, MPI_SUM, 0,
               MPI_COMM_WORLD);
    MPI_Reduce(r->computing, computing, PHASES, MPI_DOUBLE, MPI_MAX, 0,
               MPI_COMM_WORLD);
    MPI_Reduce(r->seconds, seconds, PHASES, MPI_DOUBLE, MPI_MAX, 0,
               MPI_COMM_WORLD);
    for (int i = 0; i < PHASES && r->rank == 0; i++)
        if (name[i] != NULL && most[0][i] > 0)
            printf("%d,%lld,%lld,%s,%lld,%lld,%lld,%.6f,%.6f\n", r->size,
                   r->points, r->rows, name[i], most[0][i], most[1][i],
                   bytes[i], computing[i], seconds[i]);
}

int main(int argc, char **argv)
{
    run r = {0};

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &r.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r.size);
    r.script = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (r.script == NULL)
        quit("usage: replay SCRIPT");
    r.since = MPI_Wtime();
    while (step(&r))
        ;
    enter(&r, r.phase);
    print(&r);
    fclose(r.script);
    MPI_Finalize();
    return 0;
}
